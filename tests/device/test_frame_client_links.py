"""The client's connections: where they go and what goes over them, silence, the watchdog, and their end."""

from __future__ import annotations

import asyncio
import json

from device.asking import DISPLAY, JOB, LCD, PIXELS, WHITE, ask, each, frame, open_levers, open_scripted
from fakes.a1111 import Reply, Seen, said
from fakes.failures import full_backlog
from service import Service

CALLS = ["newest()", "progress()", "wait('/jobs/one')", "txt2img('a')", "submit('a')", "cancel('/jobs/one')"]
SILENT = {
    "before its answer": Reply(hang=0, raw=b""),
    "in its headers": Reply(hang=0, raw=b"HTTP/1.1 200 OK\r\nContent-Type: appl"),
    "before the body": frame(hang=0),
    "before the last byte": frame(hang=len(PIXELS) - 1),
}


# --- What is asked ----------------------------------------------------------------------------------------------


async def test_the_requests(vm: str) -> None:
    replies = [JOB, frame(), Reply(304), Reply(204), frame(), Reply(304), JOB, frame(), said({"state": "done"})]
    async with open_scripted({"a": replies}) as server:
        program = f"""
client = FrameClient({server.url!r} + "/a/", panel, key="secret", poll=2)
client.txt2img("ein Bär", steps=4)
client.newest(wait=9)
client.progress()
client.progress()
client.newest()
job = client.submit("b")
client.wait(job)
client.cancel(job)
"""
        await ask(vm, program)
        seen = server.seen
    base = f"/a/displays/{LCD}"
    assert [(one.method, one.target) for one in seen] == [
        ("POST", f"{base}/sdapi/v1/txt2img"),
        ("GET", "/a/jobs/one/frame?wait=2"),
        ("GET", f"{base}/frame?wait=9"),
        ("GET", f"{base}/sdapi/v1/progress"),
        ("GET", f"{base}/sdapi/v1/progress"),
        ("GET", f"{base}/frame?wait=0"),
        ("POST", f"{base}/sdapi/v1/txt2img"),
        ("GET", "/a/jobs/one/frame?wait=2"),
        ("DELETE", "/a/jobs/one"),
    ]
    for one in seen:
        assert [value for name, value in one.headers if name.lower() == "x-api-key"] == ["secret"]
        assert (one.header("host"), one.header("connection")) == (f"127.0.0.1:{server.port}", "close")
        assert one.header("accept") == "application/octet-stream"
        posted = ("application/json", "respond-async")
        assert (one.header("content-type"), one.header("prefer")) == (posted if one.body else (None, None))
    assert [one.header("if-none-match") for one in seen] == [None, None, '"one"', *[None] * 6]
    assert [json.loads(one.body) for one in seen if one.body] == [
        {"prompt": "ein Bär", "steps": 4}, {"prompt": "b"}
    ]  # fmt: skip


async def test_a_long_request_goes_up_whole(vm: str) -> None:
    async with open_scripted({"a": frame()}, jobs=True) as server:
        call = "txt2img('a', negative_prompt='x' * 9000)"
        asked = await ask(vm, each(["a"], server.url, call, key="k" * 5000))
        posted, fetched = server.asked("a")
    assert (asked["a"].error, asked["a"].rows) == ("", DISPLAY.height)
    assert json.loads(posted.body) == {"prompt": "a", "negative_prompt": "x" * 9000}
    assert posted.header("x-api-key") == fetched.header("x-api-key") == "k" * 5000


async def test_addresses_as_people_write_them(vm: str, service: Service) -> None:
    """The service itself knows no path before its own; the scripted one takes any."""
    service_at = service.url.removeprefix("http://")
    async with open_scripted({"pico": frame(), "displays": frame()}) as server:
        at = server.url.removeprefix("http://")
        urls = [
            server.url,
            f"{server.url}/",
            at,
            f"{at}/",
            f"{server.url}/pico",
            f"{server.url}/pico/",
            f"{at}/pico/a/b//",
        ]
        program = f"""
for url in {urls!r}:
    tell(url, FrameClient(url, panel).newest)
tell("service", FrameClient({service_at!r} + "/", panel).txt2img, "a")
"""
        asked = await ask(vm, program)
        targets = [seen.target for seen in server.seen]
    assert asked.gave == dict.fromkeys(urls, True) | {"service": None}
    own = f"/displays/{LCD}/frame?wait=0"
    assert targets == [own] * 4 + [f"/pico{own}"] * 2 + [f"/pico/a/b{own}"]


async def test_what_is_no_address_is_no_client(vm: str) -> None:
    wrong = [
        "",
        "http://",
        "http:///displays",
        "ftp://127.0.0.1",
        "http://127.0.0.1:port",
        "http://127.0.0.1:80800",
        "http://:80",
        "://a",
        "/a",
    ]
    program = f"""
for url in {wrong!r}:
    try:
        FrameClient(url, panel)
        tell(url, lambda: "is one")
    except ValueError as error:
        tell(url, lambda: str(error))
try:
    FrameClient("http://127.0.0.1", panel, time_out=3)
except TypeError as error:
    tell("setting", lambda: str(error))
"""
    asked = await ask(vm, program)
    for url in wrong:
        assert url in asked[url].gave
        assert "http://" in asked[url].gave, asked[url]
    assert "time_out" in asked["setting"].gave


# --- Silence ----------------------------------------------------------------------------------------------------


async def test_a_silent_service_is_given_up(vm: str) -> None:
    async with open_scripted(SILENT) as server:
        program = """
fed.clear()
tell("what was held", client.newest, wait=29)
tell("feeds", lambda: len(fed))
"""
        asked = await ask(vm, each(SILENT, server.url, "newest()", retries=0, timeout=0.7) + program)
        counts = {name: len(server.asked(name)) for name in SILENT}
    for name in SILENT:
        told = asked[name]
        assert (told.error, told.status) == (f"127.0.0.1:{server.port} is silent", 0), told
        assert told.again is not None, told
        assert told.rows == (DISPLAY.height if name in ("before the body", "before the last byte") else 0)
    assert list(counts.values()) == [1, 1, 1, 2]
    # Once it has begun, an answer that was held comes without pauses, or the watchdog would be fed for half a minute.
    assert ("silent" in asked["what was held"].error, asked["feeds"].gave < 150) == (True, True)


async def test_where_nobody_accepts_is_silence_too(vm: str) -> None:
    with full_backlog() as url:
        asked = await ask(vm, each(["a"], url, "submit('a')", retries=0, timeout=0.1))
    assert url.removeprefix("http://") in asked["a"].error
    assert (asked["a"].status, asked["a"].again is not None, asked.colours) == (0, True, {WHITE})


async def test_an_error_whose_words_do_not_come_is_told_by_its_number(vm: str) -> None:
    replies = {
        "none": Reply(500, b'{"error": "One"}', hang=0),
        "some": Reply(500, b'{"error": "One"}', hang=5),
        "all": Reply(500, b'{"error": "One"}', hang=16),
    }
    async with open_scripted(replies) as server:
        asked = await ask(vm, each(replies, server.url, "newest()", retries=0, timeout=0.7))
    assert {told.name: (told.error, told.status) for told in asked.told} == {
        "none": ("HTTP 500", 500), "some": ("HTTP 500", 500), "all": ("One", 500)
    }  # fmt: skip


async def test_a_question_that_the_service_holds_may_take_longer(vm: str) -> None:
    """The answer comes with a call's twentieth feed: after a silence that only what is held lives through."""
    enough = {name: asyncio.Event() for name in ("asked", "held", "job")}
    gated = {name: Reply(200, PIXELS, frame().headers, gate=event) for name, event in enough.items()}
    async with open_scripted(gated) as server, open_levers(**{n: e.set for n, e in enough.items()}) as levers:
        program = f"""
def begin(name):
    def feed():
        fed.append(1)
        if len(fed) == 20:
            pull(name)

    fed.clear()
    return FrameClient({server.url!r} + "/" + name, panel, feed=feed, timeout=0.7, poll=9, retries=0)

tell("asked", begin("asked").newest)
tell("held", begin("held").newest, wait=9)
tell("job", begin("job").wait, "/jobs/one")
"""
        asked = await ask(vm, program, levers=levers)
    assert {told.name: told.rows for told in asked.told} == {"asked": 0, "held": DISPLAY.height, "job": DISPLAY.height}
    assert "silent" in asked["asked"].error


# --- The watchdog, and the end of connections -------------------------------------------------------------------


async def test_the_watchdog_is_fed_in_silence_and_who_stops_that_leaves_nothing_open(vm: str) -> None:
    """The seventh feed ends the call, as a key would. When the next call comes, its connection is the only one."""
    async with open_scripted({"a": SILENT["before its answer"], "b": frame(hang=20_000), "c": frame()}) as server:
        open_then: list[int] = []

        def look(seen: Seen) -> Reply:
            open_then.append(server.open)
            return server.reply(seen)

        server.standing = look
        program = f"""
def feed():
    fed.append(1)
    if len(fed) == 7:
        raise KeyboardInterrupt

for name in "abc":
    fed.clear()
    client = FrameClient({server.url!r} + "/" + name, panel, feed=feed if name < "c" else None, timeout=60)
    try:
        tell(name, client.newest)
    except KeyboardInterrupt:
        pass
"""
        asked = await ask(vm, program)
    assert asked.gave == {"c": True}
    assert open_then == [1, 1, 1]


async def test_after_every_call_its_connection_is_closed(vm: str) -> None:
    """The server leaves all of them open: one after the other is closed by the client."""
    kind = (("Content-Type", "application/json"),)
    replies = {
        "drawn": frame(hang=len(PIXELS)),
        "the same": Reply(304, hang=0),
        "none yet": Reply(404, b'{"error": "No picture yet"}', kind, hang=27),
        "refused": Reply(401, b'{"error": "No"}', kind, hang=15),
        "busy": Reply(503, b'{"error": "No"}', kind, hang=15),
        "no frame": Reply(200, b"<html>", hang=6),
        "another": frame(x_image_width="5", hang=len(PIXELS)),
        "no HTTP": Reply(raw=b"SSH-2.0\r\n\r\n", hang=0),
        "the last": frame(),
    }
    open_then: list[int] = []
    async with open_scripted(replies) as server:

        def look(seen: Seen) -> Reply:
            open_then.append(server.open)
            return server.reply(seen)

        server.standing = look
        asked = await ask(vm, each(replies, server.url, "newest()", retries=1, timeout=60))
    assert [told.gave for told in asked.told] == [True, False, False, None, None, None, None, None, True]
    assert open_then == [1] * (len(replies) + 1)  # who is too busy is asked twice
