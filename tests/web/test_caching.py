"""The cache through the wire: a generation is drawn once for every display, until something may have changed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.commands import run_alone
from fakes.failures import CUT_OFF, IN_TROUBLE, NONSENSE, REJECTED
from fakes.pictures import BLUE, GREEN, RED, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from service import TXT2IMG, Said, Service, open_service

JOB = {"prompt": "a", "seed": 7, "steps": 3}
IMG2IMG = "/sdapi/v1/img2img"


def frame_of(colour: tuple[int, int, int]) -> bytes:
    return convert(png(colour), default_display(240, 240, invert=True)).data


@pytest.fixture(scope="module")
async def _caching(_upstream: ScriptedA1111, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("cache")
    async with open_service(a1111_base_url=_upstream.url, cache_dir=str(folder)) as service:
        yield service


@pytest.fixture
async def caching(_caching: Service, upstream: ScriptedA1111) -> Service:
    """A service with an empty cache; `upstream` is as new."""
    upstream.standing = said(None)
    assert (await _caching.ask("POST", "/sdapi/v1/options", {})).status == 200
    upstream.reset()
    return _caching


def told(*answers: Said) -> list[str]:
    return [got.headers["X-Cache"] for got in answers]


async def test_the_second_time_nothing_is_drawn(caching: Service, upstream: ScriptedA1111) -> None:
    upstream.script = [answer(png(RED)), answer(png(BLUE))]
    first, second = await caching.frame(JOB), await caching.frame({"steps": 3, "seed": 7, "prompt": "a"})
    assert told(first, second) == ["miss", "hit"]
    assert first.body == second.body == frame_of(RED)
    same = {name: value for name, value in first.headers.items() if name.startswith("X-Image") or name == "ETag"}
    assert same.items() <= second.headers.items()
    assert second.headers["X-Image-Seed"] == "1234"
    assert len(upstream.generations) == 1


async def test_one_generation_serves_every_display_and_answer(caching: Service, upstream: ScriptedA1111) -> None:
    upstream.script = [answer(png(RED), png(BLUE))]
    assert told(await caching.frame(JOB)) == ["miss"]
    queries = ["?answer=json", "?answer=preview", "?answer=frame&width=8", "?answer=frame&index=1"]
    for _ in range(2):
        answers = [await caching.txt2img(JOB, query) for query in queries]
        assert told(*answers) == ["hit"] * 4
    assert [got.status for got in answers] == [200] * 4
    assert answers[3].body == frame_of(BLUE)
    assert len(answers[0].json()["images"]) == 2
    assert len(upstream.generations) == 1


@pytest.mark.parametrize(
    "other",
    [
        {**JOB, "steps": 4},
        {**JOB, "seed": 8},
        {**JOB, "override_settings": {"sd_model_checkpoint": "other"}},
        {**JOB, "seed": -1},
        {"prompt": "a", "steps": 3},
    ],
)
async def test_another_job_is_drawn(caching: Service, upstream: ScriptedA1111, other: dict[str, Any]) -> None:
    await caching.frame(JOB)
    assert told(await caching.frame(other)) == ["miss"]
    assert len(upstream.generations) == 2


async def test_other_routes_and_queries_are_other_jobs(caching: Service, upstream: ScriptedA1111) -> None:
    await caching.frame(JOB)
    accept = "application/octet-stream"
    others = [(IMG2IMG, 2), (f"{TXT2IMG}?model=b", 3), (f"{TXT2IMG}?model=b", 3), (TXT2IMG, 3)]
    for path, drawn in others:
        await caching.ask("POST", path, JOB, accept=accept)
        assert len(upstream.generations) == drawn


async def test_a_random_one_is_never_remembered(caching: Service, upstream: ScriptedA1111) -> None:
    assert told(await caching.frame({}), await caching.frame({})) == ["miss", "miss"]
    assert len(upstream.generations) == 2


async def test_a_random_one_is_remembered_where_that_is_wanted(upstream: ScriptedA1111, tmp_path: Path) -> None:
    async with open_service(a1111_base_url=upstream.url, cache_dir=str(tmp_path), cache_random=True) as service:
        got = told(await service.frame({}), await service.frame({}), await service.frame({"seed": -1}))
    assert got == ["miss", "hit", "miss"]


async def test_switched_off_everything_is_drawn(upstream: ScriptedA1111, tmp_path: Path) -> None:
    folder = tmp_path / "never"
    async with open_service(a1111_base_url=upstream.url, cache_dir=str(folder), enable_caching=False) as service:
        assert told(await service.frame(JOB), await service.frame(JOB)) == ["miss", "miss"]
        assert (await service.health())["cache"]["enabled"] is False
    assert not folder.exists()


async def test_the_original_is_always_drawn(caching: Service, upstream: ScriptedA1111) -> None:
    for _ in range(2):
        assert (await caching.txt2img(JOB, "?answer=original")).status == 200
        assert (await caching.ask("POST", f"/original{TXT2IMG}", JOB)).status == 200
    assert len(upstream.generations) == 4


@pytest.mark.parametrize(
    ("control", "answers"),
    [
        ("no-cache", ["miss", "hit"]),  # drawn anew, and that is what is remembered
        ("Max-Age=0", ["miss", "hit"]),
        ("no-store", ["miss", "hit old"]),
        ("no-cache, no-store", ["miss", "hit old"]),
        ("max-stale=60", ["hit", "hit old"]),
    ],
)
async def test_cache_control_is_respected(
    caching: Service, upstream: ScriptedA1111, control: str, answers: list[str]
) -> None:
    upstream.script = [answer(png(RED)), answer(png(BLUE))]
    await caching.frame(JOB)
    asked, after = await caching.frame(JOB, cache_control=control), await caching.frame(JOB)
    old = " old" if after.body == frame_of(RED) else ""
    assert [*told(asked), *(one + old for one in told(after))] == answers


async def test_pragma_counts_where_there_is_no_cache_control(caching: Service) -> None:
    await caching.frame(JOB)
    assert told(await caching.frame(JOB, pragma="no-cache")) == ["miss"]
    assert told(await caching.frame(JOB, pragma="no-cache", cache_control="max-stale")) == ["hit"]


CHANGES = [
    ("POST", "/sdapi/v1/options"),
    ("POST", "/sdapi/v1/refresh-checkpoints"),
    ("POST", "/sdapi/v1/reload-checkpoint/"),
    ("POST", "/sdapi/v1/unload-checkpoint"),
    ("POST", "/sdapi/v1/refresh-loras"),
    ("POST", "/original/sdapi/v1/options"),
    ("POST", "/displays/default/sdapi/v1/options"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_what_may_change_the_pictures_forgets_them(
    caching: Service, upstream: ScriptedA1111, method: str, path: str
) -> None:
    await caching.frame(JOB)
    assert told(await caching.frame(JOB)) == ["hit"]
    upstream.script = [said(None)]
    assert (await caching.ask(method, path, {})).status == 200
    assert told(await caching.frame(JOB), await caching.frame(JOB, "?width=8")) == ["miss", "hit"]


@pytest.mark.parametrize("query", ["?answer=frame", "?answer=original"])
async def test_a_job_that_leaves_other_options_behind_forgets_too(caching: Service, query: str) -> None:
    await caching.frame(JOB)
    other = {"override_settings": {"sd_model_checkpoint": "b"}, "override_settings_restore_afterwards": False}
    for _ in range(2):
        assert (await caching.txt2img({**JOB, **other}, query)).headers.get("X-Cache") != "hit"
    assert told(await caching.frame(JOB)) == ["miss"]


async def test_what_is_to_be_saved_upstream_gets_there_whatever_is_remembered(
    upstream: ScriptedA1111, tmp_path: Path
) -> None:
    async with open_service(a1111_base_url=upstream.url, cache_dir=str(tmp_path), cache_random=True) as service:
        for _ in range(2):
            assert told(await service.frame({"save_images": True})) == ["miss"]
    assert len(upstream.generations) == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/sdapi/v1/options"),
        ("POST", "/sdapi/v1/interrupt"),
        ("POST", "/sdapi/v1/png-info"),
        ("GET", "/sdapi/v1/progress"),
    ],
)
async def test_what_changes_nothing_forgets_nothing(caching: Service, method: str, path: str) -> None:
    await caching.frame(JOB)
    await caching.ask(method, path, {} if method == "POST" else None)
    assert told(await caching.frame(JOB)) == ["hit"]


@pytest.mark.parametrize("path", [f"/sdapi/v1/{name}" for name in ("options", "interrupt", "skip", "stop-generating")])
async def test_what_was_being_drawn_then_is_not_remembered(
    caching: Service, upstream: ScriptedA1111, path: str
) -> None:
    drawn = asyncio.Event()

    def reply(seen: Seen) -> Reply:
        return replace(answer(png(GREEN)), gate=drawn) if seen.target == TXT2IMG else said({})

    upstream.standing = reply
    asked = asyncio.create_task(caching.frame(JOB))
    await upstream.wait_for(1)
    assert (await caching.ask("POST", path, {})).status == 200
    later = asyncio.create_task(caching.frame(JOB))  # nor joined
    await upstream.wait_for(3)
    drawn.set()
    assert told(await asked, await later) == ["miss", "miss"]
    assert told(await caching.frame(JOB)) == ["hit"]  # the later one, which is whole


async def test_what_was_drawn_while_options_were_on_their_way_is_not_remembered(
    caching: Service, upstream: ScriptedA1111
) -> None:
    changed = asyncio.Event()
    upstream.script = [replace(said(None), gate=changed)]
    changing = asyncio.create_task(caching.ask("POST", "/sdapi/v1/options", {}))
    await upstream.wait_for(1)
    assert told(await caching.frame(JOB)) == ["miss"]  # with the old ones, or the new
    changed.set()
    assert (await changing).status == 200
    assert told(await caching.frame(JOB)) == ["miss"]


async def test_options_whose_answer_never_came_may_have_got_there(caching: Service, upstream: ScriptedA1111) -> None:
    await caching.frame(JOB)
    upstream.script = [Reply(mute=True)]
    assert (await caching.ask("POST", "/sdapi/v1/options", {})).status == 502
    assert told(await caching.frame(JOB)) == ["miss"]


@pytest.mark.parametrize("trouble", [*CUT_OFF, *IN_TROUBLE, *NONSENSE, *REJECTED])
async def test_a_failure_is_not_remembered(caching: Service, upstream: ScriptedA1111, trouble: str) -> None:
    upstream.script = [{**CUT_OFF, **IN_TROUBLE, **NONSENSE, **REJECTED}[trouble]]
    assert (await caching.frame(JOB)).status >= 400
    assert told(await caching.frame(JOB)) == ["miss"]


async def test_a_restart_forgets_nothing(upstream: ScriptedA1111, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"a1111_base_url": upstream.url, "cache_dir": str(tmp_path)}
    async with open_service(**settings) as service:
        first = await service.frame(JOB)
    async with open_service(**settings) as service:
        second = await service.frame(JOB)
        figures = (await service.health())["cache"]
    assert told(first, second) == ["miss", "hit"]
    assert first.body == second.body
    assert (figures["enabled"], figures["hits"], figures["entries"], figures["trouble"]) == (True, 1, 1, 0)


async def test_the_command_clears_the_cache_of_a_running_service(upstream: ScriptedA1111, tmp_path: Path) -> None:
    async with open_service(a1111_base_url=upstream.url, cache_dir=str(tmp_path)) as service:
        await service.frame(JOB)
        assert told(await service.frame(JOB)) == ["hit"]
        done = await asyncio.to_thread(run_alone, "cache", "clear", CACHE_DIR=str(tmp_path))
        assert done.stdout.startswith(b"Removed 1 entry")
        now = asyncio.get_running_loop().time
        deadline = now() + 30
        while now() < deadline:  # it looks once a second
            if told(await service.frame(JOB)) == ["miss"]:
                return
        pytest.fail("It is remembered still")


async def test_two_upstreams_do_not_share_pictures(upstream: ScriptedA1111, tmp_path: Path) -> None:
    for base in ("", "/other"):
        async with open_service(a1111_base_url=upstream.url + base, cache_dir=str(tmp_path)) as service:
            assert told(await service.frame(JOB)) == ["miss"]


async def test_a_cache_that_can_not_be_used_is_no_trouble_to_clients(upstream: ScriptedA1111, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("somebody's")
    async with open_service(a1111_base_url=upstream.url, cache_dir=str(file)) as service:
        assert [got.status for got in (await service.frame(JOB), await service.frame(JOB, "?width=8"))] == [200, 200]
        figures = (await service.health())["cache"]
    assert figures["trouble"] >= 1
    assert file.read_text() == "somebody's"


async def test_the_newest_of_a_display_is_what_was_asked_for_last(caching: Service, upstream: ScriptedA1111) -> None:
    upstream.script = [answer(png(RED)), answer(png(BLUE))]
    await caching.frame(JOB)
    await caching.frame({**JOB, "seed": 8})
    assert (await caching.ask("GET", "/displays/default/frame")).body == frame_of(BLUE)
    assert told(await caching.frame(JOB)) == ["hit"]
    assert (await caching.ask("GET", "/displays/default/frame")).body == frame_of(RED)
