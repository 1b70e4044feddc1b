"""What the settings say of the relay: RELAY, RELAY_PREFIXES, and bases that are none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product

import pytest

from fakes.a1111 import ScriptedA1111, said
from service import RAW, TXT2IMG, Service, open_service

BASES = ["", "/original", "/displays/default"]


@pytest.fixture(scope="module")
async def closed_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, relay="off", relay_prefixes="/sam") as service:
        yield service


@pytest.fixture
def closed(closed_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with RELAY=off; `upstream` is as new."""
    return closed_service


@pytest.mark.parametrize(
    "path", ["/sdapi/v1/options", "/internal/ping", "/controlnet/version", "/sam/x", "/sdapi/v1/progress", "/sdapi/v1/"]
)
async def test_relay_off_closes_all_of_it(closed: Service, upstream: ScriptedA1111, path: str) -> None:
    for method, base in product(("GET", "POST", "OPTIONS", "HEAD"), BASES):
        got = await closed.ask(method, base + path, b"{}" if method == "POST" else None)
        assert got.status in ((403, 405) if path.endswith("progress") else (403,)), f"{method} {base}"
        if method != "HEAD":
            assert set(got.json()) == {"error", "code", "detail"}, f"{method} {base}"
        assert not upstream.seen, f"{method} {base}"


async def test_relay_off_closes_what_is_beside_the_api(closed: Service, upstream: ScriptedA1111) -> None:
    for path in ("/original", "/original/", "/original/config", "/original/openapi.json"):
        assert (await closed.ask("GET", path)).status == 403
    assert not upstream.seen


@pytest.mark.parametrize("path", ["/sdapi/v1/txt2img", "/sdapi/v1/img2img", "/sdapi/v1/txt2img/"])
async def test_relay_off_leaves_only_the_drawing(closed: Service, upstream: ScriptedA1111, path: str) -> None:
    for method, base in product(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"), BASES):
        assert (await closed.ask(method, base + path)).status in (403, 405), f"{method} {base}"
        assert not upstream.seen, f"{method} {base}"


async def test_relay_off_still_draws(closed: Service, upstream: ScriptedA1111) -> None:
    for base in BASES:
        assert (await closed.ask("POST", f"{base}{TXT2IMG}", {"prompt": "a"})).status == 200
    assert len((await closed.frame()).body) == 115_200
    assert len(upstream.seen) == 4


async def test_check_05_a_get_of_a_drawing_is_a_405(service: Service, upstream: ScriptedA1111) -> None:
    for base in ("", "/displays/default"):
        got = await service.ask("GET", base + TXT2IMG)
        assert (got.status, got.headers["Allow"]) == (405, "POST")
    assert not upstream.seen
    upstream.standing = said({"detail": "Method Not Allowed"}, 405, ("allow", "POST"))
    got = await service.ask("GET", "/original" + TXT2IMG)
    assert (got.status, got.headers["Allow"], got.body) == (405, "POST", b'{"detail": "Method Not Allowed"}')


@pytest.fixture(scope="module")
async def wide_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    prefixes = "/StableStudio/, /sam,/agent-scheduler/v1/ , /file="
    async with open_service(a1111_base_url=_upstream.url, relay_prefixes=prefixes) as service:
        yield service


@pytest.fixture
def wide(wide_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with RELAY_PREFIXES; `upstream` is as new."""
    return wide_service


INSIDE = ["/StableStudio/get-generated-images", "/StableStudio/", "/sam", "/sam/", "/sam/heartbeat?a=b"]
INSIDE += ["/agent-scheduler/v1/queue", "/file=/outputs/a.png", "/sdapi/v1/options", "/sa%6D/x"]
OUTSIDE = ["/StableStudio", "/stablestudio/x", "/samurai", "/agent-scheduler/v2/x", "/files", "/x/sam/y", "/config"]


@pytest.mark.parametrize("path", INSIDE)
async def test_further_prefixes_are_relayed(wide: Service, upstream: ScriptedA1111, path: str) -> None:
    for base in BASES:
        assert (await wide.ask("GET", base + path)).status == 200
    assert [seen.target for seen in upstream.seen] == [path] * len(BASES)


@pytest.mark.parametrize("path", OUTSIDE)
async def test_and_nothing_beside_them(wide: Service, upstream: ScriptedA1111, path: str) -> None:
    assert (await wide.ask("GET", path)).status == 404
    assert not upstream.seen


async def test_our_own_routes_are_never_relayed(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, relay_prefixes="/") as service:
        for path in ("/health", "/docs", "/openapi.json", "/"):
            assert (await service.ask("GET", path)).status == 200
        assert not upstream.seen
        assert (await service.frame()).headers["Content-Type"] == RAW
        assert (await service.ask("GET", "/anything")).status == 200
        assert [seen.target for seen in upstream.seen] == [TXT2IMG, "/anything"]
        for path in ("/server-kill", "/x/server-kill", "/sdapi/v1/server-kill"):
            assert (await service.ask("POST", path)).status == 403


@pytest.mark.parametrize("base", ["/displays/nothing", "/displays/DEFAULT", "/displays/%20", "/displays/default%2Fx"])
async def test_a_display_that_is_not_known_relays_nothing(service: Service, upstream: ScriptedA1111, base: str) -> None:
    for path in ("/sdapi/v1/options", "/internal/ping", "/sdapi/v1/progress", "/nothing"):
        got = await service.ask("GET", base + path)
        assert got.status == 404
    assert (await service.ask("POST", base + TXT2IMG, b"{}")).status == 404
    assert not upstream.seen
