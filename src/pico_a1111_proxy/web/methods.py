"""Methods: who asks for a path with another method than it has is told which there are."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


def refuse_other_methods(router: APIRouter, path: str, allowed: str) -> None:
    """Answer 405 and `allowed`, such as "GET, HEAD", for what the router's earlier routes for `path` left over.

    The router itself would name the methods of its first route only.
    """
    router.routes.append(Route(router.prefix + path, _OtherMethod(allowed), include_in_schema=False))


class _OtherMethod:
    """ASGI. A class, since a function would get GET only."""

    def __init__(self, allowed: str) -> None:
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        raise HTTPException(405, headers={"Allow": self._allowed})
