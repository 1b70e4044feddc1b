"""Workers as processes: what becomes of a job, and of who draws it, whatever happens to either."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from fakes.a1111 import ScriptedA1111, answer, said
from fakes.crew import Drawing, ask, drawn, job, nothing_is_left, prompts, taking
from fakes.pictures import png
from fakes.redis import RedisServer
from fakes.waiting import until
from fakes.worker import LEASE_SECONDS, Asking, WorkerProcess
from pico_a1111_proxy.errors import UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from pico_a1111_proxy.fleet.link import PREFIX, key

# --- Workers that die -----------------------------------------------------------------------------------------------


async def test_the_job_of_a_worker_that_was_killed_is_drawn_by_another(
    asking: Asking, redis: RedisServer, one: ScriptedA1111
) -> None:
    drawing = Drawing(one)
    async with taking(asking, redis, one.url) as (worker,):
        work = ask(asking)
        await drawn(one, 1)
        await worker.kill()
        await worker.start()
        await drawn(one, 2)
        drawing.now.set()
        assert (await work).pictures == (0,)
        assert await worker.stop() == 0
        assert len(prompts(one)) == 2
        await nothing_is_left(asking)


async def test_a_job_that_kills_its_workers_is_given_up(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    Drawing(one)
    async with taking(asking, redis, *[one.url] * 4, lease=1) as workers:
        work = ask(asking)
        for count in (1, 2, 3):
            await drawn(one, count)
            await asking.sees(lambda: "busy" in asking.states().values(), "nobody was seen to draw")
            (name,) = (name for name, state in asking.states().items() if state == "busy")
            (victim,) = (worker for worker in workers if worker.name == name)
            await victim.kill()
            await asking.sees(lambda count=count: len(asking.states()) <= 4, "")
            await asking.link.redis.zrem(key("workers"), name)  # which it is after ten seconds
            await asking.sees(lambda name=name: name not in asking.states(), "is still on the roll")
        with pytest.raises(UpstreamUnavailable, match="given up: 3 workers of the fleet have ended while drawing it"):
            await work
        (survivor,) = (worker for worker in workers if worker.process.returncode is None)
        await asking.until_taking(survivor.name)
        one.standing = answer(png())
        assert (await asking.fleet.generate(job("b"))).pictures
        assert prompts(one) == ["a", "a", "a", "b"]
        await nothing_is_left(asking)


async def test_one_that_stands_still_beyond_its_lease_does_not_answer_twice(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, two: ScriptedA1111
) -> None:
    first = Drawing(one)
    async with taking(asking, redis, one.url, lease=1) as (stopped,):
        work = ask(asking)
        await drawn(one, 1)
        stopped.send(signal.SIGSTOP)
        other = WorkerProcess(redis.url, two.url, "w2", 1, 60)
        await other.start()
        try:
            two.standing = answer(png(), info=json.dumps({"seed": 2}))
            assert (await work).seed(0) == 2
            first.now.set()
            stopped.send(signal.SIGCONT)
            one.standing = answer(png())
            await asking.until_taking("w1", "w2")
            await asking.sees(lambda: asking.states() == {"w1": "idle", "w2": "idle"}, "they never were idle")
            assert (await asking.fleet.generate(job("b"))).pictures
            assert sorted(prompts(one) + prompts(two)) == ["a", "a", "b"]
            await nothing_is_left(asking)
            assert (await stopped.stop(), await other.stop()) == (0, 0)
        finally:
            await other.kill()


async def test_a_job_may_take_far_longer_than_the_lease(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    drawing = Drawing(one)
    async with taking(asking, redis, one.url, one.url, lease=1):
        work = ask(asking)
        await drawn(one, 1)
        asyncio.get_running_loop().call_later(3, drawing.now.set)
        assert (await work).pictures
        assert len(prompts(one)) == 1
        await nothing_is_left(asking)


async def test_a_message_that_comes_twice_is_drawn_once(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, two: ScriptedA1111
) -> None:
    """As one does whose visibility time-out is shorter than the job, and nobody prolongs it."""
    drawing = Drawing(one)
    two.standing = drawing
    async with taking(asking, redis, one.url, two.url):
        work = ask(asking)
        await until(lambda: prompts(one) + prompts(two), "nobody draws it")
        await asking.link.redis.zadd(f"{PREFIX}unacked_index", dict.fromkeys(await _tags(asking), 1.0))
        # The other one has taken it, and put it off: its acknowledgement comes with the lease.
        await asking.sees(lambda: list(asking.states().values()).count("busy") == 1, "it is drawn by two")
        ended = time.monotonic() + 1.5 * LEASE_SECONDS
        while time.monotonic() < ended:
            assert len(prompts(one) + prompts(two)) == 1
            await asyncio.sleep(0.05)
        drawing.now.set()
        assert (await work).pictures
        assert len(prompts(one) + prompts(two)) == 1
        await nothing_is_left(asking)


async def _tags(asking: Asking) -> list[bytes]:
    return list(await asking.link.redis.zrange(f"{PREFIX}unacked_index", 0, -1))


# --- Workers that end, rest and come back ---------------------------------------------------------------------------


async def test_one_that_is_told_to_end_finishes_what_it_draws_and_takes_nothing_more(
    asking: Asking, redis: RedisServer, one: ScriptedA1111
) -> None:
    drawing = Drawing(one)
    async with taking(asking, redis, one.url) as (worker,):
        work = ask(asking)
        await drawn(one, 1)
        waiting = ask(asking, "b")
        ending = asyncio.create_task(worker.stop())
        await asking.sees(lambda: asking.states() == {"w1": "stopping"}, "it never said that it ends")
        drawing.now.set()
        assert (await work).pictures
        assert await ending == 0
        assert prompts(one) == ["a"]
        await asking.sees(lambda: not asking.states(), "it did not sign off")
        await worker.start()
        assert (await waiting).pictures
        await nothing_is_left(asking)


async def test_one_whose_upstream_is_down_leaves_the_jobs_to_others(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, tmp_path: Path
) -> None:
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    one.port = port
    async with taking(asking, redis, url):
        assert (await asking.fleet.generate(job())).pictures
        server.close()
        work = ask(asking, "b")
        await asking.sees(lambda: asking.states() == {"w1": "paused"}, "it never paused")
        assert not (await asking.fleet.check()).usable
        # Back again, with what was given back.
        server = await asyncio.start_server(one.serve, "127.0.0.1", port)
        assert (await work).pictures
        await asking.until_taking("w1")
        assert prompts(one) == ["a", "b"]
        await nothing_is_left(asking)
    server.close()


async def test_what_one_gives_back_another_draws(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, two: ScriptedA1111
) -> None:
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    drawing = Drawing(two)
    async with taking(asking, redis, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", two.url):
        server.close()
        works = [ask(asking), ask(asking, "b")]
        await asking.sees(lambda: asking.states()["w1"] == "paused", "it never paused")
        drawing.now.set()
        assert [(await work).pictures for work in works] == [(0,), (0,)]
        assert sorted(prompts(two)) == ["a", "b"]
        assert not prompts(one)
        await nothing_is_left(asking)


async def test_one_whose_upstream_fails_again_and_again_rests(
    asking: Asking, redis: RedisServer, one: ScriptedA1111
) -> None:
    one.standing = said({"error": "CUDA out of memory"}, 500)
    async with taking(asking, redis, one.url):
        for _ in range(3):
            with pytest.raises(UpstreamUnavailable):
                await asking.fleet.generate(job())
        await asking.sees(lambda: asking.states() == {"w1": "paused"}, "it never paused")
        (worker,) = asking.roll.figures().workers
        assert (worker.drawn, worker.failed) == (0, 3)
        assert worker.words.startswith("Its last 3 jobs have failed: ")


async def test_a_request_that_is_refused_says_nothing_of_the_upstream(
    asking: Asking, redis: RedisServer, one: ScriptedA1111
) -> None:
    one.standing = said({"detail": "no"}, 422)
    async with taking(asking, redis, one.url):
        for _ in range(4):
            with pytest.raises(UpstreamRejected) as caught:
                await asking.fleet.generate(job())
            assert caught.value.answer
            assert json.loads(caught.value.answer.body) == {"detail": "no"}
        one.standing = answer(png())
        assert (await asking.fleet.generate(job())).pictures


async def test_too_slow_is_too_slow_also_from_afar(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    drawing = Drawing(one)
    async with taking(asking, redis, one.url, seconds=0.5):
        with pytest.raises(UpstreamTimeout):
            await asking.fleet.generate(job())
        drawing.now.set()
        assert (await asking.fleet.generate(job("b"))).pictures
        assert prompts(one) == ["a", "b"]
        await nothing_is_left(asking)
