"""cmd-flags: A1111 tells its passwords to whoever asks; through us it does not. Check 46."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.clients import understand
from service import Service

PATH = "/sdapi/v1/cmd-flags"
BASES = ["", "/original", "/displays/default"]
JSON = ("content-type", "application/json")
SECRET = "hunter2"

# As A1111 1.10.1 answers, but for its hundred other flags.
FLAGS: dict[str, Any] = {
    "f": False,
    "data_dir": "/home/me/webui",
    "port": 7860,
    "share": None,
    "theme": "dark",
    "gradio_auth": f"me:{SECRET}",
    "gradio_auth_path": f"/etc/{SECRET}",
    "api_auth": f"me:{SECRET},you:{SECRET}",
    "api_log": True,
    "ngrok": SECRET,
    "ngrok_options": {"authtoken": SECRET},
    "hf_token": SECRET,
    "tls_keyfile": f"/etc/{SECRET}.pem",
    "tls_certfile": "/etc/cert.pem",
    "subpath": None,
    "opt_split_attention": False,
}
BLANKED = {"gradio_auth", "gradio_auth_path", "api_auth", "ngrok", "ngrok_options", "hf_token", "tls_keyfile"}
SPELLINGS = [
    "/sdapi/v1/cmd-flags",
    "/sdapi/v1/cmd-flags/",
    "/sdapi/v1/cmd-flags?x=1",
    "/sdapi/v1/cmd-flags/?x",
    "/sdapi/v1/cmd-flags;x",
    "/sdapi/v1/cmd%2Dflags",
    "/sdapi/v1/%63%6d%64-flags",
    "/sdapi/v1/cmd%252Dflags",
    "/sdapi/v1/CMD-FLAGS",
    "/sdapi/v1/cmd-flags%20",
    "/sdapi/v1/cmd-flags%2f",
    "/sdapi/v1/cmd-flags%3Fx",
    "/sdapi/v1/cmd-flags%23x",
    "/sdapi/v1//cmd-flags",
    "/sdapi/v1/./cmd-flags",
    "/sdapi/v1/x/..%2fcmd-flags",
    "/internal/cmd-flags",
]


@pytest.mark.parametrize("path", SPELLINGS)
async def test_check_46_passwords_are_blanked_however_one_asks(
    service: Service, upstream: ScriptedA1111, path: str
) -> None:
    for asked in (f"{method} {base}{path}" for method in ("GET", "POST", "get") for base in BASES):
        upstream.reset()
        upstream.standing = said(FLAGS)
        async with service.connect() as client:
            await client.send(f"{asked} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            heard = understand(await client.hear_rest())
        assert SECRET.encode() not in heard.body, asked
        assert heard.status == 200 or not upstream.seen, asked


async def test_check_46_a_secret_becomes_stars_and_the_rest_stays(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said(FLAGS)
    got = await service.ask("GET", PATH)
    flags = got.json()
    assert got.status == 200
    assert flags.keys() == FLAGS.keys()
    assert {name: value for name, value in flags.items() if name not in BLANKED} == {
        name: value for name, value in FLAGS.items() if name not in BLANKED
    }
    assert flags["gradio_auth"] == flags["api_auth"] == "***"
    assert all(flags[name] for name in BLANKED - {"ngrok_options"})
    assert got.headers["Content-Length"] == str(len(got.body))
    assert got.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [
        b'{ "gradio_auth" : null ,\n"b":1e-7, "c": 9223372036854775808, "d": NaN, "e": "\\u718a",\t"b": 2 }\n',
        b"{}",
        b'{"api_auth": ""}',
        b'{"token_merging": 0.5, "no_token": false}',
        '{"theme": "Grüße \\ud83d\\ude00", "x": [1, {"y": "z"}]}'.encode(),
    ],
)
async def test_what_holds_no_secret_keeps_its_bytes(service: Service, upstream: ScriptedA1111, body: bytes) -> None:
    upstream.standing = Reply(body=body, headers=(JSON, ("x-process-time", "1")))
    got = await service.ask("GET", PATH)
    assert (got.status, got.body) == (200, body)
    assert got.headers["X-Process-Time"] == "1"


async def test_no_other_byte_is_changed(service: Service, upstream: ScriptedA1111) -> None:
    body = b'{ "a":1e-7,"api_auth" :\t"x:%b" ,"b": [ ],\r\n"api_auth": "y\\"%b", "z":NaN}'
    upstream.standing = Reply(body=body % (SECRET.encode(), SECRET.encode()))
    got = await service.ask("GET", PATH)
    assert got.body == b'{ "a":1e-7,"api_auth" :\t"***" ,"b": [ ],\r\n"api_auth": "***", "z":NaN}'


SECRETS_IN = {
    "an escaped name": b'{"api\\u005fauth": "%b"}',
    "capitals": b'{"API_AUTH": "%b"}',
    "a name with a dash": b'{"api-auth": "%b"}',
    "a name run together": b'{"ApiAuth": "%b"}',
    "another password": b'{"db_password": "%b", "passwd": "%b", "client_secret": "%b"}',
    "a list": b'{"gradio_auth": ["me", "%b"]}',
    "an object": b'{"gradio_auth": {"me": "%b"}}',
    "a list of lists": b'{"api_auth": [["me", "%b"]]}',
    "a nested object": b'{"flags": {"api_auth": "me:%b"}}',
    "a nested list": b'{"flags": [{"api_auth": "me:%b"}]}',
    "a name twice": b'{"api_auth": null, "api_auth": "%b"}',
    "a byte order mark": b'\xef\xbb\xbf{"api_auth": "%b"}',
    "a list around": b'[{"api_auth": "%b"}]',
    "a text around": b'"{\\"api_auth\\": \\"%b\\"}"',
    "half a document": b'{"api_auth": "%b", ',
    "no JSON": b"api_auth=%b",
    "two documents": b'{}{"api_auth": "%b"}',
    "single quotes": b"{'api_auth': '%b'}",
    "a comment": b'{"a": 1 /* */, "api_auth": "%b"}',
    "depth": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b', "api_auth": "%b"}',
}


@pytest.mark.parametrize("where", SECRETS_IN)
async def test_a_secret_is_found_or_nothing_comes(service: Service, upstream: ScriptedA1111, where: str) -> None:
    body = SECRETS_IN[where].replace(b"%b", SECRET.encode())
    for status in (200, 206):
        upstream.standing = Reply(status, body)
        got = await service.ask("GET", PATH)
        assert SECRET.encode() not in got.body, status
        assert got.status in (status, 502)
        if got.status == 502:
            assert set(got.json()) == {"error", "code", "detail"}, status


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
async def test_another_coding_hides_nothing(service: Service, upstream: ScriptedA1111, coding: str) -> None:
    upstream.standing = Reply(body=json.dumps(FLAGS).encode(coding))
    got = await service.ask("GET", PATH)
    for spelt in (SECRET.encode(), SECRET.encode("utf-16-le"), SECRET.encode("utf-32-be")):
        assert spelt not in got.body


@pytest.mark.parametrize("asked", ["gzip", "gzip, br", "*", "identity;q=0, gzip"])
async def test_it_is_asked_for_in_plain(service: Service, upstream: ScriptedA1111, asked: str) -> None:
    upstream.standing = said(FLAGS)
    got = await service.ask("GET", PATH, accept_encoding=asked)
    assert got.json()["api_auth"] == "***"
    (seen,) = upstream.seen
    assert [value for name, value in seen.headers if name.lower() == "accept-encoding"] == ["identity"]


@pytest.mark.parametrize("coding", ["gzip", "br", "x"])
async def test_an_answer_that_cannot_be_read_is_a_502(service: Service, upstream: ScriptedA1111, coding: str) -> None:
    packed = gzip.compress(json.dumps(FLAGS).encode())
    upstream.standing = Reply(200, packed, (JSON, ("content-encoding", coding)))
    got = await service.ask("GET", PATH)
    assert (got.status, got.json()["code"]) == (502, 502)


@pytest.mark.parametrize("chunked", [True, False])
async def test_too_many_flags_are_a_502(service: Service, upstream: ScriptedA1111, chunked: bool) -> None:
    upstream.standing = Reply(body=json.dumps({"a": "x" * 3_000_000, **FLAGS}).encode(), chunked=chunked)
    got = await service.ask("GET", PATH)
    assert got.status == 502
    assert SECRET.encode() not in got.body


async def test_a_part_of_it_is_not_passed(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = Reply(206, json.dumps(FLAGS).encode()[60:200], (JSON, ("content-range", "bytes 60-199/900")))
    got = await service.ask("GET", PATH, range="bytes=60-199")
    assert SECRET.encode() not in got.body


@pytest.mark.parametrize("base", BASES)
async def test_other_answers_pass(service: Service, upstream: ScriptedA1111, base: str) -> None:
    html = Reply(502, b"<html>Bad Gateway</html>", (("content-type", "text/html"),))
    for reply in (said({"detail": "Not Found"}, 404), said({"detail": "Not authenticated"}, 401), Reply(304), html):
        upstream.standing = reply
        got = await service.ask("GET", base + PATH)
        assert (got.status, got.body) == (reply.status, reply.body)


async def test_the_head_of_it_passes(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
    got = await service.ask("HEAD", PATH)
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, b"", "application/json")
    assert got.headers.get("Content-Length") in (None, "0", "900")


async def test_flags_that_are_cut_off_are_a_502(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = Reply(body=json.dumps(FLAGS).encode(), cut=300)
    got = await service.ask("GET", PATH)
    assert (got.status, got.json()["code"]) == (502, 502)
    assert SECRET.encode() not in got.body


SYSINFO = {
    "Commandline": ["launch.py", "--api", "--api-auth=me:hunter2", "--ngrok", "hunter2", "--gradio-auth", "a:hunter2"],
    "Environment": {"COMMANDLINE_ARGS": '--listen --api-auth "me:hunter2" --gradio-auth me:hunter2'},
    "Config": {"proxy": "http://me:hunter2@10.0.0.1/", "api_key_hint": "none", "keyedit": 0.1},
}


@pytest.mark.parametrize("base", ["", "/original"])
@pytest.mark.parametrize("path", ["/internal/sysinfo", "/internal/sysinfo-download?attachment=false"])
async def test_check_46_the_command_line_in_the_system_information_too(
    service: Service, upstream: ScriptedA1111, base: str, path: str
) -> None:
    upstream.standing = said(SYSINFO)
    got = await service.ask("GET", base + path)
    told = got.json()
    assert b"hunter2" not in got.body
    assert got.headers["Content-Length"] == str(len(got.body))
    assert [told["Commandline"][1], told["Commandline"][3]] == ["--api", "--ngrok"]
    assert told["Config"] == {**SYSINFO["Config"], "proxy": "http://***@10.0.0.1/"}
    upstream.standing = said(
        {"Commandline": ["launch.py", "--api", "--gradio-auth-path", "/a"], "RAM": {"total": "8GB"}}
    )
    assert (await service.ask("GET", base + path)).body == upstream.standing.body
