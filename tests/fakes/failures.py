"""The ways in which an upstream fails: replies for a ScriptedA1111 by name, and addresses where nobody answers."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from fakes.a1111 import Reply, answer, said
from fakes.pictures import b64, encode, gradient, png

JSON = ("content-type", "application/json")
HTML = ("content-type", "text/html; charset=utf-8")


def raw(text: str) -> Reply:
    return Reply(raw=text.replace("\n", "\r\n").encode("latin-1"))


def bomb(width: int = 12000, height: int = 12000) -> bytes:
    """A PNG of 70 bytes that says it is enormous."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# The connection fails, before the answer is complete.
CUT_OFF: dict[str, Reply] = {
    "hangs up": Reply(mute=True),
    "resets": Reply(reset=True),
    "hangs up in the status line": raw("HTTP/1.1 20"),
    "hangs up in the headers": raw("HTTP/1.1 200 OK\nContent-Type: appl"),
    "hangs up before the body": replace(answer(png()), cut=0),
    "hangs up in the body": replace(answer(png()), cut=60),
    "hangs up in a chunk": raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nff\n{"),
    "hangs up between chunks": replace(answer(png()), chunked=True, cut=60),
    "hangs up in a gzip": Reply(
        body=gzip.compress(answer(png()).body), headers=(JSON, ("content-encoding", "gzip")), cut=40
    ),
}

# What comes is no HTTP.
NO_HTTP: dict[str, Reply] = {
    "speaks something else": raw("SSH-2.0-OpenSSH_9.6\n"),
    "speaks in odd numbers": raw("HTTP/1.1 abc OK\n\n"),
    "has no length": raw("HTTP/1.1 200 OK\nContent-Length: some\n\n{}"),
    "has two lengths": raw("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\n{}"),
    "has bad chunks": raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\n{}\n0\n\n"),
    "lies about gzip": Reply(body=answer(png()).body, headers=(JSON, ("content-encoding", "gzip"))),
    "speaks an unknown coding": Reply(body=b"xyz", headers=(JSON, ("content-encoding", "br"))),
}

# A 200 (or its like) that holds no picture.
NONSENSE: dict[str, Reply] = {
    "html": Reply(body=b"<html><body>Gradio</body></html>", headers=(HTML,)),
    "nothing": Reply(body=b""),
    "half a document": Reply(body=answer(png()).body[:80]),
    "text": said("images"),
    "a list": said([b64(png())]),
    "a null": said(None),
    "an object without images": said({"info": ""}),
    "images that are null": said({"images": None}),
    "images that are a text": said({"images": b64(png())}),
    "images that are an object": said({"images": {"0": b64(png())}}),
    "no image": said({"images": []}),
    "an empty image": said({"images": [""]}),
    "images that are no texts": said({"images": [None, 7, {}, []]}),
    "a 204": Reply(204),
    "a 202": said({"images": [b64(png())]}, 202),
}

# There are texts, and none of them can be made a frame.
UNREADABLE: dict[str, Reply] = {
    "a path": answer("/home/me/outputs/00001.png"),
    "no base64": answer("§$%&"),
    "a video": answer(b"\0\0\0\x20ftypisom" + bytes(100)),
    "a TIFF": answer(encode(gradient(), "TIFF")),
    "a picture that is cut off": answer(encode(gradient())[:135]),
    "a signature": answer(png()[:12] + bytes(40)),
    "an enormous picture": answer(bomb()),
    "base64 that is damaged further on": answer(b64(encode(gradient()))[:200] + "§§§§"),
}

V1_422 = {"detail": [{"loc": ["body", "steps"], "msg": "value is not a valid integer", "type": "type_error.integer"}]}
V2_422 = {
    "detail": [
        {
            "type": "int_parsing",
            "loc": ["body", "steps"],
            "msg": "Input should be a valid integer",
            "input": "x",
            "url": "u",
        }
    ]
}


def a1111_error(detail: str, name: str = "HTTPException") -> dict[str, str]:
    return {"error": name, "detail": detail, "body": "", "errors": ""}


# It refuses this request: reply, and what a device is told.
REJECTED: dict[str, tuple[Reply, str]] = {
    "A1111 validates": (said(V1_422, 422), "Upstream A1111 answered 422: steps: value is not a valid integer"),
    "Forge validates": (said(V2_422, 422), "Upstream A1111 answered 422: steps: Input should be a valid integer"),
    "A1111 knows no such script": (
        said(a1111_error("Script 'zzz' not found"), 422),
        "Upstream A1111 answered 422: Script 'zzz' not found",
    ),
    "A1111 wants an image": (
        said(a1111_error("Init image not found"), 404),
        "Upstream A1111 answered 404: Init image not found",
    ),
    "a gateway tells its own name": (
        said({"detail": "gpu.local:7860 says no"}, 403),
        "Upstream A1111 answered 403",
    ),
    "A1111 without --api": (
        said({"detail": "Not Found"}, 404),
        "Upstream A1111 answered 404: Not Found (was it started with --api?)",
    ),
    "SD.Next": (
        said({"error": "Sampler not found", "code": 404, "detail": "", "body": "", "errors": ""}, 404),
        "Upstream A1111 answered 404: Sampler not found",
    ),
    "sd.cpp": (said({"error": "prompt required"}, 400), "Upstream A1111 answered 400: prompt required"),
    "sd.cpp, newer": (
        said({"error": "bad_request", "message": "prompt required"}, 400),
        "Upstream A1111 answered 400: prompt required",
    ),
    "Draw Things": (
        said(a1111_error("Unrecognized keys: x"), 422),
        "Upstream A1111 answered 422: Unrecognized keys: x",
    ),
    "a limit": (said({"detail": "slow down"}, 429, ("retry-after", "9")), "Upstream A1111 answered 429: slow down"),
    "HTML": (Reply(404, b"<html>no</html>", (HTML,)), "Upstream A1111 answered 404"),
    "nothing": (Reply(400), "Upstream A1111 answered 400"),
}

# Details that must neither surprise us nor be repeated.
STRANGE_DETAILS: list[Any] = [
    [{"loc": None, "msg": "x"}],
    [{"loc": "body", "msg": None}],
    [{"loc": 5, "msg": {"a": 1}}],
    [[]],
    [None],
    [],
    {"msg": "Server is busy", "type": "service_unavailable"},
    7,
    True,
    "two\nlines",
    "\ud800",
    "no file /home/me/models/a.ckpt",
    "open C:\\models\\a.ckpt",
    "ask http://192.168.1.20:7860/docs",
]

# It is in trouble itself.
IN_TROUBLE: dict[str, Reply] = {
    "A1111 crashed": said(
        {"error": "RuntimeError", "detail": "", "body": "", "errors": "boom in /home/me/webui.py"}, 500
    ),
    "Forge crashed": said(
        {"error": "OutOfMemoryError", "detail": "CUDA", "message": "File /home/me/a.py, line 1"}, 500
    ),
    "Starlette crashed": Reply(500, b"Internal Server Error", (("content-type", "text/plain"),)),
    "SD.Next crashed": said("TypeError: bad operand", 500),
    "koboldcpp is busy": said(
        {"detail": {"msg": "Server is busy; please try again later.", "type": "service_unavailable"}},
        503,
        ("retry-after", "7"),
    ),
    "sd.cpp crashed": said({"error": "server_error", "message": "ggml_assert"}, 500),
    "a gateway without upstream": Reply(502, b"<html><h1>502 Bad Gateway</h1>nginx/1.22 at /etc/nginx</html>", (HTML,)),
    "a gateway that waited": Reply(504, b"<html><h1>504 Gateway Time-out</h1></html>", (HTML,)),
    "words in place of a name": said({"error": "no file /home/me/models/a.ckpt"}, 500),
    "an odd number": Reply(599, b"?", ()),
}

REDIRECTS: dict[str, Reply] = {
    str(status): Reply(status, b"moved", (("location", "http://10.9.8.7:7860/elsewhere"), HTML))
    for status in (301, 302, 303, 307, 308)
}

UNAUTHORIZED = said(a1111_error("Incorrect username or password"), 401)


def never() -> Reply:
    """Nothing comes."""
    return Reply(gate=asyncio.Event())


# Nothing more comes: before the answer, after its head, in its body.
SLOW: dict[str, Any] = {
    "says nothing": never,
    "says nothing after the head": lambda: replace(answer(png()), hang=0),
    "stops in the body": lambda: replace(answer(png()), hang=60),
    "stops in a chunk": lambda: replace(answer(png()), hang=60, chunked=True),
}


@contextmanager
def closed_port() -> Iterator[str]:
    """An address where connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def full_backlog() -> Iterator[str]:
    """An address where connections are neither accepted nor refused."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
