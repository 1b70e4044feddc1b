"""The line: what each of its steps promises, and that nothing of a job stays in Redis."""

from __future__ import annotations

import pytest

from fakes.lines import ANSWER, DISPLAY, LEASE, begin, enter, lose_claim, positions
from pico_a1111_proxy.errors import UpstreamUnavailable
from pico_a1111_proxy.fleet.line import MOST_DELIVERIES, Begun, Held, Line
from pico_a1111_proxy.fleet.link import Link, key
from pico_a1111_proxy.jobs import Job, Progress

# --- Standing in line -----------------------------------------------------------------------------------------------


async def test_those_of_the_background_stand_behind_all_others(line: Line) -> None:
    await enter(line, "a", priority="background")
    await enter(line, "b")
    await enter(line, "c", priority="background")
    await enter(line, "d")
    assert await positions(line, "a", "b", "c", "d") == [3, 1, 4, 2]
    await begin(line, "b")
    assert await positions(line, "a", "b", "c", "d") == [2, 0, 3, 1]


async def test_a_worker_gets_what_was_put_in(line: Line) -> None:
    job = Job("img2img", b'{"a": "\xff"}', DISPLAY, query="a=%20b&c", content_type=None)
    await line.enter("a", job, "me", 60, 600)
    assert await begin(line, "a") == Begun("img2img", job.body, job.query, None, 1)
    await line.enter("b", Job("txt2img", b"", DISPLAY, content_type=""), "me", 60, 600)
    assert await begin(line, "b") == Begun("txt2img", b"", "", "", 1)


async def test_those_whose_proxy_has_died_are_taken_out(line: Line, link: Link) -> None:
    await enter(line, "a", "b")
    await enter(line, "c", priority="background")
    await link.redis.delete(key("job", "a"), key("job", "c"))  # as time does
    await enter(line, "d")
    assert await link.redis.zrange(key("line"), 0, -1) == [b"b", b"d"]


async def test_how_a_job_is(line: Line) -> None:
    await enter(line, "a", "b")
    (first, second, third) = await line.look(["a", "b", "c"])
    assert (first.is_gone, first.is_over, first.position, first.begun, first.told) == (False, False, 1, 0, None)
    assert second.position == 2
    assert third.is_gone
    await begin(line, "a")
    (first,) = await line.look(["a"])
    assert (first.position, first.begun) == (0, 1)
    assert 0 <= first.seconds < 60
    await line.finish("a", ANSWER, 1)
    (first,) = await line.look(["a"])
    assert (first.is_over, first.is_gone) == (True, False)
    assert await line.look([]) == []


async def test_who_has_put_it_in_is_told_of_each_step(line: Line, link: Link) -> None:
    pubsub = link.redis.pubsub()
    await pubsub.subscribe(key("channel", "me"))
    assert await pubsub.get_message(timeout=5)  # that it hears
    await enter(line, "a")
    for step in (
        line.begin("a", "w1", LEASE),
        line.give_back("a", "w1"),
        line.begin("a", "w1", LEASE),
        line.finish("a", ANSWER, 1),
    ):
        await step
        message = None
        for _ in range(10):
            message = message or await pubsub.get_message(timeout=1)
        assert message
        assert message["data"] == b"a"
    await pubsub.aclose()


# --- Beginning ------------------------------------------------------------------------------------------------------


async def test_what_another_worker_draws_is_not_begun(line: Line, link: Link) -> None:
    await enter(line, "a")
    await begin(line, "a", "w1")
    held = await line.begin("a", "w2", LEASE)
    assert isinstance(held, Held)
    assert 0 < held.seconds <= LEASE
    await lose_claim(link, "a")
    assert (await begin(line, "a", "w2")).delivery == 2
    assert await line.renew("a", "w1", LEASE) == "lost"


async def test_a_lease_that_runs_out_is_a_claim_that_is_lost(line: Line) -> None:
    await enter(line, "a")
    assert isinstance(await line.begin("a", "w1", 0.05), Begun)
    for _ in range(10_000):
        begun = await line.begin("a", "w2", LEASE)
        if isinstance(begun, Begun):
            break
    assert isinstance(begun, Begun)


async def test_what_is_late_is_not_begun(line: Line) -> None:
    await enter(line, "a", "b", patience=-1)
    assert await line.begin("a", "w1", LEASE) is None
    assert await positions(line, "a", "b") == [0, 1]


async def test_what_was_begun_in_time_is_not_late_when_its_worker_dies(line: Line, link: Link) -> None:
    await enter(line, "a")
    await begin(line, "a")
    await lose_claim(link, "a")
    await link.redis.hset(key("job", "a"), "deadline", "1")
    assert (await begin(line, "a", "w2")).delivery == 2


async def test_after_three_deliveries_it_is_poison(line: Line, link: Link) -> None:
    await enter(line, "a")
    for delivery in range(1, MOST_DELIVERIES + 1):
        assert (await begin(line, "a", f"w{delivery}")).delivery == delivery
        await lose_claim(link, "a")
    error = await line.begin("a", "w4", LEASE)
    assert type(error) is UpstreamUnavailable
    assert str(error) == "The job was given up: 3 workers of the fleet have ended while drawing it"
    await line.finish("a", error, None)
    assert await line.begin("a", "w5", LEASE) is None
    told = await line.fetch("a")
    assert type(told) is UpstreamUnavailable


@pytest.mark.parametrize("begun", [False, True])
async def test_what_was_withdrawn_is_nobodys_any_more(line: Line, link: Link, begun: bool) -> None:
    await enter(line, "a")
    if begun:
        await begin(line, "a")
    await line.withdraw("a")
    assert await line.begin("a", "w2", LEASE) is None
    assert await line.renew("a", "w1", LEASE) == "lost"
    await line.report("a", Progress(0.5, picture=b"picture"))
    await line.give_back("a", "w1")
    await line.finish("a", ANSWER, 1)
    assert await line.fetch("a") is None
    assert await link.redis.keys() == []


# --- Drawing --------------------------------------------------------------------------------------------------------


async def test_a_right_is_kept_by_renewing_it(line: Line, link: Link) -> None:
    await enter(line, "a")
    assert isinstance(await line.begin("a", "w1", 1), Begun)
    assert await line.renew("a", "w1", LEASE) == "kept"
    assert await link.redis.pttl(key("claim", "a")) > 1000
    await line.watch("a")
    assert await line.renew("a", "w1", LEASE) == "watched"
    await lose_claim(link, "a")
    assert await line.renew("a", "w1", LEASE) == "watched"
    assert isinstance(await line.begin("a", "w2", LEASE), Held)
    await line.finish("a", ANSWER, 1)
    assert await line.renew("a", "w1", LEASE) == "lost"


async def test_what_its_worker_tells_is_seen(line: Line) -> None:
    await enter(line, "a")
    await begin(line, "a")
    assert await line.watch("a") is None
    await line.report("a", Progress(0.25, 3.5, 5, 20, b"\x89PNG"))
    assert (await line.look(["a"]))[0].told == Progress(0.25, 3.5, 5, 20)
    assert await line.watch("a") == b"\x89PNG"
    await line.report("a", Progress(0.5, 1, 10, 20))
    assert await line.watch("a") == b"\x89PNG"


async def test_who_draws_it_again_begins_at_nothing(line: Line, link: Link) -> None:
    await enter(line, "a")
    await begin(line, "a")
    await line.report("a", Progress(0.5, 1, 10, 20))
    await lose_claim(link, "a")
    await begin(line, "a", "w2")
    assert (await line.look(["a"]))[0].told is None


async def test_what_is_given_back_stands_where_it_stood(line: Line) -> None:
    await enter(line, "a", "b")
    await begin(line, "a")
    await line.give_back("a", "w1")
    (seen,) = await line.look(["a"])
    assert (seen.position, seen.begun) == (1, 0)
    assert (await begin(line, "a", "w2")).delivery == 1


async def test_what_another_one_draws_can_not_be_given_back(line: Line, link: Link) -> None:
    await enter(line, "a")
    await begin(line, "a", "w1")
    await lose_claim(link, "a")
    await begin(line, "a", "w2")
    await line.give_back("a", "w1")
    (seen,) = await line.look(["a"])
    assert (seen.position, seen.begun) == (0, 2)
    assert isinstance(await line.begin("a", "w3", LEASE), Held)
