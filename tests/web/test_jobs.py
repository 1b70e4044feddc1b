"""Jobs over real sockets: posted, asked after, waited for and fetched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.a1111 import ScriptedA1111, answer, said
from fakes.jobs import DEFAULT, FRAME, LATER, PICTURE, PROGRESS, Drawing, begin, queue_of, state_of, until
from fakes.pictures import BLUE, GREEN, RED, png
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from service import RAW, TXT2IMG, Service, open_service


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


# --- From the post to the frame ---------------------------------------------------------------------------------


async def test_posted_waited_for_and_fetched(service: Service, upstream: ScriptedA1111, drawing: Drawing) -> None:
    posted = await service.txt2img({"prompt": "a"}, **LATER)
    path = posted.headers["Location"]
    document = posted.json()
    assert document["id"] == path.removeprefix("/jobs/")
    assert (document["frame"], document["expires_seconds"]) == (f"{path}/frame", None)
    assert 1 <= int(posted.headers["Retry-After"]) <= 120
    assert (posted.headers["Cache-Control"], "X-Cache" in posted.headers) == ("no-store", False)
    await upstream.wait_for(1)
    not_yet = await service.ask("GET", f"{path}/frame?wait=0.01")
    assert (not_yet.status, not_yet.headers["Location"], not_yet.json()["state"]) == (202, path, "running")
    assert int(not_yet.headers["Retry-After"]) >= 1
    waiting = asyncio.create_task(service.ask("GET", f"{path}/frame?wait=60"))
    drawing.now.set()
    got = await waiting
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, FRAME.data, RAW)
    headers = {"X-Image-Width": "240", "X-Image-Height": "240", "X-Image-Format": "rgb565-be", "X-Image-Count": "1"}
    assert {**headers, "X-Image-Seed": "1234", "X-Cache": "miss", "Content-Length": "115200"}.items() <= (
        got.headers.items()
    )
    assert "X-Request-Id" in got.headers
    done = await state_of(service, path)
    assert (done["state"], done["progress"], done["eta_seconds"], done["position"]) == ("done", 1, 0, 0)
    assert 500 < done["expires_seconds"] <= 600
    assert [json.loads(seen.body) for seen in upstream.generations] == [{"prompt": "a"}]


async def test_it_can_be_fetched_again_and_in_every_answer(service: Service, drawing: Drawing) -> None:
    drawing.now.set()
    frame = f"{await begin(service, accept=RAW)}/frame"
    first = await service.ask("GET", f"{frame}?wait=60")
    again = await service.ask("GET", f"{frame}/")
    assert (first.status, first.body, first.headers["ETag"]) == (200, again.body, again.headers["ETag"])
    same = await service.ask("GET", frame, if_none_match=first.headers["ETag"])
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    for query, accept in (("?answer=preview", "*/*"), ("", "image/png")):
        png_of_it = await service.ask("GET", frame + query, accept=accept)
        assert (png_of_it.body, png_of_it.headers["Content-Type"]) == (preview(FRAME, DEFAULT), "image/png")
    for query, accept in (("?answer=json", "*/*"), ("", "application/json")):
        document = (await service.ask("GET", frame + query, accept=accept)).json()
        assert json.loads(document["info"])["frame"]["bytes"] == len(FRAME.data)
        assert len(document["images"]) == 1
    head = await service.ask("HEAD", frame)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "115200")


async def test_json_holds_every_frame(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(png(RED), png(BLUE))
    path = await begin(service)
    await until(service, path, "done")
    document = (await service.ask("GET", f"{path}/frame?answer=json")).json()
    assert len(document["images"]) == 2
    assert (await service.ask("GET", f"{path}/frame")).body == convert(png(RED), DEFAULT).data


async def test_without_pictures_there_are_the_words(service: Service) -> None:
    path = await begin(service, {"send_images": False})
    await until(service, path, "done")
    got = await service.ask("GET", f"{path}/frame")
    assert (got.status, got.json()["error"]) == (404, "The job has no frame: its body has send_images: false")
    assert (await service.ask("GET", f"{path}/frame?answer=json")).json()["images"] == []


@pytest.mark.parametrize(
    ("base", "query"), [("/displays/waveshare-pico-lcd-0.96", ""), ("", "?display=waveshare-pico-lcd-0.96&rotate=180")]
)
async def test_the_display_is_that_of_the_post(service: Service, drawing: Drawing, base: str, query: str) -> None:
    drawing.now.set()
    posted = await service.ask("POST", f"{base}{TXT2IMG}{query}", {}, **LATER)
    got = await service.ask("GET", f"{posted.headers['Location']}/frame?wait=60")
    display = replace(DISPLAYS["waveshare-pico-lcd-0.96"], rotate=180 if query else 0)
    assert got.body == convert(PICTURE, display).data
    newest = await service.ask("GET", "/displays/waveshare-pico-lcd-0.96/frame")
    assert newest.body == convert(PICTURE, DISPLAYS["waveshare-pico-lcd-0.96"]).data


async def test_img2img_and_other_preferences_beside_it(service: Service, drawing: Drawing) -> None:
    drawing.now.set()
    got = await service.ask("POST", "/sdapi/v1/img2img", {}, prefer="handling=lenient, Respond-Async; x=1")
    assert got.status == 202
    assert (await service.txt2img({}, prefer="respond-asynchronously")).status == 200


# --- A post that waits for a while ------------------------------------------------------------------------------


async def test_what_is_done_in_time_is_answered_as_usual(service: Service, drawing: Drawing) -> None:
    drawing.now.set()
    got = await service.frame({}, prefer="respond-async, wait=60")
    assert (got.status, got.body, got.headers["X-Cache"]) == (200, FRAME.data, "miss")
    assert "Preference-Applied" not in got.headers


async def test_what_is_not_done_in_time_is_a_job(narrow: Service, drawing: Drawing) -> None:
    first, second = [await begin(narrow, prefer=f"respond-async, wait={wait}") for wait in (0, 0)]
    # Its time of waiting says nothing of how long it may stand in line.
    assert (await state_of(narrow, second))["state"] == "queued"
    drawing.now.set()
    for path in (first, second):
        assert (await narrow.ask("GET", f"{path}/frame?wait=60")).status == 200


async def test_a_failure_in_time_is_answered_as_usual(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"detail": "no"}, 500)
    got = await service.frame({}, prefer="respond-async, wait=60")
    assert (got.status, got.json()["code"]) == (502, 502)


@pytest.mark.parametrize("path", [f"{TXT2IMG}?answer=original", f"/original{TXT2IMG}"])
async def test_the_original_answer_takes_no_notice(service: Service, upstream: ScriptedA1111, path: str) -> None:
    got = await service.ask("POST", path, {}, **LATER)
    assert (got.status, "Preference-Applied" in got.headers) == (200, False)
    assert got.json()["images"]


# --- Place, progress and the time it takes ----------------------------------------------------------------------


async def test_the_place_in_line_is_told(narrow: Service, upstream: ScriptedA1111, drawing: Drawing) -> None:
    paths = [await begin(narrow, {"n": n}) for n in range(3)]
    documents = [await state_of(narrow, path) for path in paths]
    assert [(one["state"], one["position"]) for one in documents] == [("running", 0), ("queued", 1), ("queued", 2)]
    assert [one["live"] for one in documents] == [True, False, False]
    assert 0 < documents[0]["eta_seconds"] < documents[1]["eta_seconds"] < documents[2]["eta_seconds"]
    full = await narrow.txt2img({}, **LATER)
    assert (full.status, full.json()["error"]) == (503, "The queue is full")
    assert int(full.headers["Retry-After"]) >= 1
    drawing.now.set()
    for path in paths:
        assert (await narrow.ask("GET", f"{path}/frame?wait=60")).status == 200
    assert len(upstream.generations) == 3


async def test_what_is_seen_being_drawn_may_be_anothers(upstream: ScriptedA1111, drawing: Drawing) -> None:
    async with open_service(a1111_base_url=upstream.url, max_workers=2) as fresh:
        paths = [await begin(fresh, {"n": n}) for n in range(2)]
        await upstream.wait_for(2)
        documents = [await state_of(fresh, path) for path in paths]
        assert [(one["state"], one["live"]) for one in documents] == [("running", False)] * 2
        drawing.now.set()
        for path in paths:
            assert (await fresh.ask("GET", f"{path}/frame?wait=60")).status == 200


@pytest.mark.parametrize("of", ["", "/frame"], ids=["the job", "its frame"])
async def test_progress_is_the_upstreams(upstream: ScriptedA1111, drawing: Drawing, of: str) -> None:
    drawing.told = {"progress": 0.6, "eta_relative": 4.5, "state": {"job_count": 1, "sampling_steps": 20}}
    async with open_service(a1111_base_url=upstream.url) as fresh:
        path = await begin(fresh)
        await upstream.wait_for(1)
        for _ in range(500):
            document = (await fresh.ask("GET", path + of)).json()
            if drawing.asked and document["progress"] == 0.6:
                break
        assert (document["state"], document["progress"], document["eta_seconds"]) == ("running", 0.6, 4.5)
        drawing.now.set()
        assert (await fresh.ask("GET", f"{path}/frame?wait=60")).status == 200


async def test_a_hung_upstream_holds_nobody_up(upstream: ScriptedA1111) -> None:
    held = asyncio.Event()
    upstream.standing = replace(answer(PICTURE), gate=held)  # also what it is asked for its progress
    async with open_service(a1111_base_url=upstream.url) as fresh:
        path = await begin(fresh)
        for _ in range(50):
            assert (await state_of(fresh, path))["state"] == "running"
        assert len([seen for seen in upstream.seen if PROGRESS in seen.target]) == 1
        held.set()
        assert (await fresh.ask("GET", f"{path}/frame?wait=60")).status == 200


async def test_openapi_tells_them(service: Service) -> None:
    paths = (await service.ask("GET", "/openapi.json")).json()["paths"]
    assert paths["/jobs/{id}"].keys() == {"get", "delete"}
    assert {"200", "202", "304", "404", "410"} <= paths["/jobs/{id}/frame"]["get"]["responses"].keys()
    assert {"id", "answer", "wait"} == {one["name"] for one in paths["/jobs/{id}/frame"]["get"]["parameters"]}
    for path in ("/sdapi/v1/txt2img", "/sdapi/v1/img2img"):
        assert "202" in paths[path]["post"]["responses"]


async def test_pictures_differ_by_job(service: Service, upstream: ScriptedA1111) -> None:
    colours = [RED, GREEN, BLUE]
    upstream.standing = lambda seen: answer(png(colours[json.loads(seen.body)["n"]]))
    paths = [await begin(service, {"n": n}) for n in range(3)]
    got = [await service.ask("GET", f"{path}/frame?wait=60") for path in paths]
    assert [one.body for one in got] == [convert(png(colour), DEFAULT).data for colour in colours]
