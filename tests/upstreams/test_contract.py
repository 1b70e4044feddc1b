"""What every upstream promises, checked on each of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111, said
from fakes.redis import open_redis
from fakes.worker import open_asking, open_workers
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import UpstreamRejected
from pico_a1111_proxy.jobs import Job, Route
from pico_a1111_proxy.pictures import decode
from pico_a1111_proxy.proxy import Upstream
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.wiring import open_upstream

DEFAULT = default_display(240, 240, invert=True)
MISSING = {"error": "HTTPException", "detail": "Init image not found", "body": "", "errors": ""}


@pytest.fixture(scope="module")
async def _fleet(_upstream: ScriptedA1111, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Upstream]:
    """A real worker behind a real Redis, which draws with `upstream`; that is what the relay goes to as well."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(tmp_path_factory.mktemp("redis")))
        settings = read_settings(env_file=None, a1111_base_url=_upstream.url)
        beside = await stack.enter_async_context(open_upstream(settings))
        asking = await stack.enter_async_context(open_asking(redis.url, beside=beside))
        await stack.enter_async_context(open_workers(redis.url, _upstream.url))
        await asking.until_taking("w1")
        yield asking.fleet


@pytest.fixture(params=["a1111", "demo", "pool", "fleet"])
async def member(request: pytest.FixtureRequest, upstream: ScriptedA1111, _fleet: Upstream) -> AsyncIterator[Upstream]:
    """Each member of the family, as the settings build it; the pool has two ways to the same upstream."""
    if request.param == "fleet":
        yield _fleet
        return
    twice = f"{upstream.url},http://localhost:{upstream.port}"
    address = {"a1111": upstream.url, "demo": "demo:", "pool": twice}[request.param]
    async with open_upstream(read_settings(env_file=None, a1111_base_url=address)) as opened:
        yield opened


def job(route: Route = "txt2img", /, **fields: Any) -> Job:
    body = {"prompt": "a lake", "width": 64, "height": 64, "steps": 1, "seed": 1234, **fields}
    return Job(route, json.dumps(body).encode(), DEFAULT)


async def test_a_generation_holds_a_picture_and_tells_its_seed(member: Upstream) -> None:
    generation = await member.generate(job())
    assert generation.answer.status == 200
    assert decode(generation.picture(generation.first)).mode == "RGB"
    assert generation.seed(generation.first) == 1234


async def test_the_answer_is_json_as_a1111_writes_it(member: Upstream) -> None:
    answer = (await member.generate(job())).answer
    assert {name.lower(): value for name, value in answer.headers}["content-type"] == "application/json"
    document = json.loads(answer.body)
    assert isinstance(document["images"][0], str)
    assert isinstance(document["parameters"], dict)
    assert isinstance(json.loads(document["info"]), dict)


async def test_a_job_that_can_not_be_done_is_rejected_in_a1111s_words(
    member: Upstream, upstream: ScriptedA1111
) -> None:
    upstream.standing = said(MISSING, 404)
    with pytest.raises(UpstreamRejected) as caught:
        await member.generate(job("img2img"))
    assert caught.value.answer is not None
    assert caught.value.answer.status == 404
    assert json.loads(caught.value.answer.body) == MISSING


async def test_nothing_is_drawn_while_nothing_is_asked(member: Upstream, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"progress": 0.0, "state": {"job_count": 0, "sampling_steps": 20}})
    progress = await member.progress()
    assert (progress.busy, progress.fraction, progress.picture) == (False, 0.0, None)


async def test_a_client_that_leaves_stops_its_generation_only(member: Upstream) -> None:
    leaving = asyncio.create_task(member.generate(job(steps=150)))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await asyncio.wait_for(member.generate(job()), 10)).pictures


@pytest.mark.parametrize("fields", [{}, {"force_task_id": "mine"}], ids=str)
async def test_a_job_that_nobody_wants_any_more_is_seen_off(
    member: Upstream, upstream: ScriptedA1111, fields: dict[str, Any]
) -> None:
    left = job(steps=150, **fields)
    leaving = asyncio.create_task(member.generate(left))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    upstream.standing = said({"active": False, "queued": False, "state": {"job_count": 0}})
    await asyncio.wait_for(member.abandon(left), 60)
    # Also where there is nothing of it any more.
    await asyncio.wait_for(member.abandon(left), 60)


async def test_it_can_be_used_and_every_finding_is_good(member: Upstream) -> None:
    assert (await member.check()).usable
    findings = [finding async for finding in member.examine()]
    assert findings
    assert all(finding.good for finding in findings)
