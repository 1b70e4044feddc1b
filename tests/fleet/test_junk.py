"""What others have written into our Redis: nobody falls over it, and the rest is told all the same."""

from __future__ import annotations

import time

import orjson
import pytest

from fakes.crew import job
from fakes.redis import RedisServer
from pico_a1111_proxy.fleet.line import JOB_SECONDS, Line
from pico_a1111_proxy.fleet.link import key, open_link
from pico_a1111_proxy.fleet.roll import SIGNATURES, Roll, Signature, sign

GOOD = {"name": "w2", "state": "idle", "words": "", "since": 0.0, "counts": [0, 0], "version": "1", "clock": 0.0}


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "junk", "", "9" * 400])
async def test_how_long_jobs_take(redis: RedisServer, seconds: str) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        await redis.command("SET", JOB_SECONDS, seconds)
        assert 0 <= (await Roll(link).look()).job_seconds < 1e6
        line = Line(link)
        await line.enter("a", job(), "here", 60, 60)
        await line.begin("a", "w", 60)
        await line.finish("a", b"", 2.0)
        assert (await line.look(["a"]))[0].is_over
        await redis.command("DEL", JOB_SECONDS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"words": 5},
        {"name": ["x"]},
        {"version": None},
        {"counts": [1]},
        {"counts": "ab"},
        {"since": "x"},
        {"clock": {}},
    ],
    ids=str,
)
async def test_a_signature(redis: RedisServer, wrong: dict[str, object]) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        await sign(link, Signature("w1", "idle"))
        await sign(link, Signature("w2", "idle"))
        await redis.command("HSET", SIGNATURES, "w2", orjson.dumps({**GOOD, **wrong}).decode())
        assert "w1" in [worker.name for worker in (await Roll(link).look()).workers]


@pytest.mark.parametrize(("field", "junk"), [("progress", "[1,"), ("progress", "{}"), ("begun", "x"), ("over", "")])
async def test_a_job(redis: RedisServer, field: str, junk: str) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        line = Line(link)
        for name in "ab":
            await line.enter(name, job(), "here", 60, 60)
        await redis.command("HSET", key("job", "a"), field, junk)
        assert (await line.look(["a", "b"]))[1].position
        for name in "ab":
            await line.withdraw(name)


async def test_a_key_of_another_kind_keeps_nothing_else_from_being_asked(redis: RedisServer) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        await redis.command("SET", key("odd"), "text")
        with pytest.raises(Exception, match="can't be reached"):
            await link.ask(lambda client: client.hgetall(key("odd")))
        assert await link.ask(lambda client: client.ping())
