"""The demo painter's routes beside its generations: A1111's other ones, answered by path and method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qs, unquote

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import BodyTooLarge, UpstreamError
from pico_a1111_proxy.jobs import Route
from pico_a1111_proxy.proxy import RelayRequest
from pico_a1111_proxy.upstreams.demo.catalogue import ACKNOWLEDGED, DOCUMENTS, REFUSED
from pico_a1111_proxy.upstreams.demo.easel import Easel
from pico_a1111_proxy.upstreams.demo.fields import (
    Table,
    error_answer,
    json_answer,
    read_object,
    read_tables,
    read_truth,
)
from pico_a1111_proxy.upstreams.demo.options import Options
from pico_a1111_proxy.upstreams.demo.pnginfo import tell_png_info

LARGEST_FORM = 100_000  # bytes of a body that holds no picture

_NOT_FOUND = json_answer({"detail": "Not Found"}, 404)
_PAGE = Answer(
    200,
    (("Content-Type", "text/html; charset=utf-8"),),
    b"<!doctype html><title>demo painter</title><p>The demo painter draws here, without a model.",
)


@dataclass(frozen=True)
class _Call:
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


class Routes:
    """Answers what is no generation; what it answers of the drawing, it asks the `easel`."""

    def __init__(self, easel: Easel) -> None:
        self._easel = easel
        self._options = Options()
        self._table: dict[str, dict[str, _Handler]] = {
            **{path: {"GET": _always(document)} for path, document in DOCUMENTS.items()},
            **{path: {"POST": _always(document)} for path, document in ACKNOWLEDGED.items()},
            **{path: {"POST": _always(error_answer(500, "HTTPException", words))} for path, words in REFUSED.items()},
            # Generations wait at the gate and come by another way; here one could go around it.
            **{f"/sdapi/v1/{route}": {"POST": _always(_NOT_FOUND)} for route in get_args(Route)},
            "/": {"GET": _always(_PAGE)},
            "/sdapi/v1/progress": {"GET": self._tell_progress},
            "/sdapi/v1/interrupt": {"POST": self._interrupt},
            "/sdapi/v1/skip": {"POST": self._skip},
            "/sdapi/v1/options": {"GET": self._tell_options, "POST": self._change_options},
            "/sdapi/v1/png-info": {"POST": _tell_png_info},
            "/internal/progress": {"POST": self._tell_task},
            "/internal/pending-tasks": {"GET": self._tell_waiting},
        }

    async def answer(self, request: RelayRequest) -> Answer:
        """The answer to `request`. Raises BodyTooLarge, and whatever reading the body raises."""
        path, _, query = request.target.partition("?")
        handlers = self._table.get(unquote(path).rstrip("/") or "/", {})
        if not handlers:
            return _NOT_FOUND
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = ", ".join([*handlers, "HEAD"] if "GET" in handlers else handlers)
            refusal = json_answer({"detail": "Method Not Allowed"}, 405)
            return Answer(405, (*refusal.headers, ("Allow", allowed)), refusal.body)
        try:
            said = await handler(_Call(parse_qs(query), request.body))
        except UpstreamError as error:
            if error.answer is None:
                raise
            return error.answer
        return said if isinstance(said, Answer) else json_answer(said)

    async def _tell_progress(self, call: _Call) -> dict[str, Any]:
        return await self._easel.tell(not read_truth(call.query.get("skip_current_image", [""])[-1]))

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


async def _tell_png_info(call: _Call) -> dict[str, Any]:
    return await asyncio.to_thread(tell_png_info, await call.read())


def _always(said: Any) -> _Handler:
    answer = said if isinstance(said, Answer) else json_answer(said)

    async def answer_it(_: _Call) -> Answer:
        return answer

    return answer_it


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
