"""The fleet as an upstream, with a worker that the test plays itself."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from fakes.a1111 import answer
from fakes.pictures import png
from fakes.redis import RedisServer, open_redis
from fakes.worker import Asking, open_asking
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import (
    FleetUnavailable,
    ProxyError,
    QueueFull,
    UpstreamNonsense,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pico_a1111_proxy.fleet.line import Begun, Line
from pico_a1111_proxy.fleet.link import key
from pico_a1111_proxy.fleet.parcels import pack_answer
from pico_a1111_proxy.fleet.roll import Signature, sign
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.proxy import RelayRequest

DISPLAY = default_display(8, 8, invert=True)
GOOD = Answer(200, (("Content-Type", "application/json"),), answer(png()).body)


@pytest.fixture(scope="module")
async def _server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def asking(_server: RedisServer) -> AsyncIterator[Asking]:
    await _server.command("FLUSHALL")
    async with open_asking(_server.url, patience=30, seconds=30) as asking:
        yield asking


@dataclass
class Drawn:
    """A job that the test draws."""

    line: Line
    name: str
    work: asyncio.Task[Generation]


@pytest.fixture
async def drawn(asking: Asking) -> Drawn:
    return await draw(asking)


async def draw(asking: Asking) -> Drawn:
    """Have a worker sign, and begin the one job there is."""
    await sign(asking.link, Signature("w", "busy"))
    await asking.until_taking("w")
    work = asyncio.create_task(asking.fleet.generate(Job("txt2img", b"{}", DISPLAY)))
    await asking.sees(lambda: asking.roll.figures().waiting == 1, "it does not wait")
    (name,) = await asking.link.redis.zrange(key("line"), 0, -1)
    line = Line(asking.link)
    assert isinstance(await line.begin(name.decode(), "w", 30), Begun)
    return Drawn(line, name.decode(), work)


async def test_without_a_worker_it_takes_nothing(asking: Asking) -> None:
    with pytest.raises(FleetUnavailable, match="No worker of the fleet takes jobs at the moment") as caught:
        await asking.fleet.generate(Job("txt2img", b"{}", DISPLAY))
    assert caught.value.unsent
    condition = await asking.fleet.check()
    assert (condition.usable, condition.words) == (False, "No worker is there")
    redis, workers = [finding async for finding in asking.fleet.examine()]
    assert redis.good
    assert not workers.good
    assert "pico-a1111-proxy worker --upstream" in workers.words


async def test_why_nobody_takes_jobs_is_told(asking: Asking) -> None:
    await sign(asking.link, Signature("gpu-1", "paused", "It refuses connections"))
    await asking.sees(asking.states, "nobody is on the roll")
    assert (await asking.fleet.check()).words == "0 of 1 workers take jobs; gpu-1: It refuses connections"


async def test_the_answer_is_the_very_one(drawn: Drawn) -> None:
    await drawn.line.finish(drawn.name, pack_answer(GOOD), 1)
    assert (await drawn.work).answer == GOOD


async def test_so_is_a_large_one(drawn: Drawn) -> None:
    large = Answer(200, (), json.dumps({"images": [base64.b64encode(bytes(3_000_000)).decode()]}).encode())
    await drawn.line.finish(drawn.name, pack_answer(large), 1)
    assert (await drawn.work).answer == large


@pytest.mark.parametrize(
    "error",
    [UpstreamTimeout("late"), UpstreamUnavailable("down", "why", GOOD), QueueFull("full", 7), ProxyError("what")],
    ids=lambda error: type(error).__name__,
)
async def test_errors_are_raised_as_themselves(drawn: Drawn, error: ProxyError) -> None:
    await drawn.line.finish(drawn.name, error, None)
    with pytest.raises(type(error), match=str(error)) as caught:
        await drawn.work
    assert type(caught.value) is type(error)


async def test_an_answer_that_was_damaged_on_its_way_is_nonsense(drawn: Drawn) -> None:
    await drawn.line.finish(drawn.name, pack_answer(GOOD)[:-5], 1)
    with pytest.raises(UpstreamNonsense):
        await drawn.work


async def test_an_answer_that_redis_has_lost_is_told(asking: Asking, drawn: Drawn) -> None:
    await asking.link.redis.hset(key("job", drawn.name), "over", 1)
    with pytest.raises(FleetUnavailable, match="forgotten"):
        await drawn.work


async def test_what_nobody_has_told_is_found_all_the_same(asking: Asking, drawn: Drawn) -> None:
    await asking.link.redis.hset(key("job", drawn.name), "reply_to", "nobody")
    await drawn.line.finish(drawn.name, pack_answer(GOOD), 1)
    assert (await drawn.work).answer == GOOD


async def test_progress_over_the_relay_is_that_of_the_one_that_is_drawn(asking: Asking, drawn: Drawn) -> None:
    await drawn.line.report(drawn.name, Progress(0.5, 2.0, 10, 20, b"\x89PNG"))
    request = RelayRequest("GET", "/sdapi/v1/progress", ())
    told: dict[str, float] = {}
    for _ in range(1000):
        async with asking.fleet.relay(request) as got:
            told = json.loads(b"".join([piece async for piece in got.body]))
        if told["progress"]:
            break
        await asyncio.sleep(0.01)
    assert (told["progress"], told["eta_relative"]) == (0.5, 2.0)
    assert told["current_image"] == base64.b64encode(b"\x89PNG").decode()
    await drawn.line.finish(drawn.name, pack_answer(GOOD), 1)
    await drawn.work


async def test_without_a_web_ui_beside_it_nothing_is_relayed(asking: Asking) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        async with asking.fleet.relay(RelayRequest("GET", "/sdapi/v1/options", ())):
            pass
    assert "A1111_BASE_URL must list them" in caught.value.detail


async def test_a_client_that_leaves_takes_its_job_along(asking: Asking, drawn: Drawn) -> None:
    drawn.work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawn.work
    await asking.fleet.close()
    assert await drawn.line.renew(drawn.name, "w", 30) == "lost"
