"""Jobs that end otherwise: they fail, are cancelled or forgotten, their clients leave, the service stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.clients import RawClient, open_raw_client, post
from fakes.jobs import FRAME, LATER, Drawing, begin, queue_of, state_of, until
from pico_a1111_proxy.tickets import Tickets
from service import TXT2IMG, Said, Service, open_service


@pytest.fixture(scope="module")
async def _narrow(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=1, queue_size=2) as service:
        yield service


@pytest.fixture
async def narrow(_narrow: Service, upstream: ScriptedA1111) -> AsyncIterator[Service]:
    """A service with one place and a line of two, nobody in it; `upstream` is as new."""
    yield _narrow
    await queue_of(_narrow, in_flight=0, waiting=0)


@pytest.fixture
async def drawing(upstream: ScriptedA1111) -> AsyncIterator[Drawing]:
    upstream.standing = drawing = Drawing()
    yield drawing
    drawing.now.set()


# --- Ending badly -----------------------------------------------------------------------------------------------


async def test_a_failure_is_told_as_often_as_it_is_asked_for(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = Reply(status=503, body=b"busy", headers=(("retry-after", "9"),))
    path = await begin(service)
    document = await until(service, path, "failed")
    assert (document["code"], document["error"]) == (502, "Upstream A1111 service unavailable")
    for query in ("?wait=60", "", "?answer=json"):
        got = await service.ask("GET", f"{path}/frame{query}")
        assert (got.status, got.json()["error"], got.headers["Retry-After"]) == (502, document["error"], "9")
    assert len(upstream.generations) == 1


async def test_what_the_upstream_refuses_has_its_status(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"detail": "Sampler not found"}, 404)
    path = await begin(service)
    assert (await until(service, path, "failed"))["code"] == 404
    assert (await service.ask("GET", f"{path}/frame")).status == 404


@pytest.mark.parametrize("body", [b"{bad", b"", b"[]"])
async def test_a_bad_request_gets_no_job(service: Service, body: bytes) -> None:
    got = await service.txt2img(body, **LATER)
    assert (got.status, "Location" in got.headers) == (422, False)
    assert (await service.txt2img({}, "?width=x", **LATER)).status == 422


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("?width=10", "width"),
        ("?display=default", "display"),
        ("?index=1", "index"),
        ("?wait=61", "wait"),
        ("?wait=-1", "wait"),
        ("?wait=nan", "wait"),
        ("?answer=original", "answer"),
    ],
)
async def test_what_was_chosen_is_not_chosen_again(service: Service, query: str, word: str) -> None:
    path = await begin(service)
    got = await service.ask("GET", f"{path}/frame{query}")
    assert (got.status, got.json()["error"].startswith(f"{word}: ")) == (422, True)
    assert (await service.ask("GET", f"{path}/frame?wait=60&t=123")).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_job_that_is_not_there(service: Service, method: str) -> None:
    for path in ("/jobs/nothing", "/jobs/nothing/frame", "/jobs/%00%ff"):
        got = await service.ask(method, path)
        if method == "DELETE" and path.endswith("frame"):
            assert got.status == 405
            continue
        assert got.status == 404
        if method != "HEAD":
            assert got.json()["error"] == "No such job: it was never there, or its time is over"


async def test_other_methods_are_told_which_there_are(service: Service) -> None:
    path = await begin(service)
    for method in ("POST", "PUT", "PATCH"):
        got = await service.ask(method, path, {})
        assert (got.status, got.headers["Allow"]) == (405, "DELETE, GET, HEAD")
        got = await service.ask(method, f"{path}/frame", {})
        assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD")
    head = await service.ask("HEAD", path)
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", "application/json")


async def test_what_is_over_is_forgotten_after_its_time(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, job_ttl=0.001) as service:
        path = await begin(service)
        for _ in range(500):
            got = await service.ask("GET", path)
            if got.status == 404:
                return
        pytest.fail(f"It is still there: {got}")


async def test_a_job_needs_the_key(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, service_api_key="k") as service:
        path = await begin(service, x_api_key="k")
        for method, below in (("GET", ""), ("GET", "/frame"), ("DELETE", "")):
            assert (await service.ask(method, path + below)).status == 401
            assert (await service.ask(method, path + below, x_api_key="k")).status in (200, 202)


# --- Cancelling and leaving -------------------------------------------------------------------------------------


async def test_cancelled_in_line_it_is_never_drawn(narrow: Service, upstream: ScriptedA1111, drawing: Drawing) -> None:
    running, queued = [await begin(narrow, {"prompt": name}) for name in "ab"]
    waiting = asyncio.create_task(narrow.ask("GET", f"{queued}/frame?wait=60"))
    for _ in range(2):
        got = await narrow.ask("DELETE", queued)
        assert (got.status, got.json()["state"]) == (200, "cancelled")
    for gone in (await waiting, await narrow.ask("GET", f"{queued}/frame")):
        assert (gone.status, gone.json()["error"]) == (410, "The job was cancelled")
    assert (await state_of(narrow, queued))["state"] == "cancelled"
    await queue_of(narrow, in_flight=1, waiting=0)
    drawing.now.set()
    assert (await narrow.ask("GET", f"{running}/frame?wait=60")).status == 200
    await narrow.frame({"prompt": "c"})
    assert [json.loads(seen.body)["prompt"] for seen in upstream.generations] == ["a", "c"]


async def test_cancelled_at_work_its_place_comes_free(
    narrow: Service, upstream: ScriptedA1111, drawing: Drawing
) -> None:
    drawing.told = {"progress": 0.0, "state": {"job_count": 0}}  # idle as soon as it is asked
    path = await begin(narrow)
    await upstream.wait_for(1)
    assert (await narrow.ask("DELETE", path)).json()["state"] == "cancelled"
    await queue_of(narrow, in_flight=0, waiting=0)
    drawing.now.set()
    assert (await narrow.frame()).status == 200


async def test_what_is_over_is_forgotten_by_a_delete(service: Service) -> None:
    path = await begin(service)
    await until(service, path, "done")
    assert (await service.ask("DELETE", path)).json()["state"] == "done"
    for method in ("GET", "DELETE"):
        assert (await service.ask(method, path)).status == 404


async def test_two_jobs_share_one_generation(narrow: Service, upstream: ScriptedA1111, drawing: Drawing) -> None:
    body = {"seed": 7}
    first, second, third = [await begin(narrow, body) for _ in range(3)]
    asked = asyncio.create_task(narrow.frame(body))
    await upstream.wait_for(1)
    await narrow.ask("DELETE", first)
    drawing.now.set()
    answers = [await narrow.ask("GET", f"{path}/frame?wait=60") for path in (second, third)]
    assert {got.body for got in (*answers, await asked)} == {FRAME.data}
    assert [got.headers["X-Cache"] for got in answers] == ["joined", "joined"]
    assert (await narrow.ask("GET", f"{first}/frame")).status == 410
    assert len(upstream.generations) == 1


def leave(client: RawClient, how: str) -> None:
    client.leave() if how == "with a RST" else client.finish()


@pytest.mark.parametrize("how", ["with a RST", "quietly"])
@pytest.mark.parametrize("wait", ["", ", wait=60"])
async def test_it_goes_on_without_its_client(upstream: ScriptedA1111, drawing: Drawing, how: str, wait: str) -> None:
    async with open_service(a1111_base_url=upstream.url) as fresh:
        async with open_raw_client(fresh.port) as client:
            await client.send(post(TXT2IMG, b'{"prompt": "left"}', f"Prefer: respond-async{wait}"))
            await upstream.wait_for(1)
            leave(client, how)
            for _ in range(20):  # so that the service has seen it
                await fresh.health()
        drawing.now.set()
        await queue_of(fresh, in_flight=0, waiting=0)
        frame = await fresh.ask("GET", "/displays/default/frame?wait=20")
        assert (frame.status, frame.body) == (200, FRAME.data)
    assert len(upstream.generations) == 1
    assert not [seen for seen in upstream.seen if "interrupt" in seen.target]


async def test_who_leaves_while_waiting_only_stops_waiting(narrow: Service, drawing: Drawing) -> None:
    path = await begin(narrow)
    async with open_raw_client(narrow.port) as client:
        await client.send(f"GET {path}/frame?wait=60 HTTP/1.1\r\nHost: pico\r\n\r\n".encode())
        await narrow.health()
        client.leave()
        await narrow.health()
    assert (await state_of(narrow, path))["state"] == "running"
    drawing.now.set()
    assert (await narrow.ask("GET", f"{path}/frame?wait=60")).body == FRAME.data


async def test_a_hundred_wait_for_one(narrow: Service, upstream: ScriptedA1111, drawing: Drawing) -> None:
    path = await begin(narrow)
    waiting = [asyncio.create_task(narrow.ask("GET", f"{path}/frame?wait=60")) for _ in range(100)]
    await upstream.wait_for(1)
    drawing.now.set()
    answers: list[Said] = await asyncio.gather(*waiting)
    assert {(got.status, got.body) for got in answers} == {(200, FRAME.data)}
    assert len(upstream.generations) == 1


# --- The end ----------------------------------------------------------------------------------------------------


async def test_stopping_tells_who_waits_and_finishes_what_is_drawn(upstream: ScriptedA1111, drawing: Drawing) -> None:
    # Longer than the tests wait for an answer.
    async with open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=2, drain_seconds=40) as service:
        assert service.server
        tickets = service.server.config.app.state.service.tickets  # type: ignore[union-attr]
        assert isinstance(tickets, Tickets)
        paths = [await begin(service, {"prompt": name}) for name in "ab"]
        drawn, queued = [asyncio.create_task(service.ask("GET", f"{path}/frame?wait=60")) for path in paths]
        await upstream.wait_for(1)
        await service.health()
        service.server.should_exit = True
        got = await queued
        assert (got.status, got.json()["error"]) == (503, "The service is shutting down")
        assert int(got.headers["Retry-After"]) >= 1
        drawing.now.set()
        assert ((await drawn).status, len((await drawn).body)) == (200, 115200)
    assert tickets.unfinished == 0
    assert len(upstream.generations) == 1
