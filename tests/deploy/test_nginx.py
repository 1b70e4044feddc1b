"""deploy/nginx.conf: a real nginx before two real services, or before two that fail as a test tells them."""

from __future__ import annotations

import asyncio
import gzip
import math
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.clients import RawClient, open_raw_client, post
from fakes.nginx import CONFIG, find_nginx, free_port, open_nginx, render
from fakes.pictures import png
from pico_a1111_proxy.settings import Settings, read_settings
from service import RAW, TXT2IMG, Service, open_client, open_service

MUTE = Reply(mute=True)
UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(name: str) -> float:
    """A time in the configuration."""
    ((number, unit),) = re.findall(rf"^\s*{name} (\d+)([smh]);", CONFIG.read_text(), re.MULTILINE)
    return float(number) * UNITS[unit]


@pytest.fixture(scope="module")
async def _pair(_upstream: ScriptedA1111, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    given = {"a1111_base_url": _upstream.url, "trusted_proxies": "127.0.0.1", "rate_limit": "20/hour"}
    folder = tmp_path_factory.mktemp("nginx")
    async with (
        open_service(**given) as first,
        open_service(**given) as second,
        open_nginx(folder, first.port, second.port) as port,
        open_client(port) as service,
    ):
        yield service


@pytest.fixture
def pair(_pair: Service, upstream: ScriptedA1111) -> Service:
    """Two services behind nginx, as one; `upstream` is as new."""
    return _pair


@pytest.fixture
async def fragile(one: ScriptedA1111, two: ScriptedA1111, tmp_path: Path) -> AsyncIterator[Service]:
    """Two behind nginx that answer as told."""
    async with open_nginx(tmp_path, one.port, two.port) as port, open_client(port) as service:
        one.reset()
        two.reset()
        yield service


# --- The file -----------------------------------------------------------------------------------------------------


def test_nginx_accepts_it(tmp_path: Path) -> None:
    command = [find_nginx(), "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(render(tmp_path, 8080, (1, 2)))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_client_may_wait_as_long_as_the_service_lets_it() -> None:
    usual = read_settings(None)
    in_line = usual.a1111_timeout * max(1, math.ceil(usual.queue_size / usual.max_workers))
    assert seconds("proxy_read_timeout") > in_line + usual.a1111_timeout


def test_a_body_may_be_as_large_as_the_service_lets_it() -> None:
    (most,) = re.findall(r"client_max_body_size (\d+)m;", CONFIG.read_text())
    assert int(most) * 2**20 > Settings.model_fields["max_body_mb"].default * 1e6


# --- Before two services ------------------------------------------------------------------------------------------


async def test_a_frame_comes_through_as_it_is(pair: Service, upstream: ScriptedA1111) -> None:
    upstream.script = [answer(png())]
    got = await pair.frame({"prompt": "a"}, accept_encoding="gzip")
    assert (got.status, len(got.body)) == (200, 115200)
    assert (got.headers["Content-Length"], got.headers["X-Image-Format"]) == ("115200", "rgb565-be")
    assert not {"Content-Encoding", "Transfer-Encoding"} & got.headers.keys()
    strange = [name for name in got.headers if name not in ("ETag", name.title())]
    assert strange == []


async def test_json_is_not_compressed_either(pair: Service) -> None:
    got = await pair.ask("GET", "/displays", accept_encoding="gzip")
    assert got.status == 200
    assert int(got.headers["Content-Length"]) == len(got.body) > 1000
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(got.body)


async def test_a_pico_of_http_1_0_is_served(pair: Service, upstream: ScriptedA1111) -> None:
    upstream.script = [answer(png())]
    async with open_raw_client(pair.port) as client:
        head = (
            f"POST {TXT2IMG} HTTP/1.0\r\nAccept: {RAW}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
        )
        heard = await client.ask(head.encode() + b"{}")
        assert (heard.status, heard["Content-Length"], len(heard.body)) == (200, "115200", 115200)


async def test_an_error_is_the_services_own(pair: Service) -> None:
    got = await pair.ask("GET", "/displays/nobody/frame")
    assert (got.status, got.json()["code"]) == (404, 404)
    assert "nobody" in got.json()["error"]


async def test_clients_are_known_by_their_address_and_not_by_what_they_say(
    pair: Service, upstream: ScriptedA1111
) -> None:
    upstream.script = [answer(png())]

    async def come(source: str, said: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", pair.port, local_addr=(source, 0))
        try:
            heard = await RawClient(reader, writer).ask(
                post(TXT2IMG, b"{}", f"Accept: {RAW}", f"X-Forwarded-For: {said}")
            )
            return heard.status
        finally:
            writer.close()

    statuses = [await come("127.0.0.7", f"198.51.100.{number}") for number in range(50)]
    assert statuses.count(200) == 40  # 20 at each of the two
    assert statuses.count(429) == 10
    assert await come("127.0.0.8", "198.51.100.1") == 200


async def test_a_body_that_is_too_large_is_refused_in_json(pair: Service) -> None:
    async with open_raw_client(pair.port) as client:
        heard = await client.ask(f"POST {TXT2IMG} HTTP/1.1\r\nHost: x\r\nContent-Length: 12000000\r\n\r\n".encode())
        assert (heard.status, heard.json()["code"]) == (413, 413)


async def test_metrics_are_those_of_one_proxy_and_not_told(pair: Service) -> None:
    got = await pair.ask("GET", "/metrics")
    assert (got.status, got.json()["code"]) == (404, 404)


# --- When one fails -----------------------------------------------------------------------------------------------


async def test_both_are_asked_by_turns(fragile: Service, one: ScriptedA1111, two: ScriptedA1111) -> None:
    for _ in range(6):
        assert (await fragile.txt2img()).status == 200
    assert (len(one.seen), len(two.seen)) == (3, 3)


async def test_a_post_that_was_sent_is_not_sent_again(fragile: Service, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.script, two.script = [MUTE], [MUTE]
    got = await fragile.txt2img()
    assert (got.status, got.json()["code"], int(got.headers["Retry-After"])) == (503, 503, 5)
    assert len(one.seen) + len(two.seen) == 1


async def test_a_get_is_asked_of_the_other(fragile: Service, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.script, two.script = [MUTE], [MUTE]
    assert (await fragile.ask("GET", "/displays")).status == 503
    assert (len(one.seen), len(two.seen)) == (1, 1)


async def test_a_post_goes_to_the_other_where_one_is_not_there(one: ScriptedA1111, tmp_path: Path) -> None:
    async with open_nginx(tmp_path, free_port(), one.port) as port, open_client(port) as service:
        assert [(await service.txt2img()).status for _ in range(4)] == [200] * 4


async def test_where_nobody_is_there_it_says_so_in_json(tmp_path: Path) -> None:
    async with open_nginx(tmp_path, free_port(), free_port()) as port, open_raw_client(port) as client:
        heard = await client.ask(post(TXT2IMG, b"{}"))
        assert (heard.status, heard.json()["code"], heard["Retry-After"]) == (503, 503, "5")
        assert heard.json()["error"] == "No proxy answers"
