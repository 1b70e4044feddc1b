"""Reading: what the functions of routes are given, read by ourselves; FastAPI writes the document of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

Options = TypeVar("Options", bound=BaseModel)
Read = Callable[[Request], Awaitable[Any]]


class PlainRoute(APIRoute):
    """A route whose function takes the request, what its path names, and one model of its query; and answers itself.

    Its parameters are written as FastAPI has them, and so are in /openapi.json. But FastAPI's own way of reading them
    takes longer than all that is done for a frame that is at hand.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own hook. Raises TypeError for a parameter of another kind."""
        endpoint = self.endpoint
        parameters = inspect.signature(endpoint, eval_str=True).parameters
        readers = {name: _reader(parameter.annotation) for name, parameter in parameters.items()}

        async def handle(request: Request) -> Response:
            """Call the route's function with what the request says."""
            given = {name: await read(request) for name, read in readers.items()}
            response: Response = await endpoint(**given)
            return response

        return handle


def read_query(request: Request, model: type[Options]) -> Options:
    """The query of `request` as `model`, of a repeated parameter the last. Raises RequestValidationError."""
    if not request.scope["query_string"]:
        unsaid: Options = _unsaid(model)
        return unsaid
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError([{**fault, "loc": ("query", *fault["loc"])} for fault in faults]) from None


@cache
def _unsaid(model: type[Options]) -> Options:
    return model.model_validate({})


def _reader(annotation: Any) -> Read:
    if annotation is Request:
        return _itself
    if get_origin(annotation) is Annotated:
        kind, how = get_args(annotation)
        if isinstance(how, Query):
            return lambda request: _query(request, kind)
        if isinstance(how, Depends) and how.dependency:
            named = how.dependency
            return lambda request: named(request, **request.path_params)
    raise TypeError(f"A parameter that is read by nobody: {annotation}")


async def _itself(request: Request) -> Request:
    return request


async def _query(request: Request, model: type[Options]) -> Options:
    return read_query(request, model)
