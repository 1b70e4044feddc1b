"""The end of a job in the line: it comes once, as it is, and nothing of it stays in Redis."""

from __future__ import annotations

import pytest

from fakes.lines import ANSWER, LEASE, OTHER, begin, enter, positions
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import QueueFull, UpstreamTimeout, UpstreamUnavailable
from pico_a1111_proxy.fleet.line import Line
from pico_a1111_proxy.fleet.link import Link, key
from pico_a1111_proxy.fleet.parcels import unpack_answer
from pico_a1111_proxy.jobs import Progress

# --- Finishing ------------------------------------------------------------------------------------------------------


async def test_it_is_finished_once(line: Line) -> None:
    await enter(line, "a")
    await begin(line, "a")
    await line.finish("a", ANSWER, 1)
    await line.finish("a", OTHER, 1)
    await line.finish("a", UpstreamTimeout("late"), None)
    assert await line.fetch("a") == ANSWER
    assert await line.begin("a", "w2", LEASE) is None
    await line.give_back("a", "w1")
    assert await positions(line, "a") == [0]


async def test_an_error_comes_out_as_itself(line: Line) -> None:
    await enter(line, "a", "b")
    said = Answer(500, (), b"oh")
    await line.finish("a", UpstreamUnavailable("words", "detail", said), None)
    error = await line.fetch("a")
    assert isinstance(error, UpstreamUnavailable)
    assert (str(error), error.detail, error.answer) == ("words", "detail", said)
    await line.finish("b", QueueFull("full", 7), None)
    error = await line.fetch("b")
    assert isinstance(error, QueueFull)
    assert error.retry_after == 7


async def test_how_long_jobs_take_is_a_moving_average_of_the_good_ones(line: Line, link: Link) -> None:
    await enter(line, "a", "b", "c")
    await line.finish("a", ANSWER, 10)
    await line.finish("b", UpstreamTimeout("no"), None)
    assert float(await link.redis.get(key("job_seconds"))) == 10
    await line.finish("c", ANSWER, 20)
    assert float(await link.redis.get(key("job_seconds"))) == pytest.approx(12)


async def test_an_answer_is_read_as_often_as_it_is_asked_for(line: Line) -> None:
    await enter(line, "a")
    await line.finish("a", ANSWER, 1)
    for _ in range(2):
        parcel = await line.fetch("a")
        assert isinstance(parcel, bytes)
        assert unpack_answer(parcel).body == b"a body"


async def test_nothing_of_a_job_stays_for_ever(line: Line, link: Link) -> None:
    for name, end in {
        "answered": line.finish("answered", ANSWER, 1),
        "failed": line.finish("failed", UpstreamUnavailable("no", answer=Answer(500, (), b"oh")), None),
        "abandoned": line.begin("abandoned", "w1", LEASE),
        "withdrawn": line.withdraw("withdrawn"),
    }.items():
        await enter(line, name)
        await begin(line, name)
        await line.watch(name)
        await line.report(name, Progress(0.5, 1, 10, 20, b"picture"))
        await end
    await enter(line, "late", patience=-1)
    await line.begin("late", "w1", LEASE)
    left = {name async for name in link.redis.scan_iter() if await link.redis.ttl(name) < 0}
    assert left == {key("job_seconds").encode()}
    await enter(line, "waiting")
    assert await link.redis.ttl(key("job", "waiting")) > 0
