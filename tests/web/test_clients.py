"""Who a client is, through the wire: seen by whom a rate of one request an hour still lets in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.clients import post
from service import TXT2IMG, Service, open_service

ONCE = "1/hour"
_NUMBERS = count(1)


def somebody() -> str:
    """An address that nobody has had yet."""
    number = next(_NUMBERS)
    return f"198.51.{number >> 8}.{number & 255}"


@pytest.fixture(scope="module")
async def behind_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    trusted = "127.0.0.1, 10.0.0.0/8"
    async with open_service(a1111_base_url=_upstream.url, rate_limit=ONCE, trusted_proxies=trusted) as service:
        yield service


@pytest.fixture
def behind(behind_service: Service, upstream: ScriptedA1111) -> Service:
    """The service behind a proxy on loopback, with a rate of one an hour; `upstream` is as new."""
    return behind_service


async def test_a_trusted_proxy_says_who_asks(behind: Service) -> None:
    first, second = somebody(), somebody()
    for address in (first, second):
        assert (await behind.frame(x_forwarded_for=address)).status == 200
        assert (await behind.frame(x_forwarded_for=address)).status == 429


async def test_a_client_can_not_say_who_it_is_to_its_proxy(behind: Service) -> None:
    address = somebody()
    assert (await behind.frame(x_forwarded_for=address)).status == 200
    for forged in (
        f"{somebody()}, {address}",
        f"10.0.0.1, {address}",
        f"x, {address}:99",
        f"{somebody()},{address}, 10.1.2.3",
    ):
        assert (await behind.frame(x_forwarded_for=forged)).status == 429


async def test_several_lines_are_read_as_one(behind: Service) -> None:
    address = somebody()
    lines = [f"X-Forwarded-For: {somebody()}", f"X-Forwarded-For: {address}", "Connection: close"]
    async with behind.connect() as client:
        assert (await client.ask(post(TXT2IMG, b"{}", *lines))).status == 200
    assert (await behind.frame(x_forwarded_for=address)).status == 429


async def test_ipv6_neighbours_are_one_client(behind: Service) -> None:
    assert (await behind.frame(x_forwarded_for="2001:db8:5:6::1")).status == 200
    assert (await behind.frame(x_forwarded_for="[2001:db8:5:6:ffff::9]:443")).status == 429
    assert (await behind.frame(x_forwarded_for="2001:db8:5:7::1")).status == 200


async def test_nobody_else_is_believed(upstream: ScriptedA1111) -> None:
    for trusted in ("", "10.0.0.0/8"):
        async with open_service(a1111_base_url=upstream.url, rate_limit=ONCE, trusted_proxies=trusted) as service:
            assert (await service.frame(x_forwarded_for=somebody())).status == 200
            assert (await service.frame(x_forwarded_for=somebody())).status == 429


async def test_with_keys_the_key_is_the_client_wherever_it_comes_from(upstream: ScriptedA1111) -> None:
    given = {"service_api_key": "one, two", "trusted_proxies": "127.0.0.1"}
    async with open_service(a1111_base_url=upstream.url, rate_limit=ONCE, **given) as service:
        address = somebody()
        assert (await service.frame(x_forwarded_for=address, x_api_key="one")).status == 200
        assert (await service.frame(x_forwarded_for=somebody(), authorization="Bearer one")).status == 429
        assert (await service.frame(x_forwarded_for=address, x_api_key="two")).status == 200
        # Who has no key is refused before it is counted.
        assert (await service.frame(x_forwarded_for=somebody(), x_api_key="three")).status == 401


async def test_without_keys_a_key_makes_no_client(behind: Service) -> None:
    address = somebody()
    assert (await behind.frame(x_forwarded_for=address, x_api_key="one")).status == 200
    assert (await behind.frame(x_forwarded_for=address, x_api_key="two")).status == 429
