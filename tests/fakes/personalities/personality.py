"""What every personality has: routes by path and method, refusals in its own words, headers and compression."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import unquote

from fakes.a1111 import SAMPLERS, Reply, ScriptedA1111, Seen

Handler = Callable[[Seen], Reply]
Routes = dict[str, dict[str, Handler]]
Headers = tuple[tuple[str, str], ...]
TXT2IMG, IMG2IMG = "/sdapi/v1/txt2img", "/sdapi/v1/img2img"


class Refused(Exception):
    """A refusal with a status and words: FastAPI's HTTPException and its kin."""

    def __init__(self, status: int, detail: Any, *headers: tuple[str, str]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status, self.detail, self.headers = status, detail, headers


class Crashed(Exception):
    """An exception nobody caught: its class and its words."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind, self.words = kind, words


class Invalid(Exception):
    """A body of the wrong shape; `faults` as the server lists them."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        super().__init__(str(faults))
        self.faults = list(faults)


def tell(document: Any, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """JSON as FastAPI writes it."""
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Reply(status, body, (("content-type", "application/json"), *headers))


def page(text: str, status: int = 200, kind: str = "text/html; charset=utf-8", *headers: tuple[str, str]) -> Reply:
    return Reply(status, text.encode(), (("content-type", kind), *headers))


def fixed(document: Any) -> Handler:
    """A handler that always tells the same."""
    reply = tell(document)
    return lambda _: reply


def has(path: str) -> property:
    """An attribute: whether the server knows "METHOD /path" at all."""
    method, _, target = path.partition(" ")
    return property(lambda self: method in self.routes.get(target, {}))


class Personality:
    """A server with A1111's API: called with a request, it answers as that server would.

    The attributes say what a test may expect: `smallest` is the least txt2img body that is accepted, `wrong` a body
    that is refused with `wrong_status`. `None` as a status stands for a route that is missing.
    """

    name: ClassVar[str]
    picture_format = "PNG"
    # "text" holding JSON, "empty" text, an "object", or "absent"
    info_form = "text"
    has_parameters = True
    interrupt_status: int | None = None
    # What a trailing slash, a wrong method and an unknown path get
    slash_status = 404
    wrong_method_status = 404
    not_found: bytes = b""
    smallest: ClassVar[dict[str, Any]] = {"prompt": "a"}
    wrong: ClassVar[bytes | None] = None
    wrong_status = 422
    # The scheme of Authorization that `credentials` ask for
    scheme: str | None = None
    gzip_from: int | None = None
    puts_grid_first = False
    more_headers: Headers = ()
    # A crash is answered from outside everything that adds headers
    crashes_outside = True

    has_samplers = has("GET /sdapi/v1/samplers")
    has_models = has("GET /sdapi/v1/sd-models")
    has_options = has("GET /sdapi/v1/options")
    has_options_post = has("POST /sdapi/v1/options")
    has_progress = has("GET /sdapi/v1/progress")
    has_interrupt = has("POST /sdapi/v1/interrupt")
    has_skip = has("POST /sdapi/v1/skip")
    has_png_info = has("POST /sdapi/v1/png-info")
    has_tasks = has("POST /internal/progress")
    has_info = property(lambda self: self.info_form != "absent")

    def __init__(self, credentials: tuple[str, str] | None = None, busy: bool = False) -> None:
        self.credentials, self.busy = credentials, busy
        self.routes: Routes = self.make_routes()

    def make_routes(self) -> Routes:
        """Path, then method, then who answers."""
        raise NotImplementedError

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """The size of the picture that a client gets who asks for this one."""
        return width, height

    def count_of(self, batch_size: int = 1, n_iter: int = 1) -> int:
        """How many pictures come, without the grid."""
        return batch_size * n_iter

    @property
    def samplers(self) -> Reply:
        """What the scripted upstream has to tell in the background; credentials are not looked at."""
        known = self.routes.get(SAMPLERS, {}).get("GET")
        seen = Seen("GET", SAMPLERS, [], b"", 0)
        return self._finish(known(seen) if known else self.missing(), seen)

    def play(self, upstream: ScriptedA1111) -> Personality:
        """Let the scripted upstream be this server."""
        upstream.standing, upstream.samplers = self, self.samplers
        return self

    def __call__(self, seen: Seen) -> Reply:
        try:
            reply = self._answer_or_refuse(seen)
        except Crashed as crashed:
            reply = self.crash(crashed)
        except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError) as error:
            # What a handler stumbles over by itself, the server would have stumbled over.
            reply = self.crash(Crashed(type(error).__name__, str(error)))
        else:
            return self._finish(reply, seen)
        return reply if self.crashes_outside else self._finish(reply, seen)

    def _answer_or_refuse(self, seen: Seen) -> Reply:
        try:
            return self.answer(seen)
        except Refused as refused:
            return self.refusal(refused)
        except Invalid as invalid:
            return self.invalid(invalid)

    def answer(self, seen: Seen) -> Reply:
        """By path and method. Raises Refused, Invalid and Crashed."""
        path = self.find(unquote(seen.target.partition("?")[0]))
        methods = self.routes.get(path)
        if methods is None:
            return self.missing(seen)
        handler = methods.get(seen.method)
        if handler is None:
            return self.wrong_method(seen, next(iter(methods)))
        self.check_credentials(seen, path)
        return handler(seen)

    def find(self, path: str) -> str:
        """The path that is looked up for one that was asked for."""
        return path

    def check_credentials(self, seen: Seen, path: str) -> None:
        """Raises Refused. Comes before the body is looked at."""

    def missing(self, seen: Seen | None = None) -> Reply:
        """What an unknown path gets."""
        return Reply(404, self.not_found, ())

    def wrong_method(self, seen: Seen, allowed: str) -> Reply:
        return self.missing(seen)

    def headers_for(self, seen: Seen) -> Headers:
        """What every answer gets on top."""
        return self.more_headers

    def slashless(self, seen: Seen) -> Reply | None:
        """The redirect to a path that is known without its slash."""
        path, mark, query = seen.target.partition("?")
        if len(path) < 2 or not path.endswith("/") or path.rstrip("/") not in self.routes:
            return None
        location = f"http://{seen.header('host')}{path.rstrip('/')}{mark}{query}"
        return Reply(307, b"", (("location", location),))

    def refusal(self, refused: Refused) -> Reply:
        return tell({"detail": refused.detail}, refused.status, *refused.headers)

    def invalid(self, invalid: Invalid) -> Reply:
        return tell({"detail": invalid.faults}, 422)

    def crash(self, crashed: Crashed) -> Reply:
        return page("Internal Server Error", 500, "text/plain; charset=utf-8")

    def _finish(self, reply: Reply, seen: Seen) -> Reply:
        headers, body = (*reply.headers, *self.headers_for(seen)), reply.body
        wants = "gzip" in (seen.header("accept-encoding") or "")
        if self.gzip_from is not None and wants and len(body) >= self.gzip_from:
            body = gzip.compress(body, 1, mtime=0)
            headers = (*headers, ("content-encoding", "gzip"), ("vary", "Accept-Encoding"))
        # With the length of the body that a GET would get, but without the body.
        cut = 0 if seen.method == "HEAD" else reply.cut
        return replace(reply, headers=headers, body=body, cut=cut)
