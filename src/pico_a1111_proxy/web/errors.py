"""The one table from our errors to statuses, and the one shape in which clients see them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pico_a1111_proxy import errors
from pico_a1111_proxy.metrics import CLIENT_LEFT
from pico_a1111_proxy.web.bodies import write_json

# Looked up along the error's MRO, so a subclass without a row takes its parent's.
STATUSES: dict[type[errors.ProxyError], int] = {
    errors.ProxyError: 500,
    errors.BadRequest: 422,
    errors.BodyTooLarge: 413,
    errors.PictureError: 422,
    errors.QueueFull: 503,
    errors.ShuttingDown: 503,
    errors.UpstreamError: 502,
    errors.UpstreamUnavailable: 502,
    errors.FleetUnavailable: 503,
    errors.UpstreamNonsense: 502,
    errors.UpstreamTimeout: 504,
    errors.UpstreamUnauthorized: 401,
    errors.UpstreamRejected: 422,  # only where its own status is not known
}

LONGEST_WORDS = 450  # bytes of JSON; two such sentences keep an error under 1 kB


def status_of(error: errors.ProxyError) -> int:
    """The status that `error` is answered with."""
    if isinstance(error, errors.UpstreamRejected) and error.answer:
        return error.answer.status
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def error_response(status: int, sentence: str, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    """`{"error", "code", "detail"}`: the plan's two, and the one where A1111's clients look."""
    body = {"error": _shorten(sentence), "code": status, "detail": _shorten(detail or sentence)}
    return Response(write_json(body), status, headers, "application/json")


def respond_to(error: errors.ProxyError) -> Response:
    """The answer to a client whose request ended in `error`."""
    headers = {}
    if isinstance(error, (errors.QueueFull, errors.ShuttingDown, errors.FleetUnavailable)):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.UpstreamError) and error.answer:
        # A busy server's own word on when to come back.
        headers |= {name: value for name, value in error.answer.headers if _is_retry_after(name, value)}
    return error_response(status_of(error), str(error), error.detail, headers)


def _is_retry_after(name: str, value: str) -> bool:
    return name.lower() == "retry-after" and value.isascii() and value.isprintable()


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error in our shape."""
    app.add_exception_handler(errors.ProxyError, _on_proxy_error)
    app.add_exception_handler(RequestValidationError, _on_bad_option)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_client_left)


async def _on_proxy_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ProxyError)
    return respond_to(error)


async def _on_bad_option(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [_describe(fault) for fault in error.errors()]
    return error_response(422, faults[0], "; ".join(faults))


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return error_response(error.status_code, error.detail, headers=headers)


async def _on_client_left(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)


def _describe(fault: Any) -> str:
    """Pydantic's words for a bad query option, with the option's name before them."""
    message = fault["msg"].removeprefix("Value error, ")
    return f"{fault['loc'][-1]}: {message[0].lower()}{message[1:]}"


def _shorten(words: str) -> str:
    words = words.encode(errors="replace").decode()  # a lone surrogate would make JSON escape everything
    if len(write_json(words)) <= LONGEST_WORDS:
        return words
    words = words[:LONGEST_WORDS]
    while len(write_json(f"{words}...")) > LONGEST_WORDS:
        words = words[: len(words) * 9 // 10]
    return f"{words}..."
