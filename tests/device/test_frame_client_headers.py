"""Answers that a frame can be read from, however they are written and in whatever pieces they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle

from device.asking import DISPLAY, PIXELS, ask, bare, each, frame, open_scripted
from fakes.a1111 import Reply
from fakes.byhand import open_by_hand

LENGTH = str(len(PIXELS))


def written(change: Callable[[str, str], str], *more: str, first: str = "HTTP/1.1 200 OK") -> Reply:
    """A frame of seed 7 whose headers are written as `change` makes them of name and value."""
    named = [*frame(x_image_seed="7").headers, ("Content-Length", LENGTH)]
    lines = [first, *more, *(change(name, value) for name, value in named), *more]
    return Reply(raw="\r\n".join([*lines, "", ""]).encode("latin-1") + PIXELS)


def plain(name: str, value: str) -> str:
    return f"{name}: {value}"


WHOLE: dict[str, Reply] = {
    "as it is": written(plain),
    "lower case": written(lambda name, value: f"{name.lower()}: {value}"),
    "upper case": written(lambda name, value: f"{name.upper()}: {value}"),
    "no blank": written(lambda name, value: f"{name}:{value}"),
    "many blanks": written(lambda name, value: f"{name}:   {value}  "),
    "tabs": written(lambda name, value: f"{name}:\t{value}\t"),
    "each of them twice": written(lambda name, value: f"{name}: {value}\r\n{name}: {value}"),
    "a folded line": written(plain, "X-Note: one", " two", "\tthree"),
    "a folded line with a colon": written(plain, "X-Note: one", " two: three"),
    "a line without a colon": written(plain, "no header at all"),
    "an empty name": written(plain, ": nothing"),
    "a value with colons": written(plain, "Date: Wed, 21 Oct 2026 07:28:00 GMT"),
    "a value in Latin 1": written(plain, "Server: Caf\xe9"),
    "a name in Latin 1": written(plain, "Caf\xe9: 1"),
    "HTTP/1.0": written(plain, first="HTTP/1.0 200 OK"),
    "no words after the status": written(plain, first="HTTP/1.1 200"),
    "other words after it": written(plain, first="HTTP/1.1 200 C'est bien\xe9"),
    "a kind with a charset": bare(frame(content_type="application/octet-stream; charset=x", x_image_seed="7"),
                                  Content_Length=LENGTH),
    "more than announced": Reply(raw=written(plain).raw + b"#" * 100_000),  # type: ignore[operator]
    "a connection that stays open": frame(hang=len(PIXELS), x_image_seed="7"),
    "a fuller head": written(plain, *(f"X-Number-{number}: {'x' * 40}" for number in range(25))),
}  # fmt: skip


async def test_however_its_headers_are_written_a_frame_is_drawn(vm: str) -> None:
    program = """
    tell(name + ", seed and tag", lambda: (client.seed, client.etag))
"""
    async with open_scripted(WHOLE) as server:
        asked = await ask(vm, each(WHOLE, server.url, "newest()", retries=0, timeout=5) + program)
    for name in WHOLE:
        assert (asked[name].error, asked[name].gave, asked[name].rows) == ("", True, DISPLAY.height), asked[name]
        assert asked[f"{name}, seed and tag"].gave == [7, '"one"']
    assert asked.pixels == PIXELS


async def test_the_seed_is_a_number_or_not_known(vm: str) -> None:
    seeds = {"zero": "0", "large": str(2**64 - 1), "negative": "-1", "a word": "x", "empty": "", "none": None}
    replies = {name: [frame(x_image_seed="7"), frame(x_image_seed=seed)] for name, seed in seeds.items()}
    program = """
    tell(name + ", first", lambda: client.seed)
    tell(name + ", second", client.newest)
    tell(name + ", seed", lambda: client.seed)
"""
    async with open_scripted(replies) as server:
        asked = await ask(vm, each(replies, server.url, "newest()") + program)
    assert {asked[f"{name}, first"].gave for name in seeds} == {7}
    assert [asked[f"{name}, seed"].gave for name in seeds] == [0, 2**64 - 1, None, None, None, None]


async def test_a_frame_comes_whole_in_the_smallest_pieces(vm: str) -> None:
    """The head byte by byte, the pixels in pieces that fit into no row and no band."""
    whole = written(plain).raw
    assert whole is not None
    edge = len(whole) - len(PIXELS) + 300
    sizes = cycle([1, 2, 3, 319, 321, 640, 1, 3839, 3841])
    async with open_by_hand() as server:
        program = f"""
tell("drawn", FrameClient({server.url!r}, panel, feed=feed).newest)
"""
        running = asyncio.create_task(ask(vm, program))
        exchange = await server.next()
        for at in range(edge):
            await exchange.write(whole[at : at + 1])
            await asyncio.sleep(0)
        while edge < len(whole):
            size = next(sizes)
            await exchange.write(whole[edge : edge + size])
            await asyncio.sleep(0)
            edge += size
        asked = await running
        assert await exchange.hear_rest() == b""
    assert asked.gave == {"drawn": True}
    assert asked["drawn"].rows == DISPLAY.height
    assert asked.pixels == PIXELS
