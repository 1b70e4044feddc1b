"""Both machines have the same network, over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from device.vms import printed, run
from fakes.failures import closed_port
from pico_a1111_proxy.simulator.radio import Radio

NOISE = random.Random(0).randbytes(300_000)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a server sends back what it gets, and after the end of that hangs up; after "noise" it sends NOISE."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(NOISE if data == b"noise" else data)
                await writer.drain()
                if data == b"noise":
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_wifi_comes_and_goes(vm: str, port: int) -> None:
    program = f"""
import network, select, socket, time
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect("home", "wrong")
print(wlan.status())
wlan.connect("elsewhere", "secret")
print(wlan.status())
wlan.connect("home", "secret")
print(wlan.status(), wlan.status(), wlan.isconnected())
link = socket.socket()
link.connect(("127.0.0.1", {port}))
link.write(b"one")
print(link.read(3))
time.sleep(100)
print(wlan.isconnected())
link.settimeout(60)
try:
    link.read(1)
except OSError as error:
    print(error.args[0])
poll = select.poll()
poll.register(link, select.POLLIN)
print(poll.poll(30000))
wlan.connect("home", "secret")
print(wlan.isconnected(), wlan.isconnected())
link.write(b"two")
print(link.read(3))
"""
    radio = Radio(ssid="home", key="secret", after=1, away=[(50_000, 150_000)])

    lines = ["-3", "-2", "1 3 True", "b'one'", "False", "110", "[]", "False True", "b'two'"]
    assert await printed(vm, program, radio=radio) == lines


async def test_no_wifi_and_no_time_limit(vm: str, port: int) -> None:
    program = f"""
import network, socket
link = socket.socket()
link.connect(("127.0.0.1", {port}))
network.WLAN(network.STA_IF).active(False)
link.read(1)
"""
    assert (await run(vm, program)).error == "Hangs: The Wi-Fi is gone, and the program waits for it for ever"


async def test_much_comes_and_goes(vm: str, port: int) -> None:
    program = f"""
import binascii, hashlib, socket
link = socket.socket()
link.connect(("127.0.0.1", {port}))
link.write(b"noise")
band, count, sum = bytearray(7680), 0, hashlib.sha256()
while True:
    got = link.readinto(band)
    if not got:
        break
    count += got
    sum.update(memoryview(band)[:got])
print(count, binascii.hexlify(sum.digest()).decode())
link.close()
link = socket.socket()
link.connect(("127.0.0.1", {port}))
sent = bytes(range(256)) * 40
sum = 0
for _ in range(20):
    link.write(sent)
    sum += link.read(len(sent)) == sent
print(sum)
"""
    assert await printed(vm, program) == [f"{len(NOISE)} {hashlib.sha256(NOISE).hexdigest()}", "20"]


async def test_what_is_written_last_arrives(vm: str) -> None:
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    program = f"""
import socket
link = socket.socket()
link.connect(("127.0.0.1", {server.sockets[0].getsockname()[1]}))
link.write(bytes(60000))
"""
    assert await printed(vm, program) == []
    assert await asyncio.wait_for(arrived, 30) == bytes(60_000)
    server.close()


async def test_a_socket_that_does_not_block(vm: str, port: int) -> None:
    program = f"""
import select, socket
link = socket.socket()
link.setblocking(False)
try:
    link.connect(("127.0.0.1", {port}))
except OSError as error:
    print(error.args[0])
poll = select.poll()
poll.register(link, select.POLLOUT)
print(poll.poll(10000)[0][1], link.readinto(bytearray(4)))
print(link.write(b"1234"))
poll.modify(link, select.POLLIN)
print(poll.poll(10000)[0][1], link.readinto(bytearray(8)), poll.poll(0))
"""
    assert await printed(vm, program) == ["115", "4 None", "4", "1 4 []"]


NOBODY = """
import select, socket
link = socket.socket()
try:
    link.connect(("127.0.0.1", PORT))
except OSError as error:
    print(error.args[0])
link = socket.socket()
link.setblocking(False)
try:
    link.connect(("127.0.0.1", PORT))
except OSError as error:
    print(error.args[0])
poll = select.poll()
poll.register(link, select.POLLOUT)
print(poll.poll(10000)[0][1] & (select.POLLERR | select.POLLHUP) > 0)
try:
    link.write(b"x")
except OSError as error:
    print(error.args[0])
print(socket.getaddrinfo("localhost", 80)[0][-1])
try:
    socket.getaddrinfo("nowhere..invalid", 80)
except OSError as error:
    print(error.args[0])
"""


async def test_nobody_is_there(vm: str) -> None:
    with closed_port() as url:
        program = NOBODY.replace("PORT", str(urlsplit(url).port))
        assert await printed(vm, program) == ["111", "115", "True", "111", "('127.0.0.1', 80)", "-2"]


async def test_the_power_is_cut_while_it_waits(vm: str, port: int) -> None:
    program = f"""
import select, socket
link = socket.socket()
link.connect(("127.0.0.1", {port}))
poll = select.poll()
poll.register(link, select.POLLIN)
poll.poll()
"""
    assert (await run(vm, program, cut_power_at=500)).error == "PowerCut"
