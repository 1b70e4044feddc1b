"""The story: a Job comes in, passes the gate, an upstream generates, a thread converts, a Rendering goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pico_a1111_proxy.answers import Answer, Headers
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import BadRequest, PictureError, ProxyError, UpstreamNonsense
from pico_a1111_proxy.frames import Frame, convert, preview
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Generation, Job, Progress, Rendering
from pico_a1111_proxy.newest import Newest, Published, arrival
from pico_a1111_proxy.testcards import draw_testcard

T = TypeVar("T")


@dataclass(frozen=True)
class Condition:
    """How an upstream is: its kind (`a1111`, `demo`), whether it can be used, and what is wrong if not."""

    kind: str
    usable: bool
    words: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on the way to an upstream, and in plain words what to do about it."""

    what: str
    good: bool
    words: str


@dataclass(frozen=True)
class RelayRequest:
    """A client's request on its way up: `target` is path and query as the client wrote them.

    `headers` hold nothing that belongs to the client's connection and none of its credentials. `body` comes as it
    arrives, at most once; None is no body.
    """

    method: str
    target: str
    headers: Headers
    body: AsyncIterator[bytes] | None = None


@dataclass(frozen=True)
class RelayAnswer:
    """An upstream's answer on its way down: `body` comes as it arrives, at most once, in the coding it came in."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes]


class Upstream(Protocol):
    """Whatever generates pictures: a web UI, the demo painter, one day a pool or a fleet of them."""

    async def generate(self, job: Job) -> Generation:
        """Generate once, never twice. Raises UpstreamError."""
        ...

    def relay(self, request: RelayRequest) -> AbstractAsyncContextManager[RelayAnswer]:
        """Pass on what is no generation, once; closed with its block. Raises UpstreamError, also from the body."""
        ...

    async def abandon(self, job: Job) -> None:
        """Nobody waits for `job` any more, whose `generate` has ended with a time-out or a cancellation.

        Stops it where it is known to be the one that runs. Returns when the upstream is idle, or cannot say.

        Never raises.
        """
        ...

    async def progress(self) -> Progress:
        """How far the running generation is, whoever's it is. Raises UpstreamError."""
        ...

    async def check(self) -> Condition:
        """Whether it can be used now; never raises for an upstream that can't."""
        ...

    def examine(self) -> AsyncIterator[Finding]:
        """Walk the way to it step by step and tell each; ends after the first bad one."""
        ...


@dataclass(frozen=True)
class CacheFigures:
    """What a cache has done since the start, and what it holds: `trouble` counts what went wrong, each a miss."""

    hits: int = 0
    misses: int = 0
    trouble: int = 0
    entries: int = 0
    bytes: int = 0


class Cache(Protocol):
    """Remembers an upstream's answers by the key of their job; trouble with it is a counted miss, never an error."""

    async def get(self, key: str) -> Answer | None:
        """What was set last, if it is still there and not too old."""
        ...

    async def set(self, key: str, answer: Answer) -> None:
        """Remember `answer`, if there is room for it; others may be forgotten for it."""
        ...

    async def clear(self) -> None:
        """Forget everything. What is set after the call stays."""
        ...

    def figures(self) -> CacheFigures:
        """How it goes; from memory, at once."""
        ...


class Proxy:
    """Renders jobs with one upstream, and publishes what it renders.

    `converters` is the bounded pool of threads that convert.
    """

    def __init__(self, upstream: Upstream, gate: Gate, converters: Executor, newest: Newest) -> None:
        self.upstream = upstream
        self.gate = gate
        self._newest = newest
        self._converters = converters
        self._work: set[asyncio.Task[Rendering]] = set()

    async def render(self, job: Job) -> Rendering:
        """Generate and convert `job`. Raises any ProxyError.

        Cancelled in line, it leaves the line and nothing goes upstream. Cancelled later, the work goes on without
        its client and keeps its place: no server stops drawing because somebody hung up.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.gate.enter())
            work = asyncio.create_task(self._generate(job, stack.pop_all()))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        try:
            await asyncio.wait([work])  # which, cancelled, leaves the work alone
        except asyncio.CancelledError:
            work.add_done_callback(_tell_surprise)
            raise
        return work.result()

    async def close(self) -> None:
        """End all work that is still going on: whoever waited for it has been sent away by now."""
        await asyncio.sleep(0)  # work that was never begun would not give its place back
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def convert(self, picture: bytes, display: Display) -> Frame:
        """The frame of an encoded picture. Raises PictureError."""
        return await self._in_thread(convert, picture, display)

    async def preview(self, frame: Frame, display: Display) -> bytes:
        """A PNG of what the panel of `display` shows of `frame`."""
        return await self._in_thread(preview, frame, display)

    async def testcard(self, display: Display) -> bytes:
        """The test card of `display` as a PNG."""
        return await self._in_thread(draw_testcard, display)

    async def _generate(self, job: Job, place: AsyncExitStack) -> Rendering:
        # The place is held until the frames are made: what is in flight is bounded in memory too, not only in number.
        async with place:
            generation = await self.upstream.generate(job)
            number = arrival()
            if job.wanted == "none":
                return Rendering(generation)
            rendering = await self._in_thread(develop, job, generation)
        # Also for a client that has left: it finds its picture there.
        seed = generation.seed(rendering.index)
        published = Published(rendering.picture, len(generation.pictures), seed, number)
        self._newest.publish(job.display.name, published)
        return rendering

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._converters, function, *args)


def _tell_surprise(work: asyncio.Task[Rendering]) -> None:
    """Let asyncio log what went wrong for nobody, unless it is one of our errors, which only its client would need."""
    error = None if work.cancelled() else work.exception()
    if error and not isinstance(error, ProxyError):
        context = {"message": "A generation failed after its client had left", "exception": error, "task": work}
        work.get_loop().call_exception_handler(context)


def develop(job: Job, generation: Generation) -> Rendering:
    """Make the frames that `job` wants of `generation`. Runs in a thread; raises ProxyError."""
    if not generation.pictures:
        _explain_no_picture(generation)
    indices = generation.pictures if job.wanted == "all" else (_choose(job.index, generation),)
    first = generation.picture(indices[0])
    # One after the other: what is decoded of the others need not be held together.
    others = (convert(generation.picture(i), job.display) for i in indices[1:])
    return Rendering(generation, (convert(first, job.display), *others), indices[0], first)


def _choose(index: int | None, generation: Generation) -> int:
    if index is None:
        # Extensions may have put a string that is no picture where A1111 says the first image is.
        return next((i for i in generation.pictures if i >= generation.first), generation.pictures[0])
    if index not in generation.pictures:
        good = ", ".join(map(str, generation.pictures))
        raise BadRequest(f"index: {index} is no picture of this answer; there are {good}")
    return index


def _explain_no_picture(generation: Generation) -> None:
    if any(isinstance(image, str) and image.strip() for image in generation.images):
        raise PictureError("Failed to process image: none of the upstream's images is a picture")
    raise UpstreamNonsense("The upstream's answer holds no picture", answer=generation.answer)
