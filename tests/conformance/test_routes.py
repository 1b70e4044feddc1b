"""Every route of A1111's, on every server: the same directly and through the service. Checks 1, 2, 5, 6, 42 and 55."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from conformance.both import FAMILY, ORIGINAL, SIDE, Both, assert_same, header
from fakes.a1111 import SAMPLERS, Reply, ScriptedA1111
from fakes.pictures import b64, png
from service import TXT2IMG, Service, open_service

IMAGE = b64(png(size=(64, 64)))
LISTS = (
    *("progress", "options", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-models", "sd-vae"),
    *("hypernetworks", "face-restorers", "realesrgan-models", "prompt-styles", "embeddings", "memory", "scripts"),
    *("script-info", "extensions", "loras", "sd-modules", "version"),
)
POSTS: dict[str, Any] = {
    "extra-single-image": {"image": IMAGE, "upscaling_resize": 2, "upscaler_1": "Lanczos"},
    "extra-batch-images": {"imageList": [{"data": IMAGE, "name": "a"}, {"data": IMAGE, "name": "b"}]},
    "png-info": {"image": IMAGE},
    "interrogate": {"image": IMAGE, "model": "clip"},
    "options": {"jpeg_quality": 90, "sd_model_checkpoint": "sd_xl_turbo"},
    **dict.fromkeys(("interrupt", "skip", "refresh-embeddings", "refresh-checkpoints", "refresh-vae", "refresh-loras")),
    **dict.fromkeys(("unload-checkpoint", "reload-checkpoint")),
    **{f"create/{kind}": {"name": "a"} for kind in ("embedding", "hypernetwork")},
    **{f"train/{kind}": {"id_task": "a"} for kind in ("embedding", "hypernetwork")},
}
OUTSIDE: list[tuple[str, str, Any]] = [
    ("GET", "/internal/pending-tasks", None),
    ("POST", "/internal/progress", {"id_task": "task(a)", "live_preview": False}),
    ("GET", "/internal/quicksettings-hint", None),
    ("GET", "/internal/ping", None),
    ("GET", "/internal/profile-startup", None),
    ("GET", "/internal/sysinfo", None),
    ("GET", "/internal/sysinfo-download", None),
    ("GET", "/controlnet/version", None),
    ("GET", "/controlnet/model_list?update=true", None),
]
API: list[tuple[str, str, Any]] = [
    *(("GET", f"/sdapi/v1/{name}", None) for name in LISTS),
    *(("POST", f"/sdapi/v1/{name}", body) for name, body in POSTS.items()),
    *OUTSIDE,
]
# The wrong method, a path that nobody has, an upper-case one, and one that only looks for trouble
ASTRAY = [
    ("POST", "/sdapi/v1/schedulers"),
    ("GET", "/sdapi/v1/interrupt"),
    ("DELETE", "/sdapi/v1/options"),
    ("PUT", TXT2IMG),
    ("GET", "/sdapi/v1/nothing"),
    ("GET", "/sdapi/v2/txt2img"),
    ("GET", "/sdapi/v1/SAMPLERS"),
    ("GET", "/sdapi/v1/progress?skip_current_image=maybe"),
]
AT_THE_BASE = [("HEAD", "/"), ("GET", "/"), ("GET", "/?a=%20b"), ("GET", "/config"), ("GET", "/openapi.json")]
# The root and /original are one relay: a server with everything and one with next to nothing are enough for it.
AT_THE_ROOT = ("a1111", "sdnext", "koboldcpp")
PREFIXES = "/sd_extra_networks/, /StableStudio/, /sam, /promptgen/, /agent-scheduler/, /queue/, /file=, /info"
FURTHER = [
    ("GET", "/sd_extra_networks/thumb?filename=a.png"),
    ("GET", "/StableStudio/get-generated-images"),
    ("POST", "/sam"),
    ("GET", "/sam/sam-model"),
    ("POST", "/promptgen/generate"),
    ("GET", "/agent-scheduler/v1/queue"),
    ("GET", "/queue/status"),
    ("GET", "/file=a/b.png"),
    ("GET", "/info"),
]
CONTROL = [("POST", f"/sdapi/v1/server-{word}") for word in ("kill", "restart", "stop")]


async def test_check_01_every_route_says_the_same(both: Both) -> None:
    for method, path, body in API:
        direct = await both.same(method, path, body)
        if direct.status != 404 and both.kind in AT_THE_ROOT:
            assert_same(direct, await both.ask_through(method, path, body), f"{method} {path}")
        # Nobody logs who asks for the list of samplers: the service itself does, now and then.
        assert len({(seen.method, seen.target, seen.body) for seen in both.arrived}) == (path != SAMPLERS)


@pytest.mark.parametrize("route", ["txt2img", "img2img"])
async def test_check_01_and_the_two_that_draw(both: Both, route: str) -> None:
    fields = {"init_images": [b64(png(size=(SIDE, SIDE)))]} if route == "img2img" else {}
    direct = await both.same("POST", f"/sdapi/v1/{route}", both.body(**fields))
    assert direct.status == 200
    assert direct.json()["images"]


async def test_check_01_and_03_what_clients_ask_of_the_base_url(both: Both) -> None:
    for method, path in AT_THE_BASE:
        await both.same(method, path)


async def test_check_02_what_is_not_there_is_refused_in_the_servers_own_words(both: Both) -> None:
    for method, path in ASTRAY:
        direct = await both.same(method, path)
        if path != TXT2IMG:  # which is ours at the root
            assert_same(direct, await both.ask_through(method, path), f"{method} {path}")


async def test_check_02_a_server_without_the_api_says_so_itself(both: Both) -> None:
    nothing = Reply(404, b'{"detail":"Not Found"}')
    both.dress = lambda _: lambda _: nothing
    for method, path in (("GET", "/sdapi/v1/options"), ("POST", TXT2IMG)):
        direct = await both.same(method, path, {} if method == "POST" else None)
        assert_same(direct, await both.ask_through(method, path, {} if method == "POST" else None))


@pytest.mark.parametrize("route", ["txt2img", "img2img"])
async def test_check_05_the_wrong_method_below_original_is_the_servers_word(both: Both, route: str) -> None:
    direct = await both.same("GET", f"/sdapi/v1/{route}")
    assert direct.status == both.server.wrong_method_status
    at_the_root = await both.ask_through("GET", f"/sdapi/v1/{route}")
    assert (at_the_root.status, header(at_the_root, "allow")) == (405, "POST")


@pytest.mark.parametrize("base", [ORIGINAL, "", "/displays/default"])
async def test_check_06_a_slash_too_many_is_no_redirect(both: Both, base: str) -> None:
    direct, through = await both.ask("POST", TXT2IMG, both.body(), base)
    again = await both.ask_through("POST", f"{base}{TXT2IMG}/", both.body())
    assert (again.status, again.body) == (direct.status, through.body)
    assert header(again, "location") is None


async def test_check_06_a_redirect_leads_back_here(both: Both) -> None:
    direct, through = await both.ask("GET", "/sdapi/v1/sd-models/?a=%20b")
    assert (through.status, through.body) == (direct.status, direct.body)
    there, here = header(direct, "location"), header(through, "location")
    if there is None:
        assert here is None
        return
    assert here
    assert str(both.upstream.port) not in here
    expected = there.replace(both.direct.url, ORIGINAL)
    assert here.replace(both.through.url, "") == expected


@pytest.fixture(scope="module")
async def wide(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(
        a1111_base_url=_upstream.url, relay_prefixes=PREFIXES, relay_server_control=True
    ) as service:
        yield service


async def test_check_01_and_03_what_the_settings_open(both: Both, wide: Service) -> None:
    both = replace(both, through=wide)
    for method, path in [*FURTHER, *CONTROL]:
        direct = await both.same(method, path)
        assert_same(direct, await both.ask_through(method, path), f"{method} {path}")


async def test_without_the_setting_nobody_stops_the_server(both: Both) -> None:
    for method, path in CONTROL:
        assert (await both.ask_through(method, path)).status == 403
    assert both.arrived == []


async def test_check_46_flags_are_the_servers_without_their_secrets(both: Both) -> None:
    direct, through = await both.ask("GET", "/sdapi/v1/cmd-flags")
    if direct.status != 200:
        assert_same(direct, through)
        return
    there, here = direct.json(), through.json()
    secret = [name for name, value in there.items() if "secret" in str(value)]
    assert secret
    assert here == there | dict.fromkeys(secret, "***")
    assert list(here) == list(there)


@pytest.mark.parametrize("base", [ORIGINAL, ""])
async def test_check_42_interrupt_is_answered_as_the_server_does(both: Both, base: str) -> None:
    for word in ("interrupt", "skip"):
        direct = await both.same("POST", f"/sdapi/v1/{word}", None, base)
        if both.kind in FAMILY:
            assert direct.status == both.server.interrupt_status
        if direct.status == 200:
            assert direct.json() in ({}, None)


async def test_check_55_a_task_is_known_by_the_clients_own_id(both: Both) -> None:
    if not both.server.has_tasks:
        await both.same("POST", "/internal/progress", {"id_task": "task(mine)"})
        return
    said = []
    for service, base in ((both.direct, ""), (both.through, ORIGINAL), (both.through, "")):
        both.renew()
        await service.ask("POST", base + TXT2IMG, both.body(force_task_id="task(mine)"))
        known = await service.ask("POST", f"{base}/internal/progress", {"id_task": "task(mine)"})
        said.append((known.status, known.body))
    assert len(set(said)) == 1
    assert b'"completed":true' in said[0][1]
