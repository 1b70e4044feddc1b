"""What the client asks again by itself, after which time, and what it never asks twice."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

from device.asking import JOB, PIXELS, WHITE, Scripted, ask, each, frame, open_levers, open_scripted
from fakes.a1111 import Reply, said
from fakes.failures import closed_port, raw

BUSY = {"error": "The queue is full", "code": 503}
BROKEN = {
    "hangs up": Reply(mute=True),
    "resets": Reply(reset=True),
    "hangs up in the status line": raw("HTTP/1.1 20"),
    "hangs up in the headers": raw("HTTP/1.1 200 OK\nContent-Type: appl"),
    "hangs up before the body": frame(cut=0),
    "hangs up in the first band": frame(cut=1),
    "hangs up between two bands": frame(cut=2 * 3840),
    "hangs up before the last byte": frame(cut=len(PIXELS) - 1),
}


def later(status: int, seconds: str | None) -> Reply:
    return said(BUSY, status, *([] if seconds is None else [("Retry-After", seconds)]))


# --- Too busy ---------------------------------------------------------------------------------------------------


async def test_who_is_told_to_come_again_does_so_then(vm: str) -> None:
    """And feeds the watchdog every second of that time."""
    busy = [later(503, "7"), later(429, "30")]
    replies = {"newest": [*busy, frame()], "txt2img": [*busy, JOB, *busy, frame()]}
    async with open_scripted(replies) as server:
        program = f"""
for name, fields in (("newest", ()), ("txt2img", ("a",))):
    client = FrameClient({server.url!r} + "/" + name, panel, feed=feed)
    fed.clear()
    begun = time.ticks_ms()
    tell(name, getattr(client, name), *fields)
    tell(name + " took", lambda: (time.ticks_diff(time.ticks_ms(), begun) // 1000, len(fed)))
"""
        asked = await ask(vm, program)
        posts = [(seen.body, seen.headers) for seen in server.generations]
        counts = {name: len(server.asked(name)) for name in replies}
    assert counts == {"newest": 3, "txt2img": 6}
    assert posts == posts[:1] * 3
    for name, times in (("newest", 1), ("txt2img", 2)):
        assert (asked[name].error, asked[name].rows) == ("", 80)
        seconds, feeds = asked[f"{name} took"].gave
        assert seconds >= 37 * times
        assert feeds >= 37 * times


async def test_asking_again_ends(vm: str) -> None:
    async with open_scripted({str(retries): later(503, "7") for retries in range(3)}) as server:
        program = f"""
panel.fill(0xFFFF)
for retries in range(3):
    client = FrameClient({server.url!r} + "/%d" % retries, panel, retries=retries)
    tell(str(retries), client.submit, "a")
"""
        asked = await ask(vm, program)
        counts = [len(server.asked(str(retries))) for retries in range(3)]
    assert counts == [1, 2, 3]
    assert {(told.error, told.status, told.again) for told in asked.told} == {("The queue is full", 503, 7)}
    assert asked.colours == {WHITE}


async def test_after_how_long(vm: str) -> None:
    """What is no number of seconds is some seconds; a very long time is for the program to decide on."""
    times = {
        "none": None,
        "a date": "Wed, 21 Oct 2026 07:28:00 GMT",
        "words": "soon",
        "a fraction": "1.5",
        "nothing": "0",
        "minus": "-3",
        "a day": "86400",
        "no end": "9" * 40,
    }
    async with open_scripted({name: later(503, seconds) for name, seconds in times.items()}) as server:
        asked = await ask(vm, each(times, server.url, "newest()", retries=1))
        counts = {name: len(server.asked(name)) for name in times}
    for name in times:
        again = asked[name].again
        assert (asked[name].status, again is not None) == (503, True)
        assert again is not None
        assert again >= 1
        assert (counts[name], again > 3600) == ((1, True) if name in ("a day", "no end") else (2, False))


# --- Cut off ----------------------------------------------------------------------------------------------------


async def test_a_question_that_breaks_off_is_asked_again(vm: str) -> None:
    async with open_scripted({name: [reply, reply, frame()] for name, reply in BROKEN.items()}) as server:
        program = """
    tell(name + ", tag", lambda: client.etag)
"""
        asked = await ask(vm, each(BROKEN, server.url, "newest()") + program)
        counts = {name: len(server.asked(name)) for name in BROKEN}
    assert asked.gave == dict.fromkeys(BROKEN, True) | {f"{name}, tag": '"one"' for name in BROKEN}
    assert set(counts.values()) == {3}
    assert asked.pixels == PIXELS


async def test_and_that_ends_too(vm: str) -> None:
    async with open_scripted(BROKEN) as server:
        program = """
    tell(name + ", tag", lambda: client.etag)
"""
        asked = await ask(vm, each(BROKEN, server.url, "newest()", retries=1) + program)
        counts = {name: len(server.asked(name)) for name in BROKEN}
    for name in BROKEN:
        assert (asked[name].status, asked[f"{name}, tag"].gave) == (0, None)
        assert asked[name].again is not None
    assert "25599 of 25600" in asked["hangs up before the last byte"].error
    assert set(counts.values()) == {2}


async def test_a_post_that_breaks_off_never_draws_twice(vm: str) -> None:
    broken = {name: reply for name, reply in BROKEN.items() if reply.raw or reply.mute or reply.reset}
    async with open_scripted({name: [reply, JOB, frame()] for name, reply in broken.items()}) as server:
        asked = await ask(vm, each(broken, server.url, "txt2img('a')"))
        counts = {name: len(server.asked(name)) for name in broken}
    for name in broken:
        assert (asked[name].again, asked[name].error != "") == (None, True), asked[name]
    assert set(counts.values()) == {1}, counts


async def test_a_cancelling_that_breaks_off_is_repeated(vm: str) -> None:
    async with open_scripted({"a": [Reply(mute=True), said({"state": "cancelled"})]}) as server:
        asked = await ask(vm, each(["a"], server.url, "cancel('/jobs/one')"))
        assert [seen.method for seen in server.asked("a")] == ["DELETE"] * 2
    assert asked.gave == {"a": "cancelled"}


async def test_half_a_picture_is_not_taken_for_the_one_before(vm: str) -> None:
    """The tag is that of what the panel shows, and while it shows half of one there is none."""
    second = frame(bytes(len(PIXELS)), etag='"two"')
    half = frame(bytes(len(PIXELS)), cut=9000, etag='"two"')
    replies = {"a": [frame(), Reply(304), half, second], "b": [frame(), half, frame()]}
    async with open_scripted(replies) as server:
        program = f"""
client = FrameClient({server.url!r} + "/a", panel, retries=0)
tell("drawn", client.newest)
tell("the same", client.newest)
tell("half", client.newest)
tell("no tag", lambda: client.etag)
tell("whole", client.newest)
tell("tag", lambda: client.etag)
client = FrameClient({server.url!r} + "/b", panel, retries=1)
tell("first", client.newest)
tell("the first once more", client.newest)
"""
        asked = await ask(vm, program)
        tags = {name: [seen.header("if-none-match") for seen in server.asked(name)] for name in replies}
    assert tags["a"] == [None, '"one"', '"one"', None]
    assert (asked["half"].status, asked["no tag"].gave, asked["tag"].gave) == (0, None, '"two"')
    assert [asked[name].gave for name in ("drawn", "the same", "whole")] == [True, False, True]
    # While it was asked again, the picture from before has become the newest again: a 304 would leave half the other.
    assert tags["b"] == [None, '"one"', None]
    assert asked["the first once more"].gave is True
    assert asked.pixels == PIXELS


# --- Nobody there -----------------------------------------------------------------------------------------------


async def test_where_nobody_answers_is_told_after_some_tries(vm: str) -> None:
    # No resolver is asked for a name with an empty part.
    with closed_port() as url:
        program = f"""
panel.fill(0xFFFF)
client = FrameClient({url!r}, panel, feed=feed, retries=4)
other = FrameClient("http://nowhere..invalid:8080", panel, feed=feed)
for name, call in (("get", client.newest), ("post", lambda: client.txt2img("a")), ("name", other.newest)):
    fed.clear()
    begun = time.ticks_ms()
    tell(name, call)
    tell(name + " took", lambda: (time.ticks_diff(time.ticks_ms(), begun) // 1000, len(fed)))
"""
        asked = await ask(vm, program)
    for name, named in (("get", url[7:]), ("post", url[7:]), ("name", "nowhere..invalid")):
        assert named in asked[name].error
        assert (asked[name].status, asked[name].again is not None) == (0, True)
        seconds, feeds = asked[f"{name} took"].gave
        assert seconds >= 4
        assert feeds >= seconds
    assert asked.colours == {WHITE}


async def test_who_comes_late_is_found(vm: str) -> None:
    """Nothing was sent to where nobody was: so a POST is repeated as well."""
    server = Scripted({"displays": frame(), "jobs": frame()}, jobs=True)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        starting: list[asyncio.Task[asyncio.Server]] = []

        def listen() -> None:
            if not starting:
                listener.listen()
                starting.append(asyncio.create_task(asyncio.start_server(server.serve, sock=listener)))

        async with open_levers(listen=listen) as levers:
            asked = await ask(vm, _tries(url), levers=levers)
        for task in starting:
            (await task).close()
        await server.stop()
    assert (asked["drawn"].error, len(server.seen)) == ("", 2)
    assert asked.pixels == PIXELS


def _tries(url: str) -> str:
    return f"""
def feed():
    fed.append(1)
    if len(fed) == 5:
        pull("listen")

client = FrameClient({url!r}, panel, feed=feed, retries=5)
tell("drawn", client.txt2img, "a")
"""
