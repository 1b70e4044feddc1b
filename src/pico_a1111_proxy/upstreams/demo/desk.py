"""The desk: A1111's other routes, answered by path and method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qs, unquote

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import BodyTooLarge, PictureError, QueueFull, UpstreamError
from pico_a1111_proxy.jobs import Route
from pico_a1111_proxy.proxy import RelayRequest
from pico_a1111_proxy.upstreams.demo.catalogue import LISTS, NODS
from pico_a1111_proxy.upstreams.demo.easel import Easel
from pico_a1111_proxy.upstreams.demo.extras import enhance_many, enhance_one
from pico_a1111_proxy.upstreams.demo.fields import Table, json_answer, read_object, read_tables
from pico_a1111_proxy.upstreams.demo.options import Options
from pico_a1111_proxy.upstreams.demo.pnginfo import interrogate, invalid_image, tell_png_info

LARGEST_FORM = 100_000  # bytes of a body that holds no picture
MOST_EXTRAS = 4  # pictures being made larger, or waiting for that, or on their way back

EXTRAS = {"/sdapi/v1/extra-single-image": enhance_one, "/sdapi/v1/extra-batch-images": enhance_many}
_TRUE = frozenset(("1", "on", "t", "true", "y", "yes"))
_PAGE = Answer(
    200,
    (("Content-Type", "text/html; charset=utf-8"),),
    b"<!doctype html><title>demo painter</title><p>The demo painter draws here, without a model.",
)


@dataclass(frozen=True)
class _Call:
    path: str
    query: dict[str, list[str]]
    body: AsyncIterator[bytes] | None

    async def read(self, most: int | None = None) -> bytes:
        """The body, whole. Raises BodyTooLarge over `most` bytes."""
        body = bytearray()
        async for chunk in self.body or _nothing():
            body += chunk
            if most is not None and len(body) > most:
                raise BodyTooLarge(f"The body is over {most // 1000} kB")
        return bytes(body)


_Handler = Callable[[_Call], Awaitable[Any]]  # gives an Answer, or what is said as JSON


class Desk:
    """Answers what is no generation; what it answers of the drawing, it asks the `easel`."""

    def __init__(self, easel: Easel) -> None:
        self._easel = easel
        self._options = Options()
        self._extras = 0
        self._table: dict[str, dict[str, _Handler]] = {
            **{path: {"GET": _always(document)} for path, document in LISTS.items()},
            **{path: {"POST": _always(document)} for path, document in NODS.items()},
            **{path: {"POST": self._enhance} for path in EXTRAS},
            **{f"/sdapi/v1/{route}": {"POST": _draw_elsewhere} for route in get_args(Route)},
            "/": {"GET": _always(_PAGE)},
            "/sdapi/v1/progress": {"GET": self._tell_progress},
            "/sdapi/v1/interrupt": {"POST": self._interrupt},
            "/sdapi/v1/skip": {"POST": self._skip},
            "/sdapi/v1/options": {"GET": self._tell_options, "POST": self._change_options},
            "/sdapi/v1/png-info": {"POST": _tell_png_info},
            "/sdapi/v1/interrogate": {"POST": _interrogate},
            "/internal/progress": {"POST": self._tell_task},
            "/internal/pending-tasks": {"GET": self._tell_waiting},
        }

    @asynccontextmanager
    async def answer(self, request: RelayRequest) -> AsyncIterator[Answer]:
        """The answer to `request`. Raises BodyTooLarge, QueueFull, and whatever reading the body raises."""
        path, _, query = request.target.partition("?")
        call = _Call(unquote(path).rstrip("/") or "/", parse_qs(query), request.body)
        extra = call.path in EXTRAS and request.method == "POST"
        if extra and self._extras >= MOST_EXTRAS:
            raise QueueFull("The demo painter is busy with other pictures", retry_after=2)
        self._extras += extra
        try:
            yield await self._respond(request.method, call)
        finally:
            self._extras -= extra

    async def _respond(self, method: str, call: _Call) -> Answer:
        handlers = self._table.get(call.path, {})
        if not handlers:
            return json_answer({"detail": "Not Found"}, 404)
        handler = handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join([*handlers, "HEAD"] if "GET" in handlers else handlers)
            refusal = json_answer({"detail": "Method Not Allowed"}, 405)
            return Answer(405, (*refusal.headers, ("Allow", allowed)), refusal.body)
        try:
            said = await handler(call)
        except UpstreamError as error:
            if error.answer is None:
                raise
            return error.answer
        return said if isinstance(said, Answer) else json_answer(said)

    async def _tell_progress(self, call: _Call) -> dict[str, Any]:
        return await self._easel.tell(call.query.get("skip_current_image", [""])[-1].lower() not in _TRUE)

    async def _interrupt(self, _: _Call) -> dict[str, Any]:
        self._easel.interrupt()
        return {}

    async def _skip(self, _: _Call) -> None:
        self._easel.skip()

    async def _tell_options(self, _: _Call) -> dict[str, Any]:
        return self._options.tell()

    async def _change_options(self, call: _Call) -> None:
        self._options.change(read_object(await call.read(LARGEST_FORM)))

    async def _tell_waiting(self, _: _Call) -> dict[str, Any]:
        return {"size": len(self._easel.waiting), "tasks": list(self._easel.waiting)}

    async def _tell_task(self, call: _Call) -> dict[str, Any]:
        table: Table = {"str": {"id_task": ""}, "int": {"id_live_preview": -1}, "bool": {"live_preview": True}}
        asked = read_tables(await call.read(LARGEST_FORM), table)
        return await self._easel.tell_of_task(asked["id_task"], asked["id_live_preview"], asked["live_preview"])

    async def _enhance(self, call: _Call) -> Any:
        body = await call.read()
        async with self._easel.turn():
            try:
                return await _to_the_end(EXTRAS[call.path], body)
            except PictureError as error:
                raise invalid_image(error) from error


async def _to_the_end(function: Callable[[bytes], Any], body: bytes) -> Any:
    """Call it in a thread and stay until that ends, even where the client leaves: only then is its memory free."""
    work = asyncio.ensure_future(asyncio.to_thread(function, body))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        work.exception()  # looked at, lest asyncio complain
        raise


async def _draw_elsewhere(_: _Call) -> Answer:
    # Generations wait at the gate and come by another way; here one could go around it.
    return json_answer({"detail": "Not Found"}, 404)


async def _tell_png_info(call: _Call) -> dict[str, Any]:
    return await asyncio.to_thread(tell_png_info, await call.read())


async def _interrogate(call: _Call) -> dict[str, Any]:
    return await asyncio.to_thread(interrogate, await call.read())


def _always(said: Any) -> _Handler:
    answer = said if isinstance(said, Answer) else json_answer(said)

    async def answer_it(_: _Call) -> Answer:
        return answer

    return answer_it


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
