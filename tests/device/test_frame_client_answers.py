"""Answers that are no frame for the panel: told in a sentence, before the first pixel."""

from __future__ import annotations

import gzip
import re

import pytest

from device.asking import PIXELS, WHITE, ask, bare, each, frame, open_scripted
from fakes.a1111 import Reply, said
from fakes.failures import HTML, JSON, REDIRECTS, raw

PNG = ("Content-Type", "image/png")
HEADERS = "\r\n".join(f"X-Number-{number}: {'x' * 80}" for number in range(100))

CHUNKS = Reply(200, b"6400\r\n" + PIXELS + b"\r\n0\r\n\r\n", frame().headers)

# The answer, what the error says among others, and its status: 0 where there is none that can be read.
NO_FRAMES: dict[str, tuple[Reply, str, int]] = {
    "chunks": (Reply(200, PIXELS, frame().headers, chunked=True), "25600", 200),
    "chunks and a length": (bare(CHUNKS, Transfer_Encoding="chunked", Content_Length="25600"), "25600", 200),
    "no length": (bare(frame()), "25600", 200),
    "a length in words": (bare(frame(), Content_Length="many"), "25600", 200),
    "a negative length": (bare(frame(), Content_Length="-25600"), "25600", 200),
    "two bytes less": (frame(PIXELS[:-2]), "25600.*25598", 200),
    "two bytes more": (frame(PIXELS + b"##"), "25600.*25602", 200),
    "no bytes": (frame(b""), "25600.* 0 ", 200),
    "a length without end": (bare(frame(), Content_Length="9" * 60), "25600", 200),
    "HTML": (Reply(200, b"<html><body>Log in</body></html>", (HTML,)), "text/html", 200),
    "JSON": (said({"images": []}), "application/json", 200),
    "a long kind": (frame(content_type="application/" + "x" * 500), "application/xxx", 200),
    "no kind": (frame(content_type=None), "no frame", 200),
    "an empty kind": (frame(content_type=""), "no frame", 200),
    "another format": (frame(x_image_format="rgb565-le"), "rgb565-be.*rgb565-le", 200),
    "another width": (frame(x_image_width="80"), "160x80.*80x80", 200),
    "another height": (frame(x_image_height="160"), "160x80.*160x160", 200),
    "another display": (frame(x_image_width="80", x_image_height="160"), "160x80.*80x160", 200),
    "a long width": (frame(x_image_width="1" * 500), "160x80", 200),
    "no width": (frame(x_image_width=None), "160x80", 200),
    "no format": (frame(x_image_format=None), "rgb565-be", 200),
    "bytes of anything": (Reply(200, PIXELS, (("Content-Type", "application/octet-stream"),)), "160x80", 200),
    "a gzip": (Reply(200, gzip.compress(PIXELS), (*frame().headers, ("Content-Encoding", "gzip"))), "25600", 200),
    "a picture": (Reply(200, b"\x89PNG", (PNG,)), "image/png", 200),
    "a 201": (bare(frame(), "HTTP/1.1 201 Created", Content_Length="25600"), "201", 201),
    "a 206": (bare(frame(), "HTTP/1.1 206 Partial Content", Content_Length="25600"), "206", 206),
    "a redirect": (REDIRECTS["301"], "http://10.9.8.7:7860/elsewhere", 301),
    "another redirect": (REDIRECTS["308"], "http://10.9.8.7:7860/elsewhere", 308),
    "a redirect far away": (Reply(302, b"", (("Location", "http://" + "a" * 300),)), "http://aaa", 302),
    "a redirect to nowhere": (Reply(302, b"moved"), "302", 302),
    "nothing": (Reply(mute=True), "127.0.0.1:", 0),
    "a reset": (Reply(reset=True), "127.0.0.1:", 0),
    "half a status line": (raw("HTTP/1.1 20"), "127.0.0.1:", 0),
    "half of the headers": (raw("HTTP/1.1 200 OK\nContent-Type: appl"), "127.0.0.1:", 0),
    "an empty line": (raw("\n\n"), "127.0.0.1:.* no HTTP", 0),
    "something else": (raw("SSH-2.0-OpenSSH_9.6\n\n"), "127.0.0.1:.* no HTTP", 0),
    "a status in words": (raw("HTTP/1.1 abc OK\n\n"), "127.0.0.1:.* no HTTP", 0),
    "a status below zero": (raw("HTTP/1.1 -200 OK\n\n"), "127.0.0.1:.* no HTTP", 0),
    "no status": (raw("HTTP/1.1\n\n"), "127.0.0.1:.* no HTTP", 0),
    "HTTP/2": (Reply(raw=b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0\r\n\r\n"), "no HTTP", 0),
    "bytes": (Reply(raw=bytes(range(256)) * 4 + b"\r\n\r\n"), "no HTTP", 0),
    "bytes without end": (Reply(raw=bytes(range(256)) * 400), "127.0.0.1:.* too much", 0),
    "a long status line": (raw("HTTP/1.1 200 " + "x" * 20_000 + "\n\n"), "127.0.0.1:.* too much", 0),
    "a long header": (bare(frame(), X_Note="x" * 20_000, Content_Length="25600"), "127.0.0.1:.* too much", 0),
    "many headers": (bare(frame(), X_Note=f"1\r\n{HEADERS}", Content_Length="25600"), "127.0.0.1:.* too much", 0),
}

# The body is announced to be larger than any disk, and does not end before the client leaves.
ENDLESS = Reply(raw=b"HTTP/1.1 500 Oh\r\nContent-Length: 99999999999999\r\n\r\n" + b"x" * 2**20, hang=0)

# What is given up at once, whichever call it answers. A 404 is no error for `newest`, and a 202 none for `wait`.
REFUSALS: dict[str, tuple[Reply, str, int]] = {
    "a 400": (said({"error": "Send a JSON object", "code": 400}, 400), "^Send a JSON object$", 400),
    "a 401": (said({"error": "Invalid or missing API key", "code": 401}, 401), "^Invalid or missing API key$", 401),
    "a 403": (said({"error": "Not from there", "code": 403}, 403), "^Not from there$", 403),
    "another 404": (said({"error": "No display is called x", "code": 404}, 404), "^No display is called x$", 404),
    "a 413": (said({"error": "The body is over 10 MB", "code": 413}, 413), "^The body is over 10 MB$", 413),
    "a 422": (said({"error": "steps: too many", "code": 422}, 422), "^steps: too many$", 422),
    "a 500": (said({"error": "Internal error", "code": 500}, 500), "^Internal error$", 500),
    "a 502": (said({"error": "Upstream A1111 service unavailable"}, 502), "^Upstream A1111 service unavailable$", 502),
    "a 504": (said({"error": "Upstream A1111 service timed out"}, 504), "^Upstream A1111 service timed out$", 504),
    "letters of all kinds": (said({"error": "nicht möglich: 熊"}, 500), "^nicht möglich: 熊$", 500),
    "HTML": (Reply(502, b"<html><h1>502 Bad Gateway</h1></html>", (HTML,)), "502", 502),
    "HTML of no length": (bare(Reply(502, b"<html>", (HTML,)), "HTTP/1.1 502 Bad Gateway"), "502", 502),
    "nothing": (Reply(500), "500", 500),
    "a body that is cut off": (Reply(500, b'{"error": "a"}', (JSON,), cut=5), "500", 500),
    "JSON of no length": (bare(said({"error": "One"}), "HTTP/1.1 500 Oh"), "^One$", 500),
    "JSON in a longer body": (Reply(500, b'{"error": "a"}' + b" " * 100_000, (JSON,)), "500|^a$", 500),
    "a body without end": (ENDLESS, "500", 500),
    "no JSON": (Reply(500, b'{"error": ', (JSON,)), "500", 500),
    "no text": (Reply(500, b'{"error": "\xff\xfe"}', (JSON,)), "500|\ufffd", 500),
    "a list": (said(["no"], 500), "500", 500),
    "a null": (said(None, 500), "500", 500),
    "no sentence": (said({"error": None}, 500), "500", 500),
    "an empty sentence": (said({"error": ""}, 500), "500", 500),
    "an object": (said({"error": {"a": 1}}, 500), "500|a", 500),
    "two lines": (said({"error": "one\r\ntwo"}, 500), "one.*two|500", 500),
    "letters that do not show": (said({"error": "one\0two\x1b[2J"}, 500), "one.*two|500", 500),
    "a long sentence": (said({"error": "word " * 80}, 500), "word word|500", 500),
    "a number nobody knows": (Reply(599, b"?", ()), "599", 599),
}


@pytest.mark.parametrize("call", ["newest()", "txt2img('a')"])
async def test_what_is_no_frame_is_told_and_not_drawn(vm: str, call: str) -> None:
    async with open_scripted({name: reply for name, (reply, _, _) in NO_FRAMES.items()}, jobs=True) as server:
        asked = await ask(vm, each(NO_FRAMES, server.url, call, retries=0))
    for name, (_, words, status) in NO_FRAMES.items():
        told = asked[name]
        assert (re.search(words, told.error) is not None, told.status) == (True, status), told
        assert told.again is None or status == 0, told
    assert [told for told in asked.told if told.rows] == []
    assert asked.colours == {WHITE}


async def test_after_a_post_nothing_of_it_is_tried_again(vm: str) -> None:
    """Nor is it a job."""
    async with open_scripted({name: reply for name, (reply, _, _) in NO_FRAMES.items()}) as server:
        asked = await ask(vm, each(NO_FRAMES, server.url, "submit('a')", retries=3))
        counts = {name: len(server.asked(name)) for name in NO_FRAMES}
    for name, (_, _, status) in NO_FRAMES.items():
        told = asked[name]
        assert (told.error != "", told.status, told.again) == (True, status, None), told
    assert set(counts.values()) == {1}, counts
    assert asked.colours == {WHITE}


@pytest.mark.parametrize("call", ["newest()", "submit('a')"])
async def test_a_refusal_is_told_in_the_services_words(vm: str, call: str) -> None:
    async with open_scripted({name: reply for name, (reply, _, _) in REFUSALS.items()}) as server:
        asked = await ask(vm, each(REFUSALS, server.url, call))
        counts = {name: len(server.asked(name)) for name in REFUSALS}
    for name, (_, words, status) in REFUSALS.items():
        told = asked[name]
        assert (re.search(words, told.error) is not None, told.status, told.again) == (True, status, None), told
    assert set(counts.values()) == {1}, counts
    assert asked.colours == {WHITE}


async def test_to_cancel_is_refused_in_the_services_words_too(vm: str) -> None:
    names = ["a 401", "a 500", "HTML", "nothing"]
    async with open_scripted({name: REFUSALS[name][0] for name in names}) as server:
        asked = await ask(vm, each(names, server.url, "cancel('/jobs/one')"))
        methods = [seen.method for seen in server.seen]
    assert [told.status for told in asked.told] == [401, 500, 502, 500]
    assert asked["a 401"].error == "Invalid or missing API key"
    assert methods == ["DELETE"] * 4
