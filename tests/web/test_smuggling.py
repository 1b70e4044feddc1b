"""Requests that two servers could read in two ways: refused and the connection closed, or read in one single way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from fakes.bare import Bare, open_bare
from fakes.clients import open_raw_client, understand

# Never to be answered after a request that was refused, and always after one that was not.
SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKS = b"2\r\nhi\r\n0\r\n\r\n"


def post(headers: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /first HTTP/%b\r\nHost: a\r\n%b\r\n%b" % (version, headers, body)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


def get(headers: bytes, target: bytes = b"/first", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET %b %b\r\n%b\r\n" % (target, version, headers)


LENGTHS = [b"+2", b"-2", b"0x2", b"2,2", b"2, 3", b"2 2", b"2.0", b"", b"two", b"\xb2", b"2_0", b"1" * 20, b"2;"]
CODINGS = [
    *(b"identity", b"xchunked", b"chunkedx", b"chunked, identity", b"identity, chunked", b"chunked, chunked"),
    *(b"gzip, chunked", b"chunked;q=1", b'"chunked"', b"\x0bchunked", b"chunked\x00", b", chunked", b"chunked,", b""),
]
REFUSED = {
    "length and coding": post(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    "coding and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 12\r\n", CHUNKS),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"hi"),
    "the same length twice": post(b"Content-Length: 2\r\ncontent-length: 2\r\n", b"hi"),
    **{f"the length {length!r}": post(b"Content-Length: " + length + b"\r\n", b"hi") for length in LENGTHS},
    **{f"the coding {coding!r}": post(b"Transfer-Encoding: " + coding + b"\r\n", CHUNKS) for coding in CODINGS},
    "the coding twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    "chunks in HTTP/1.0": post(b"Transfer-Encoding: chunked\r\n", CHUNKS, b"1.0"),
    "white space before the colon": post(b"Content-Length : 2\r\n", b"hi"),
    "a tab before the colon": post(b"Transfer-Encoding\t: chunked\r\n", CHUNKS),
    "a name with white space in it": post(b"Content Length: 2\r\n", b"hi"),
    "a header without a name": post(b": x\r\n", b""),
    "a fold": post(b"X: y\r\n Content-Length: 2\r\n", b"hi"),
    "a fold with a tab": post(b"X: y\r\n\tContent-Length: 2\r\n", b"hi"),
    "a fold before all headers": get(b" X: y\r\nHost: a\r\n"),
    "a folded length": post(b"Content-Length:\r\n 2\r\n", b"hi"),
    "a lone line feed": post(b"X: y\nContent-Length: 2\r\n", b"hi"),
    "a lone carriage return": post(b"X: y\rContent-Length: 2\r\n", b"hi"),
    "two carriage returns": post(b"X: y\r\r\nContent-Length: 2\r\n", b"hi"),
    "only line feeds": b"GET /first HTTP/1.1\nHost: a\n\n",
    "a line feed that ends the head": b"GET /first HTTP/1.1\r\nHost: a\r\n\n",
    "a line feed after the request line": b"GET /first HTTP/1.1\nHost: a\r\n\r\n",
    "a line feed in the target": get(b"Host: a\r\n", b"/first\nX:"),
    "an empty line first": b"\r\n" + get(b"Host: a\r\n"),
    "no host": get(b""),
    "two hosts": get(b"Host: a\r\nHost: b\r\n"),
    "the same host twice": get(b"Host: a\r\nhost: a\r\n"),
    "two hosts in HTTP/1.0": get(b"Host: a\r\nHost: b\r\n", version=b"HTTP/1.0"),
    "a host with a path": get(b"Host: a/b\r\n"),
    "a host with a name": get(b"Host: a@b\r\n"),
    "a host with a space": get(b"Host: a b\r\n"),
    "another host in the target": get(b"Host: a\r\n", b"http://b/first"),
    "another port in the target": get(b"Host: a:80\r\n", b"http://a:81/first"),
    "a name in the target": get(b"Host: a\r\n", b"http://x@a/first"),
    "NUL in a value": get(b"Host: a\r\nX: y\0z\r\n"),
    "a control character in a value": get(b"Host: a\r\nX: y\x01z\r\n"),
    "an escape in a value": get(b"Host: a\r\nX: \x1b[31m\r\n"),
    "DEL in a value": get(b"Host: a\r\nX: \x7f\r\n"),
    "a vertical tab in a value": get(b"Host: a\r\nX: y\x0bz\r\n"),
    "a tab in the request line": b"GET\t/first HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces in the request line": b"GET  /first HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": get(b"Host: a\r\n", b"/first /second"),
    "HTTP/0.9": b"GET /first\r\n\r\n",
    "small letters": get(b"Host: a\r\n", version=b"http/1.1"),
    **{
        f"the chunk size {size!r}": chunked(size + b"\r\nhi\r\n0\r\n\r\n")
        for size in (b"+2", b"-2", b"0x2", b"", b"g", b"2 2", b" 2", b"2 ", b"2\t", b"2,", b"2 ;a", b"0" * 16 + b"2")
    },
    "a chunk size with a line feed": chunked(b"2\nhi\r\n0\r\n\r\n"),
    "an extension with a carriage return": chunked(b"2;a\rb\r\nhi\r\n0\r\n\r\n"),
    "an extension with a line feed": chunked(b"2;a\nb\r\nhi\r\n0\r\n\r\n"),
    "an extension with NUL": chunked(b"2;\0\r\nhi\r\n0\r\n\r\n"),
    "an endless extension": chunked(b"2;" + b"x" * 300 + b"\r\nhi\r\n0\r\n\r\n"),
    "an extension without an end": chunked(b"2;" + b"x" * 300),
    "a chunk that is too long": chunked(b"2\r\nhi!\r\n0\r\n\r\n"),
    "a chunk that ends in a line feed": chunked(b"2\r\nhi\n0\r\n\r\n"),
    "trailers with a line feed": chunked(b"2\r\nhi\r\n0\r\nX: y\n\r\n"),
    "a line feed instead of trailers": chunked(b"2\r\nhi\r\n0\r\n\n"),
    "a folded trailer": chunked(b"2\r\nhi\r\n0\r\nX: y\r\n z\r\n\r\n"),
    "a trailer with NUL": chunked(b"2\r\nhi\r\n0\r\nX: \0\r\n\r\n"),
    "a trailer without a colon": chunked(b"2\r\nhi\r\n0\r\nX\r\n\r\n"),
}
LARGE = {
    "too many headers": (get(b"Host: a\r\n" + b"X: y\r\n" * 100), 431),
    "too long headers": (get(b"Host: a\r\nX: " + b"y" * 33_000 + b"\r\n"), 431),
    "headers without an end": (b"GET /first HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 33_000, 431),
    "too long a request line": (get(b"Host: a\r\n", b"/first?" + b"x" * 17_000), 414),
    "a request line without an end": (b"GET /first?" + b"x" * 17_000, 414),
    "too many trailers": (chunked(b"0\r\n" + b"X: y\r\n" * 103 + b"\r\n"), 431),
    "HTTP/2.0": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/1.2": (get(b"Host: a\r\n", version=b"HTTP/1.2"), 505),
}
ALL = {**{name: (request, 400) for name, request in REFUSED.items()}, **LARGE}

NO_BODY = ("GET", "/first", b"")
HI = ("POST", "/first", b"hi")
AS_THEY_ARE = {
    "a length": (post(b"Content-Length: 2\r\n", b"hi"), HI),
    "a length with white space": (post(b"Content-Length: \t 2 \t\r\n", b"hi"), HI),
    "a length with noughts": (post(b"CONTENT-LENGTH:002\r\n", b"hi"), HI),
    "no length": (post(b"", b""), ("POST", "/first", b"")),
    "a coding in capitals": (post(b"TRANSFER-ENCODING: Chunked \r\n", CHUNKS), HI),
    "many chunks": (chunked(b"1\r\nh\r\n01\r\ni\r\n00\r\n\r\n"), HI),
    "extensions": (chunked(b'2; a="b c";d\r\nhi\r\n0;e\r\n\r\n'), HI),
    "trailers are dropped": (chunked(b"2\r\nhi\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n"), HI),
    "a name that is like another": (
        post(b"Content_Length: 9\r\nX-Transfer-Encoding: y\r\nContent-Length: 2\r\n", b"hi"),
        HI,
    ),
    "an absolute target": (get(b"Host: A:80\r\n", b"http://a/first"), ("GET", "http://a/first", b"")),
    "an IPv6 host": (get(b"Host: [fe80::1%25eth0]:8080\r\n"), NO_BODY),
    "an empty host": (get(b"Host:\r\n"), NO_BODY),
    "ÿ and tabs in a value": (get(b"Host: a\r\nX: \xff\ty\r\n"), NO_BODY),
    "an empty value": (get(b"Host: a\r\nX:\r\nY: \r\n"), NO_BODY),
    "as many headers as there may be": (get(b"Host: a\r\n" + b"X: y\r\n" * 99), NO_BODY),
    "all the headers of a browser": (get(b"Host: a\r\nCookie: " + b"c" * 12_000 + b"\r\nX: y\r\n"), NO_BODY),
    "a long query": (get(b"Host: a\r\n", b"/first?" + b"q" * 8000), ("GET", "/first?" + "q" * 8000, b"")),
}


@pytest.fixture(scope="module")
async def _bare() -> AsyncIterator[Bare]:
    async with open_bare() as bare:
        yield bare


@pytest.fixture
def bare(_bare: Bare) -> Bare:
    _bare.seen.clear()
    return _bare


async def everything(port: int, *parts: bytes) -> bytes:
    """What comes for these until the service closes."""
    async with open_raw_client(port) as client:
        for part in parts:
            await client.send(part)
        return await client.hear_rest()


@pytest.mark.parametrize("name", ALL)
async def test_refused_and_closed(bare: Bare, name: str) -> None:
    request, status = ALL[name]
    heard = understand(await everything(bare.port, request + SECOND))  # which fails on a second answer
    assert (heard.status, heard.json()["code"], heard["Connection"]) == (status, status, "close")
    assert set(heard.json()) == {"error", "code", "detail"}
    assert len(heard.body) < 300
    assert bare.seen == []


@pytest.mark.parametrize("name", [name for name in ALL if "without an end" in name])
async def test_what_has_no_end_is_not_waited_for(bare: Bare, name: str) -> None:
    request, status = ALL[name]
    assert understand(await everything(bare.port, request)).status == status


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_after_a_good_one(bare: Bare, name: str) -> None:
    """The good one is answered, the bad one refused, and the third never seen."""
    said = await everything(bare.port, get(b"Host: a\r\n", b"/good") + REFUSED[name] + SECOND)
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"400"]
    assert bare.seen == [("GET", "/good", b"")]


@pytest.mark.parametrize("name", AS_THEY_ARE)
async def test_one_single_reading(bare: Bare, name: str) -> None:
    request, reading = AS_THEY_ARE[name]
    said = await everything(bare.port, request + SECOND)
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert bare.seen == [reading, ("GET", "/second", b"")]


@pytest.mark.parametrize("name", [name for name, (request, _) in AS_THEY_ARE.items() if len(request) < 1000])
async def test_the_reading_is_the_same_byte_for_byte(bare: Bare, name: str) -> None:
    request, reading = AS_THEY_ARE[name]
    await everything(bare.port, *(bytes([byte]) for byte in request + SECOND))
    assert bare.seen == [reading, ("GET", "/second", b"")]


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive\r\n", b"Host: a\r\n", b"Content-Length: 2\r\n"])
async def test_http_1_0_needs_no_host(bare: Bare, more: bytes) -> None:
    heard = understand(await everything(bare.port, b"POST /first HTTP/1.0\r\n%b\r\n" % more + b"hi"))
    assert heard.status == 200
    assert bare.seen == [("POST", "/first", b"hi" if b"Length" in more else b"")]


async def test_nothing_is_listened_to_after_the_last_request(bare: Bare) -> None:
    """Not even as an error, which would take the place of the answer."""
    bare.go.clear()
    async with open_raw_client(bare.port) as client:
        await client.send(get(b"Host: a\r\nConnection: close\r\n", b"/later"))
        while await bare.begun.get() != "/later":
            pass
        await client.send(b"\r\n" + SECOND)
        async with open_raw_client(bare.port) as another:  # by now the first one's bytes have been read
            assert (await another.ask(get(b"Host: a\r\n", b"/x"))).status == 200
        bare.go.set()
        assert understand(await client.hear_rest()).status == 200
    assert [target for _, target, _ in bare.seen] == ["/x", "/later"]
