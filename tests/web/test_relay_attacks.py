"""What nobody should get through the relay: server control in any spelling, odd targets, smuggled requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product

import pytest

from fakes.a1111 import Reply, ScriptedA1111
from fakes.clients import Heard, understand
from service import Service, open_service

HOST = "Host: a\r\nConnection: close\r\n"
BASES = ["", "/original", "/displays/default"]
WORDS = ["server-kill", "server-restart", "server-stop", "restart", "shutdown"]
V1 = "/sdapi/v1/"
# Of the path that ends the server, and of one that tells its passwords: {0} is its last word.
SPELLINGS = [
    "/sdapi/v1/{0}",
    "/sdapi/v1/{0}/",
    "/sdapi/v1/{0}?x=1",
    "/sdapi/v1/{0}/?",
    "/sdapi/v1/{0};x",
    "/sdapi/v1/{0};x=y/",
    "/sdapi/v1/{0};",
    "/sdapi/v1/{0}%20",
    "/sdapi/v1/{0}%2f",
    "/sdapi/v1/{0}%252F",
    "/sdapi/v1/{0}%3bx",
    "/sdapi/v1/{0}%253bx",
    "/sdapi/v1/{0}%3Fx",
    "/sdapi/v1/{0}%23x",
    "/sdapi/v1/{0}%00",
    "/sdapi/v1/{0}%0a",
    "/sdapi/v1/{0}%0d%0aX:%20y",
    "/sdapi/v1/{0}%2500",
    "/sdapi/v1/{0}%5c",
    "/sdapi/v1/{0}\\",
    "/sdapi/v1/{0}#x",
    "/sdapi//v1/{0}",
    "/sdapi/v1//{0}",
    "/sdapi/v1/{0}//",
    "/sdapi/v1/./{0}",
    "/sdapi/v1/{0}/.",
    "/sdapi/v1/{0}/./",
    "/sdapi/v1/x/../{0}",
    "/sdapi/v1/{0}/x/..",
    "/sdapi/v1/x/%2e%2e/{0}",
    "/sdapi/v1/x/.%2E/{0}",
    "/sdapi/v1/x%2f..%2f{0}",
    "/sdapi/v1/%252e/{0}",
    "/sdapi/v1/x/%252e%252e/{0}",
    "/sdapi/v1/x%5c..%5c{0}",
    "/sdapi/v1%2f{0}",
    "/sdapi%2fv1%2f{0}",
    "/sdapi/%76%31/{0}",
    "/internal/../sdapi/v1/{0}",
    "/internal/{0}",
    "/controlnet/%2e%2e/sdapi/v1/{0}",
]


def percent(word: str, sign: str = "%") -> str:
    return "".join(f"{sign}{ord(letter):02x}" for letter in word)


def odd_words(word: str) -> list[str]:
    return [word.upper(), word.title(), percent(word), percent(word, "%25"), word[:-1] + percent(word[-1])]


async def ask(service: Service, method: str, target: str, more: str = "", body: str = "") -> Heard:
    async with service.connect() as client:
        await client.send(f"{method} {target} HTTP/1.1\r\n{HOST}{more}\r\n{body}".encode("latin-1"))
        return understand(await client.hear_rest(), method)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_nobody_stops_the_web_ui(service: Service, upstream: ScriptedA1111, spelling: str) -> None:
    words = [odd for word in ("server-kill", "shutdown") for odd in (word, *odd_words(word))]
    for target in (base + spelling.format(word) for base in BASES for word in words):
        heard = await ask(service, "POST", target, "Content-Length: 0\r\n")
        assert heard.status in (400, 403, 404), target
        assert heard.json()["code"] == heard.status, target
        assert not upstream.seen, target


@pytest.mark.parametrize("word", WORDS)
async def test_server_control_is_refused_by_name(service: Service, upstream: ScriptedA1111, word: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        got = await service.ask(method, V1 + word, b"{}")
        assert (got.status, set(got.json())) == (403, {"error", "code", "detail"}), method
        assert "RELAY_SERVER_CONTROL" in got.json()["error"], method
        assert not upstream.seen, method


@pytest.mark.parametrize("path", ["server-kills", "servers", "kill", "restart-later", "shutdown/status", "x-restart"])
async def test_only_server_control_is_refused(service: Service, upstream: ScriptedA1111, path: str) -> None:
    assert (await service.ask("POST", V1 + path)).status == 200
    assert [seen.target for seen in upstream.seen] == [V1 + path]


async def test_server_control_for_those_who_allow_it(upstream: ScriptedA1111) -> None:
    upstream.standing = Reply(body=b"Stopping.", headers=(("content-type", "text/plain"),))
    async with open_service(a1111_base_url=upstream.url, relay_server_control=True) as service:
        for word in WORDS:
            for base in BASES:
                got = await service.ask("POST", base + V1 + word)
                assert (got.status, got.body) == (200, b"Stopping.")
    assert [seen.target for seen in upstream.seen] == [V1 + word for word in WORDS for _ in BASES]


TARGETS = [
    *("*", "a", "sdapi/v1/options", "//sdapi/v1/options", "///sdapi/v1/options", "/\\sdapi/v1/options"),
    *("http://a/", "http://a/other", "http://10.9.8.7/sdapi/v1/options", "https://10.9.8.7:1/original/config"),
    *("a:443", "ftp://a/sdapi/v1/options", "//10.9.8.7/sdapi/v1/options", "@10.9.8.7/sdapi/v1/options"),
    *("/@10.9.8.7/sdapi/v1/options", "/original@10.9.8.7/sdapi/v1/options", "/original//10.9.8.7/sdapi/"),
    *("/original/@10.9.8.7/", "/original.evil/sdapi/v1/options", "/original/original/sdapi/v1/options"),
    *("/sdapi/v1/options#x", "/sdapi/v1/options?a=1#x", "/sdapi/v1/options?#", "/sdapi/#/../v1", "#"),
    *("/sdapi/../config", "/sdapi/..", "/sdapi/%2e%2e/config", "/sdapi/%252e%252e/config", "/sdapi/..%2fconfig"),
    *("/original/../sdapi/v1/options", "/displays/../sdapi/v1/options", "/displays//sdapi/v1/options"),
    *("/displays/no-such/sdapi/v1/options", "/displays/%2e%2e/sdapi/v1/options", "/displays/default/config"),
    *("/sdapi/v1/a%00b", "/sdapi/v1/%0d%0aX-Injected:%201", "/sdapi/v1/%0aa", "/sdapi/v1/%c2%85", "/sdapi\\v1\\x"),
]


@pytest.mark.parametrize("target", TARGETS)
async def test_odd_targets_go_nowhere(service: Service, upstream: ScriptedA1111, target: str) -> None:
    for method in ("GET", "OPTIONS"):
        heard = await ask(service, method, target)
        assert heard.status in (400, 404, 405, 422), method
        assert ("Allow" in heard.names) is (heard.status == 405), method
        assert heard.json()["code"] == heard.status, method
        assert not upstream.seen, method


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "trace", "Trace", "connect", "cONNECT"])
async def test_methods_that_show_credentials_or_open_tunnels(
    service: Service, upstream: ScriptedA1111, method: str
) -> None:
    for base in BASES:
        heard = await ask(service, method, f"{base}/sdapi/v1/options")
        assert (heard.status, heard.json()["code"]) == (501, 501), base
        assert not upstream.seen, base


@pytest.mark.parametrize("path", ["txt2img", "img2img", "txt2img/", "%74xt2img", "txt2img?answer=original"])
async def test_a_method_in_small_letters_draws_nothing_past_the_gate(
    upstream: ScriptedA1111, path: str, gateless: Service
) -> None:
    # No one gets past this gate: with an address in the picture, whoever drew would have been refused with a 422.
    body = '{"init_images": ["http://10.9.8.7/"]}'
    for method, base in product(("post", "Post", "pOST"), BASES):
        heard = await ask(gateless, method, f"{base}{V1}{path}", f"Content-Length: {len(body)}\r\n", body)
        assert heard.status == (501 if base == "/original" else 405), f"{method} {base}"
        assert ("Allow" in heard.names) is (heard.status == 405), f"{method} {base}"
        assert not upstream.seen, f"{method} {base}"


@pytest.fixture(scope="module")
async def gateless(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=1, queue_size=0) as service:
        yield service


SMUGGLED = "GET /sdapi/v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
SMUGGLERS = {
    "length and chunks": ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "chunks and length": ("Transfer-Encoding: chunked\r\nContent-Length: 500\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "two lengths": ("Content-Length: 2\r\nContent-Length: 60\r\n", "{}"),
    "two lengths in one": ("Content-Length: 2, 60\r\n", "{}"),
    "a signed length": ("Content-Length: +2\r\n", "{}"),
    "an odd digit": ("Content-Length: \xb2\r\n", "{}"),
    "a hidden coding": ("Transfer-Encoding : chunked\r\nContent-Length: 2\r\n", "{}"),
    "a tab before the coding": ("Transfer-Encoding:\tchunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "a coding in capitals": ("Transfer-Encoding: CHUNKED\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "an unknown coding": ("Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n", "{}"),
    "two codings": ("Transfer-Encoding: gzip, chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "the coding twice": ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "a folded coding": ("X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "{}"),
    "a folded name": ("Transfer-Encoding:\r\n chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    "a length named in connection": ("Connection: content-length\r\nContent-Length: 2\r\n", "{}"),
    "a coding named in connection": ("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "a lone line feed": ("X: y\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n", "{}"),
    "a lone carriage return": ("X: y\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n", "{}"),
    "a long chunk size": ("Transfer-Encoding: chunked\r\n", "000000000000000000000002\r\n{}\r\n0\r\n\r\n"),
    "trailers": ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nContent-Length: 60\r\nHost: evil\r\n\r\n"),
}


@pytest.mark.parametrize("name", SMUGGLERS)
async def test_one_request_goes_up_as_one(service: Service, upstream: ScriptedA1111, name: str) -> None:
    headers, body = SMUGGLERS[name]
    for base, path in (("", "/sdapi/v1/options"), ("/original", "/sdapi/v1/txt2img")):
        upstream.seen.clear()
        async with service.connect() as client:
            await client.send(f"POST {base}{path} HTTP/1.1\r\n{HOST}{headers}\r\n{body}{SMUGGLED}".encode("latin-1"))
            status = (await client.hear_line()).split()[1]
            await client.hear_rest()
        assert status in (b"200", b"400", b"501"), base
        assert len(upstream.seen) == (status == b"200"), base
        for seen in upstream.seen:
            names = [key.lower() for key, _ in seen.headers]
            assert names.count("content-length") + names.count("transfer-encoding") == 1, base
            assert names.count("host") == 1, base
            assert (seen.target, seen.body) == (path, b"" if body.startswith("0") else b"{}")


async def test_pipelined_requests_are_two(service: Service, upstream: ScriptedA1111) -> None:
    first = b"POST /sdapi/v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    async with service.connect() as client:
        assert (await client.ask(first + b"GET /sdapi/v1/b HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        assert (await client.hear()).status == 200
    assert [(seen.target, seen.body) for seen in upstream.seen] == [("/sdapi/v1/a", b"x"), ("/sdapi/v1/b", b"")]


async def test_folded_and_long_headers_stay_one_line(service: Service, upstream: ScriptedA1111) -> None:
    assert (await ask(service, "GET", "/internal/x", "X-A: b\r\n\tAuthorization: c\r\nX-D: e\r\n")).status in (200, 400)
    for seen in upstream.seen:
        assert seen.header("authorization") is None
        assert seen.header("x-a") == "b Authorization: c"


async def test_no_websocket_and_no_other_protocol(service: Service, upstream: ScriptedA1111) -> None:
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    assert (await ask(service, "GET", "/internal/x", upgrade)).status == 200
    assert upstream.seen[0].header("upgrade") is None
    upstream.standing = Reply(raw=b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
    assert (await ask(service, "GET", "/internal/x", upgrade)).status == 502
