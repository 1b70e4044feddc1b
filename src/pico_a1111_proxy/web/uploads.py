"""Uploads: how much of all request bodies is held at once, and who waits until there is room."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pico_a1111_proxy.errors import QueueFull, whole_retry
from pico_a1111_proxy.web.leaving import unless_left

FREE = 2**16  # bytes of a body that need no room: a device's prompt never waits
LEAST_ROOM = 64_000_000  # bytes
LONGEST_LINE = 64  # who wait for room, each with a little of its body in buffers
STEP = 2**18  # bytes of room that a slow body takes at a time
_FIRST_GUESS_SECONDS = 2.0  # for how long a body is held, before one was
_WEIGHT_OF_NEWEST = 0.2


def enough_for(largest: int) -> int:
    """The room that a service should have whose largest body has so many bytes."""
    return max(LEAST_ROOM, 2 * largest)


class Room:
    """Room for `size` bytes of request bodies. Who finds none waits in line, for up to `patience` seconds.

    A body has `lease` seconds to arrive in the room that it promised to fill; what is not there by then is taken from
    it, and it gets room as it comes: else a few slow ones would keep everybody out.
    """

    def __init__(self, size: int, clock: Callable[[], float], patience: float = 5.0, lease: float = 2.0) -> None:
        self.size = size
        self.free = size
        self.clock = clock
        self.lease = lease
        self._patience = patience
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._seconds_held = _FIRST_GUESS_SECONDS  # the moving average

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    def has(self, amount: int) -> bool:
        """Whether so many bytes can be had now, without passing anybody."""
        return not self._line and amount <= self.free

    async def take(self, amount: int) -> None:
        """Take so many bytes, in turn. Raises QueueFull; who is cancelled has taken nothing."""
        if self.has(amount):
            self.free -= amount
            return
        if len(self._line) >= LONGEST_LINE:
            raise self._full(amount)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (amount, turn)
        self._line.append(place)
        try:
            await asyncio.wait([turn], timeout=self._patience)
            if not turn.done():
                raise self._full(0)  # its own bytes are in line
        except BaseException:
            if turn.done():
                self.give(amount)
            else:
                self._line.remove(place)
                self.give(0)  # it may have been the large one that held up the others
            raise

    def give(self, amount: int) -> None:
        """Give so many bytes back, and let in who has room now, in their order."""
        self.free += amount
        while self._line and self._line[0][0] <= self.free:
            taken, turn = self._line.popleft()
            self.free -= taken
            turn.set_result(None)

    def learn(self, seconds: float) -> None:
        """Remember for how long a body was held."""
        self._seconds_held += _WEIGHT_OF_NEWEST * (seconds - self._seconds_held)

    def _full(self, amount: int) -> QueueFull:
        before = sum(taken for taken, _ in self._line)
        seconds = (before + amount) / self.size * self._seconds_held
        words = "The service holds too many large requests"
        return QueueFull(words, whole_retry(seconds))


class Hold:
    """What one request holds of the `room`."""

    def __init__(self, room: Room, receive: Receive) -> None:
        self._room = room
        self._receive = receive
        self._ahead: deque[Message] = deque()
        self._bytes_ahead = 0
        self._taken = 0
        self._arrived = 0
        self._since = math.nan  # when it got its first room
        self._timer: asyncio.TimerHandle | None = None
        self._is_handed_over = False

    async def receive(self) -> Message:
        """ASGI's next message, also one that came while the request waited."""
        return self._ahead.popleft() if self._ahead else await self._receive()

    async def promise(self, size: int) -> None:
        """Make room for a body of so many bytes. Raises QueueFull and ClientDisconnect."""
        if size > FREE:
            await self._take(size)
            self._timer = asyncio.get_running_loop().call_later(self._room.lease, self._give_unused)

    async def grow(self, arrived: int, most: int) -> None:
        """Tell how much of the body, of at most `most` bytes, is there. Raises what `promise` raises."""
        self._arrived = arrived
        if arrived <= max(FREE, self._taken):
            return
        if math.isnan(self._since):
            # Nobody knows its length. All at once: two that hold some and wait for more would wait for each other.
            await self.promise(most)
        else:
            await self._take(max(arrived, min(self._taken + STEP, most)) - self._taken)

    def settle(self) -> None:
        """The body is there: give back what it did not need."""
        if self._timer:
            self._timer.cancel()
        self._give_unused()

    def hand_over(self) -> Callable[[], None]:
        """Hold it beyond the end of the request, until the function that this gives is called."""
        self._is_handed_over = True
        return self._release

    def release(self) -> None:
        """Give all back, unless it has been handed over."""
        if not self._is_handed_over:
            self._release()

    def _release(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._taken:
            self._room.learn(self._room.clock() - self._since)
            taken, self._taken = self._taken, 0
            self._room.give(taken)

    def _give_unused(self) -> None:
        unused = self._taken - self._arrived
        if unused > 0:
            self._taken -= unused
            self._room.give(unused)

    async def _take(self, amount: int) -> None:
        if self._room.has(amount):
            await self._take_in_turn(amount)
        else:
            await unless_left(self._look_ahead, self._take_in_turn(amount))

    async def _take_in_turn(self, amount: int) -> None:
        await self._room.take(amount)
        self._taken += amount
        if math.isnan(self._since):
            self._since = self._room.clock()

    async def _look_ahead(self) -> Message:
        """ASGI's next message, which is kept for later: a client that has left is noticed as long as little came."""
        if self._bytes_ahead > FREE:
            await asyncio.get_running_loop().create_future()  # never: uvicorn reads no further, and holds it back
        message = await self._receive()
        self._ahead.append(message)
        self._bytes_ahead += len(message.get("body", b""))
        return message


class Uploads:
    """Gives each request a `Hold` of the `room`, and the room back as soon as its answer begins.

    Not before: a job holds the body until then. Not after: who reads the answer slowly holds it no longer.
    """

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self.app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        hold = Hold(self._room, receive)
        scope.setdefault("state", {})["hold"] = hold

        async def send_and_release(message: Message) -> None:
            if message["type"] == "http.response.start":
                hold.release()
            await send(message)

        try:
            await self.app(scope, hold.receive, send_and_release)
        finally:
            hold.release()
