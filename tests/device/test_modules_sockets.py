"""socket and select as the simulator makes them, on CPython and on MicroPython's own VM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

from device.attempts import JOIN, lines
from fakes.failures import closed_port, full_backlog

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# A program that has a connection with the server on PORT.
CONNECT = """
import select, socket
sock = socket.socket()
sock.connect(socket.getaddrinfo("127.0.0.1", PORT)[0][-1])
"""


@asynccontextmanager
async def open_server(talk: Talk) -> AsyncIterator[int]:
    """The port of a server that talks so with each who comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await talk(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_stream(vm: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readline()
        writer.write(b"one\ntwo\n" + asked + b"x" * 600)

    program = """
print(sock.write(b"hello\\n"))
print(sock.readline(), sock.recv(1), sock.read(3))
buffer = bytearray(9)
print(sock.readinto(buffer, 5), bytes(buffer))
print(sock.readinto(buffer), bytes(buffer[:1]))
rest = sock.read()
print(len(rest), sock.readline(), sock.recv(5), sock.readinto(buffer), hasattr(sock, "recv_into"))
sock.close()
sock.close()
attempt(sock.recv, 1)
"""
    async with open_server(talk) as port:
        printed = await lines(vm, CONNECT.replace("PORT", str(port)) + program)
    assert printed == [
        "6",
        r"b'one\n' b't' b'wo\n'",
        r"5 b'hello\x00\x00\x00\x00'",
        r"9 b'\n'",
        "592 b'' b'' 0 False",
        "OSError [Errno 9] EBADF",
    ]


async def test_a_socket_that_does_not_wait(vm: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(b"abc")
        await reader.read()

    program = """
sock.setblocking(False)
buffer = bytearray(9)
print(sock.readinto(buffer), sock.read(4), sock.readline())
attempt(sock.recv, 4)
poll = select.poll()
poll.register(sock, select.POLLIN)
print(poll.poll(0), poll.poll(10))
sock.send(b"!")
(found, events), = poll.poll(10000)
print(found is sock, events)
print(sock.readinto(buffer), bytes(buffer[:3]))
poll.modify(sock, select.POLLOUT)
print([events for _, events in poll.ipoll(0)])
poll.unregister(sock)
attempt(poll.modify, sock, select.POLLIN)
sock.settimeout(0.05)
attempt(sock.recv, 1)
sock.close()
"""
    async with open_server(talk) as port:
        printed = await lines(vm, CONNECT.replace("PORT", str(port)) + program)
    assert printed == [
        "None None None",
        "OSError [Errno 11] EAGAIN",
        "[] []",
        "True 1",
        "3 b'abc'",
        "[4]",
        "OSError [Errno 2] ENOENT",
        "OSError [Errno 110] ETIMEDOUT",
    ]


async def test_several_sockets_are_watched_at_once(vm: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        await reader.read()

    program = """
other = socket.socket()
other.connect(("127.0.0.1", PORT))
poll = select.poll()
poll.register(sock, select.POLLIN)
poll.register(other, select.POLLIN)
print(poll.poll(20))
other.write(b"!")
print([found is other for found, _ in poll.poll(-1)])
sock.close()
other.close()
"""
    async with open_server(talk) as port:
        assert await lines(vm, (CONNECT + program).replace("PORT", str(port))) == ["[]", "[True]"]


async def test_what_is_not_there(vm: str) -> None:
    with closed_port() as url:
        port = urlsplit(url).port
        program = f"""
import socket
sock = socket.socket()
attempt(sock.connect, ("127.0.0.1", {port}))
attempt(socket.socket().connect, ("localhost", {port}))
attempt(socket.getaddrinfo, "nowhere..invalid", 80)
"""
        assert await lines(vm, program) == [
            "OSError [Errno 111] ECONNREFUSED",
            "ValueError invalid arguments",
            "OSError -2",
        ]


async def test_a_connection_that_is_not_taken(vm: str) -> None:
    with full_backlog() as url:
        port = urlsplit(url).port
        program = f"""
import select, socket
sock = socket.socket()
sock.settimeout(0.05)
attempt(sock.connect, ("127.0.0.1", {port}))
sock = socket.socket()
sock.setblocking(False)
attempt(sock.connect, ("127.0.0.1", {port}))
sock.close()
"""
        assert await lines(vm, program) == ["OSError [Errno 110] ETIMEDOUT", "OSError [Errno 115] EINPROGRESS"]


async def test_without_its_wifi_nothing_is_reached(vm: str) -> None:
    async with open_server(lambda *_: asyncio.sleep(0)) as port:
        program = f"""
wlan.active(True)
import socket
attempt(socket.socket().connect, ("127.0.0.1", {port}))
attempt(socket.getaddrinfo, "localhost", {port})
join("a", "b")
attempt(socket.socket().connect, ("127.0.0.1", {port}))
"""
        assert await lines(vm, JOIN + program) == [
            "OSError [Errno 113] EHOSTUNREACH",
            "OSError -2",
            "[3] True 192.168.1.77",
            "None",
        ]
