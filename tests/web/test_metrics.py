"""What /metrics tells through the wire: it equals what a client of everything has counted itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fakes.a1111 import ScriptedA1111, open_scripted_a1111, said
from fakes.mixed import KEY, LINE, PLACES, MixedClient
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.web.app import create_app
from pico_a1111_proxy.web.metrics import KINDS, RequestCounter
from service import Service, open_service


async def test_the_counters_equal_the_clients_tally(tmp_path: Path) -> None:
    settings = {"cache_dir": str(tmp_path), "max_workers": PLACES, "queue_size": LINE, "service_api_key": KEY}
    async with open_scripted_a1111() as upstream, open_service(a1111_base_url=upstream.url, **settings) as service:
        client = MixedClient(service, upstream, random.Random(14))
        await client.begin()
        await client.mix(200)
        assert await client.differences() == []
        assert (await client.figures())["upstream_usable"] == {(): 1}  # as /ready has said
        # It has seen something of each.
        statuses = {status for _, status in client.tally.requests}
        assert statuses >= {"200", "202", "304", "401", "404", "405", "422", "499", "502", "503"}
        assert {origin for _, origin in client.tally.renderings} == {"hit", "joined", "miss"}


async def test_it_is_text_of_prometheus_or_openmetrics(service: Service) -> None:
    plain = await service.ask("GET", "/metrics")
    assert (plain.status, plain.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert plain.body.endswith(b"\n")
    openmetrics = await service.ask("GET", "/metrics", accept="application/openmetrics-text; version=1.0.0, */*;q=0.1")
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.body.endswith(b"# EOF\n")


async def test_head_and_other_methods(service: Service) -> None:
    head = await service.ask("HEAD", "/metrics")
    assert (head.status, head.body) == (200, b"")
    refused = await service.ask("POST", "/metrics", b"")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_key_is_wanted_where_there_are_keys(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, service_api_key="a") as service:
        assert (await service.ask("GET", "/metrics")).status == 401
        assert (await service.ask("GET", "/metrics", authorization="Bearer a")).status == 200


async def test_no_client_can_make_a_label(service: Service, upstream: ScriptedA1111) -> None:
    for path in ("/mark-1", "/displays/mark-1/frame", "/sdapi/v1/mark-1", "/jobs/mark-1", "/original/mark-1"):
        await service.ask("GET", path)
    await service.ask("MARK", "/health")
    await service.frame({"prompt": "mark-1"}, "?display=mark-1", user_agent="mark-1")
    assert b"mark" not in (await service.ask("GET", "/metrics")).body.lower()


async def test_an_upstreams_odd_status_makes_no_label(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = lambda _: said({}, 599)
    assert (await service.ask("GET", "/sdapi/v1/options")).status == 599
    told = (await service.ask("GET", "/metrics")).body.decode()
    assert 'status="599"' not in told
    assert 'pico_a1111_requests_total{kind="relay",status="other"}' in told


@pytest.mark.parametrize("path", sorted(create_app(read_settings(None)).openapi()["paths"]))
def test_every_route_has_a_kind_of_its_own(path: str) -> None:
    kind = RequestCounter().kind_of("GET", path.format(name="default", id="7"))
    assert kind in KINDS
    assert kind not in ("other", "relay")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/original/sdapi/v1/img2img", "img2img"),
        ("/original", "relay"),
        ("/displays/a/sdapi/v1/options", "relay"),
        ("/displays/a/file=x", "relay"),
        ("/file=x", "relay"),
        ("/controlnet/version", "relay"),
        ("/displays/a/b", "other"),
        ("/sdapi", "other"),
    ],
)
def test_kinds_of_what_has_no_route(path: str, kind: str) -> None:
    assert RequestCounter(("/file=",)).kind_of("GET", path) == kind
