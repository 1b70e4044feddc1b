"""What we read of a request is what FastAPI would read of it, and what was read before is read the same."""

from __future__ import annotations

import json
import math
from itertools import permutations
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.web.bases import OF_A_DISPLAY, NamedDisplay
from pico_a1111_proxy.web.errors import add_error_handlers
from pico_a1111_proxy.web.frames import NewestOptions, PushOptions
from pico_a1111_proxy.web.options import FrameOptions, RenderOptions
from pico_a1111_proxy.web.reading import PlainRoute
from pico_a1111_proxy.web.sdapi import SMALL_BODY, RequestRules

NAME = next(iter(DISPLAYS))
QUERIES = [
    *("", "&", "=", "x", "t=1&t=2", "rotate=90", "rotate=90&rotate=180", "rotate=180&rotate=1", "rotate=", "rotate"),
    *("width=0", "width=240&height=x", "width=+7", "width=%20%207", "width=7.0", "width=1e2", "format=rgb565-be"),
    *("format=RGB", "invert=yes", "invert=2", "invert=", "background=%23ff0000", "background=red", "index=1"),
    *("index=-1", "index=", "answer=frame&answer=json", "answer=PNG", "wait=3", "wait=-1", "wait=nan", "publish=no"),
    *("rotat=90", "display=default", "display=", "fit=%FF", "fit=%u1234", "dither=n%00one", "a=%zz&rotate=90;90"),
    "rotate=1&width=0&fit=x&dither=y",
]


class _Displays:
    displays = DISPLAYS


def app_of(route_class: type[APIRoute], model: Any) -> FastAPI:
    """An application whose one route says what it was given."""
    router = APIRouter(route_class=route_class)

    async def say(request: Request, named: NamedDisplay, options: Annotated[model, Query()]) -> Response:
        further = sorted(options.model_extra or {})
        return JSONResponse([request.method, named.name, options.model_dump(include=set(model.model_fields)), further])

    say.__annotations__["options"] = Annotated[model, Query()]  # which is known here only
    say.__annotations__["request"], say.__annotations__["named"] = Request, NamedDisplay
    router.get("/said", response_class=Response)(say)
    app = FastAPI()
    app.include_router(router, prefix=OF_A_DISPLAY)
    add_error_handlers(app)
    return app


async def ask(app: FastAPI, path: str, query: str) -> tuple[int, bytes]:
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path, "headers": []}
    more = {"query_string": query.encode(), "raw_path": path.encode(), "root_path": "", "state": {"service": _Displays}}
    await app({**scope, **more}, receive, send)
    return told[0]["status"], told[1]["body"]


@pytest.mark.parametrize("model", [RenderOptions, FrameOptions, NewestOptions, PushOptions])
async def test_the_query_is_read_as_fastapi_reads_it(model: Any) -> None:
    ours, theirs = app_of(PlainRoute, model), app_of(APIRoute, model)
    statuses = set()
    for query in QUERIES:
        got = await ask(ours, f"/displays/{NAME}/said", query)
        assert got == await ask(theirs, f"/displays/{NAME}/said", query), query
        statuses.add(got[0])
    assert statuses == {200, 422}


async def test_an_unknown_name_comes_before_a_bad_query() -> None:
    for route_class in (PlainRoute, APIRoute):
        status, body = await ask(app_of(route_class, FrameOptions), "/displays/nobody/said", "rotate=1")
        assert (status, json.loads(body)["code"]) == (404, 404)


def test_the_document_is_fastapis_own() -> None:
    assert app_of(PlainRoute, NewestOptions).openapi() == app_of(APIRoute, NewestOptions).openapi()


def test_a_parameter_of_another_kind_is_refused_at_once() -> None:
    router = APIRouter(route_class=PlainRoute)

    async def odd(width: int) -> Response:
        return Response(str(width))

    with pytest.raises(TypeError, match="int"):
        router.get("/odd", response_class=Response)(odd)


def request(client: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "state": {"client": client}})


BODY = b'{"prompt": "again", "seed": 7}'
JSON = "application/json"
DISPLAY, OTHER = list(DISPLAYS.values())[:2]
RULES = RequestRules("json", 10**6, image_urls=False, realm="a")
READINGS: list[tuple[RequestRules, Request, Job]] = [
    (RULES, request(content_type=JSON), Job("txt2img", BODY, DISPLAY)),
    (RULES, request("me", content_type=JSON), Job("txt2img", BODY, DISPLAY)),
    (RULES, request(content_type=JSON, prefer="wait=3"), Job("txt2img", BODY, DISPLAY)),
    (RULES, request(content_type=JSON, cache_control="no-cache"), Job("txt2img", BODY, DISPLAY)),
    (RULES, request(content_type=JSON), Job("img2img", BODY, DISPLAY)),
    (RULES, request(content_type=JSON), Job("txt2img", BODY, OTHER)),
    (RULES, request(content_type=JSON), Job("txt2img", BODY, DISPLAY, "all")),
    (RULES, request(content_type=JSON), Job("txt2img", BODY, DISPLAY, index=1)),
    (RULES, request(content_type=JSON), Job("txt2img", BODY, DISPLAY, query="x=1")),
    (RequestRules("json", 10**6, image_urls=False, realm="b"), request(), Job("txt2img", BODY, DISPLAY)),
]


def test_what_was_read_before_is_read_the_same_and_nothing_else() -> None:
    # So large that it is not known again.
    large = b" " * SMALL_BODY + BODY
    fresh = []
    for rules, asked, job in READINGS:
        read = rules.job(asked, Job(job.route, large, job.display, job.wanted, job.index, job.query))
        fresh.append(Job(**{**vars(read), "body": BODY}))
    assert len(set(fresh)) == len(READINGS)
    assert {job.patience for job in fresh} == {3.0, math.inf}
    for order in (range(len(READINGS)), reversed(range(len(READINGS))), range(len(READINGS))):
        for at in order:
            rules, asked, job = READINGS[at]
            assert rules.job(asked, job) == fresh[at]


def test_what_is_refused_is_refused_again() -> None:
    job = Job("txt2img", BODY, DISPLAY)
    for kinds in permutations((JSON, "text/plain")):
        for kind in kinds * 2:
            if kind == JSON:
                assert RULES.job(request(content_type=kind), job).key
            else:
                with pytest.raises(BadRequest, match="text/plain"):
                    RULES.job(request(content_type=kind), job)
