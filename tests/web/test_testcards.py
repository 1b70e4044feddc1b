"""The route of the test card: its answers, and the page for a browser, on which a person steps through the faults."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html import unescape

import numpy as np
import pytest
from PIL import Image

from fakes.a1111 import ScriptedA1111
from pico_a1111_proxy.displays import Display, Panel, default_display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.testcards import draw_testcard, legend
from pico_a1111_proxy.web.options import FrameOptions
from pico_a1111_proxy.web.testcard_page import testcard_page as make_page
from service import RAW, Service, open_service

CARD = "/displays/waveshare-pico-lcd-1.3/testcard"
DISPLAY = DISPLAYS["waveshare-pico-lcd-1.3"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,*/*;q=0.8"


def links(page: bytes) -> list[str]:
    return [unescape(link) for link in re.findall(r'(?:href|src)="([^"]*)"', page.decode())]


@pytest.mark.parametrize("headers", [{}, {"accept": RAW}, {"accept": "*/*"}, {"accept": f"text/html, {RAW}"}])
async def test_it_is_a_frame(service: Service, upstream: ScriptedA1111, headers: dict[str, str]) -> None:
    got = await service.ask("GET", CARD, **headers)
    assert got.status == 200
    assert got.body == convert(draw_testcard(DISPLAY), DISPLAY).data
    facts = {name: got.headers[f"X-Image-{name}"] for name in ("Width", "Height", "Format")}
    assert facts == {"Width": "240", "Height": "240", "Format": "rgb565-be"}
    assert (got.headers["Content-Type"], got.headers["Content-Length"]) == (RAW, "115200")
    assert "Accept" in got.headers["Vary"]
    assert not upstream.seen


async def test_it_is_the_frame_of_the_plans_display(service: Service) -> None:
    display = default_display(240, 240, invert=True)
    got = await service.ask("GET", "/displays/default/testcard")
    assert got.body == convert(draw_testcard(display), display).data


async def test_it_is_what_the_parameters_say(service: Service) -> None:
    query = "?width=160&height=80&format=bgr565-le&rotate=90&invert=true&dither=none"
    got = await service.ask("GET", CARD + query)
    changed = Display(DISPLAY.name, 160, 80, "bgr565-le", rotate=90, invert=True, dither="none")
    assert got.body == convert(draw_testcard(changed), changed).data


@pytest.mark.parametrize("way", ["?answer=preview", "image/png"])
async def test_it_is_a_preview(service: Service, way: str) -> None:
    query, accept = (way, "*/*") if way.startswith("?") else ("", way)
    got = await service.ask("GET", CARD + query, accept=accept)
    assert got.headers["Content-Type"] == "image/png"
    assert got.body == preview(convert(draw_testcard(DISPLAY), DISPLAY), DISPLAY)


async def test_it_is_json(service: Service) -> None:
    for got in (
        await service.ask("GET", CARD + "?answer=json", accept=RAW),  # the query has the last word
        await service.ask("GET", CARD, accept="application/json"),
    ):
        told = got.json()
        assert base64.b64decode(told["images"][0]) == convert(draw_testcard(DISPLAY), DISPLAY).data
        assert json.loads(told["info"])["frame"]["width"] == 240


async def test_it_is_the_card_as_it_was_drawn(service: Service) -> None:
    got = await service.ask("GET", CARD + "?answer=original&rotate=90&width=320", accept=BROWSER)
    assert got.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(got.body)) as image:
        assert image.size == (240, 320)
        assert len(np.unique(np.asarray(image))) > 200  # all levels


async def test_who_has_it_already_gets_a_304(service: Service) -> None:
    for accept in (RAW, "image/png", BROWSER):
        tag = (await service.ask("GET", CARD, accept=accept)).headers["ETag"]
        again = await service.ask("GET", CARD, accept=accept, if_none_match=f'"x", {tag}')
        assert (again.status, again.body) == (304, b"")
        assert (await service.ask("GET", CARD + "?dither=none", accept=accept, if_none_match=tag)).status == 200


@pytest.mark.parametrize("accept", [RAW, BROWSER])
async def test_head_tells_the_same_and_sends_nothing(service: Service, accept: str) -> None:
    got, head = await service.ask("GET", CARD, accept=accept), await service.ask("HEAD", CARD, accept=accept)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["ETag"] == got.headers["ETag"]


async def test_a_display_that_nobody_knows(service: Service, upstream: ScriptedA1111) -> None:
    for accept in (RAW, BROWSER):
        got = await service.ask("GET", "/displays/%3Cb%3E/testcard", accept=accept)
        assert got.status == 404
        assert got.headers["Content-Type"] == "application/json"
        assert "No display" in got.json()["error"]
    assert not upstream.seen


@pytest.mark.parametrize(
    "query", ["format=rgb", "answer=page", "rotate=45", "width=1025", "invert=maybe", "background=x"]
)
async def test_a_bad_value_is_a_422(service: Service, query: str) -> None:
    for accept in (RAW, BROWSER):
        got = await service.ask("GET", f"{CARD}?{query}", accept=accept)
        assert (got.status, got.headers["Content-Type"]) == (422, "application/json")
        assert got.json()["error"].startswith(query.partition("=")[0])


# --- The page -----------------------------------------------------------------------------------------------------


async def test_a_browser_gets_a_page(service: Service) -> None:
    got = await service.ask("GET", CARD, accept=BROWSER)
    assert (got.status, got.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = unescape(got.body.decode())
    for fact in ("240x240", "rgb565-be, 115,200 bytes", "ST7789VW", "INVON", "0x70", "0, 0", "high", DISPLAY.label):
        assert fact in page
    for row in legend(DISPLAY):
        assert row.looks in page
        assert row.todo in page
    assert f"curl -f -o testcard.rgb565-be {service.url}{CARD}\n" in page.replace("</pre>", "\n")


async def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing(service: Service) -> None:
    got = await service.ask("GET", CARD, accept=BROWSER)
    policy = dict(part.strip().split(" ", 1) for part in got.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "'self'"
    (style,) = re.findall(r"<style>(.*?)</style>", got.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["style-src"] == f"'sha256-{digest}'"
    assert "image-rendering: pixelated" in style
    assert not re.search(rb"<script|style=|\son\w+=", got.body)
    assert all(link.startswith("?") for link in links(got.body))


async def test_each_link_is_good_and_keeps_what_was_asked(service: Service) -> None:
    query = "?invert=true&background=%23ff0000&format=bgr565-le&width=120"
    page = (await service.ask("GET", CARD + query, accept=BROWSER)).body
    found = [link for link in links(page) if link != "?"]
    for part in ("invert=false", "format=rgb565-le", "format=bgr565-be", "rotate=270", "dither=none", "answer=preview"):
        assert any(part in link for link in found), part
    for link in found:
        got = await service.ask("GET", CARD + link)
        assert got.status == 200
        assert {"background=%23ff0000", "width=120"} <= set(link[1:].split("&"))
    assert re.search(rb'<img [^>]*width="240" height="480"', page)  # 120 by 240, twice as large
    assert f"curl -f -o testcard.bgr565-le '{service.url}{CARD}?" in unescape(page.decode())


async def test_what_the_page_shows_is_what_the_panel_gets(service: Service) -> None:
    page = (await service.ask("GET", CARD + "?format=rgb332", accept=BROWSER)).body
    (picture,) = [link for link in links(page) if "answer=preview" in link]
    shown = await service.ask("GET", CARD + picture, accept="image/avif,image/webp,image/png,*/*")
    assert shown.body == (await service.ask("GET", CARD + "?format=rgb332&answer=preview")).body
    assert shown.headers["Content-Type"] == "image/png"


def test_what_a_users_file_says_is_escaped() -> None:
    panel = Panel("<script>1", bus="<i>", source='"<u>', note="<b>&lt;", madctl=None, x_offset=None, invon=None)
    display = Display("<em>'$(x)", 240, 240, label="<s>$style", round=True, panel=panel)
    page = make_page(display, FrameOptions.model_validate({}), "http://<host>/", needs_key=False).body.decode()
    assert not re.search(r"<(script|i|u|b|em|s|host)>", page)
    assert "<h1>Test card: &lt;em&gt;&#x27;$(x)</h1>" in page
    assert "<dd>&lt;s&gt;$style" in page
    assert "http://&lt;host&gt;/displays/%3Cem%3E%27%24%28x%29/testcard" in page
    assert 'class="round"' in page
    assert "it depends" in page


def test_a_display_of_which_nothing_is_known_has_a_page() -> None:
    options = FrameOptions.model_validate({})
    page = make_page(Display("mine", 128, 64, "mono-hlsb"), options, "http://h/", needs_key=False).body.decode()
    assert "mono-hlsb, 1,024 bytes" in page
    assert "controller," not in page
    assert "WHITE is black" in page


async def test_with_a_key_it_is_for_who_has_it(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, service_api_key="secret") as locked:
        assert (await locked.ask("GET", CARD, accept=BROWSER)).status == 401
        with_key = "Basic " + base64.b64encode(b"me:secret").decode()
        page = await locked.ask("GET", CARD, accept=BROWSER, authorization=with_key)
        assert page.status == 200
        assert "curl -f -H 'X-API-Key: YOUR_KEY' -o" in unescape(page.body.decode())
        assert (await locked.ask("GET", CARD, x_api_key="secret")).status == 200
