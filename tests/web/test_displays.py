"""GET /displays and GET /displays/NAME: what a device or a page learns of the displays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111, said
from pico_a1111_proxy.panels import DISPLAYS
from service import RAW, TXT2IMG, Service, open_service

LCD13 = {
    "name": "waveshare-pico-lcd-1.3",
    "label": "Waveshare Pico-LCD-1.3",
    "width": 240,
    "height": 240,
    "format": "rgb565-be",
    "bytes": 115200,
    "fit": "cover",
    "rotate": 0,
    "invert": False,
    "dither": "floyd-steinberg",
    "background": "#000000",
    "linear_light": False,
    "sharpen": 0,
    "round": False,
    "panel": {
        "controller": "ST7789VW",
        "bus": "SPI",
        "invon": True,
        "madctl": 0x70,
        "x_offset": 0,
        "y_offset": 0,
        "sure": "high",
        "source": "russhughes/st7789py_mpy:tft_configs/waveshare_13/tft_config.py",
        "note": "",
    },
}

OWN = """
[hall]
like = "waveshare-pico-lcd-1.44"
rotate = 90
[desk.panel]
controller = "SSD1306"
[desk]
width = 20
height = 10
format = "mono-hlsb"
["waveshare-pico-lcd-2"]
like = "default"
"""


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with three displays."""
    file = tmp_path_factory.mktemp("own") / "displays.toml"
    file.write_text(OWN, encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
async def _own(_upstream: ScriptedA1111, own_file: str) -> AsyncIterator[Service]:
    settings = {"displays_file": own_file, "service_api_key": "key", "target_width": 64}
    async with open_service(a1111_base_url=_upstream.url, **settings) as service:
        yield service


@pytest.fixture
def own(_own: Service, upstream: ScriptedA1111) -> Service:
    """The service with three displays of its own and a key; `upstream` is as new."""
    return _own


async def test_one_display_is_all_that_a_driver_needs(service: Service, upstream: ScriptedA1111) -> None:
    got = await service.ask("GET", "/displays/waveshare-pico-lcd-1.3")
    assert (got.status, got.json()) == (200, LCD13)
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Content-Length"] == str(len(got.body))
    assert not upstream.seen


async def test_all_displays_are_those_one_by_one_the_default_first(service: Service) -> None:
    everything = (await service.ask("GET", "/displays")).json()
    assert [display["name"] for display in everything] == ["default", *DISPLAYS]
    for display in everything:
        got = await service.ask("GET", f"/displays/{display['name']}")
        assert got.json() == display
        assert len(got.body) < 1000  # what a Pico parses without trouble


async def test_the_default_display_is_that_of_the_settings_and_has_no_panel(own: Service) -> None:
    assert (await own.ask("GET", "/displays/default", x_api_key="key")).json() == {
        "name": "default",
        "label": "The display of the settings",
        "width": 64,
        "height": 240,
        "format": "rgb565-be",
        "bytes": 64 * 240 * 2,
        "fit": "stretch",
        "rotate": 0,
        "invert": True,
        "dither": "none",
        "background": "#000000",
        "linear_light": False,
        "sharpen": 0,
        "round": False,
        "panel": None,
    }


async def test_your_own_displays_are_listed_after_the_others_and_may_replace_them(own: Service) -> None:
    everything = {display["name"]: display for display in (await own.ask("GET", "/displays", x_api_key="key")).json()}
    assert list(everything) == ["default", *DISPLAYS, "hall", "desk"]
    assert (everything["hall"]["rotate"], everything["hall"]["format"]) == (90, "bgr565-be")
    assert (everything["desk"]["bytes"], everything["desk"]["panel"]["madctl"]) == (30, None)
    assert (everything["waveshare-pico-lcd-2"]["width"], everything["waveshare-pico-lcd-2"]["invert"]) == (64, True)


async def test_your_own_displays_get_frames(own: Service) -> None:
    got = await own.frame(query="?display=desk", x_api_key="key")
    assert (got.headers["X-Image-Format"], len(got.body)) == ("mono-hlsb", 30)
    got = await own.ask("POST", f"/displays/hall{TXT2IMG}", {}, accept=RAW, x_api_key="key")
    assert len(got.body) == 128 * 128 * 2


@pytest.mark.parametrize("path", ["/displays", "/displays/default"])
async def test_head_is_get_without_the_body(service: Service, path: str) -> None:
    got, head = [await service.ask(method, path) for method in ("GET", "HEAD")]
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        "/displays/waveshare-pico-lcd-1.3/",
        "/displays/waveshare%2Dpico-lcd-1%2e3",
        "/displays/%77aveshare-pico-lcd-1.3?x=1",
    ],
)
async def test_as_clients_write_it(service: Service, path: str) -> None:
    got = await service.ask("GET", path)
    assert (got.status, got.json()) == (200, LCD13)
    assert (await service.ask("GET", "/displays/")).status == 200


@pytest.mark.parametrize("path", ["/displays", "/displays/default", "/displays/nope"])
async def test_without_the_key_nothing_is_told(own: Service, path: str) -> None:
    assert (await own.ask("GET", path)).status == 401
    assert (await own.ask("GET", path, authorization="Bearer key")).status in (200, 404)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("waveshare-pico-lcd-13", "'waveshare-pico-lcd-13': waveshare-pico-lcd-1.3, "),
        ("presto", "'presto': pimoroni-presto, pimoroni-presto-480 may be meant, GET"),
        ("nope", "'nope': GET"),
        ("Default", "'Default': default may be meant, GET"),
        ("%C3%A9%00", "'é\\x00': GET"),
        ("x" * 3000, f"'{'x' * 40}': GET"),
    ],
)
async def test_a_display_that_there_is_not_is_a_small_404(service: Service, name: str, told: str) -> None:
    got = await service.ask("GET", f"/displays/{name}")
    assert (got.status, len(got.body) < 1000) == (404, True)
    assert got.json()["error"].startswith(f"No display is called {told}")
    assert got.json()["error"].endswith("GET /displays lists all")


async def test_what_is_below_a_display_is_still_a1111s(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"samples_format": "png"})
    got = await service.ask("GET", "/displays/default/sdapi/v1/options")
    assert (got.status, got.body) == (200, upstream.standing.body)
    assert (await service.ask("GET", "/displays/default%2Fsdapi/v1/options")).status == 404
    assert (await service.ask("POST", "/displays/default", {})).status == 405
    assert len(upstream.seen) == 1


async def test_the_document_of_the_api_shows_one(service: Service) -> None:
    paths = (await service.ask("GET", "/openapi.json")).json()["paths"]
    content = paths["/displays/{name}"]["get"]["responses"]["200"]["content"]
    example = content["application/json"]["example"]
    assert json.dumps({**example, "panel": LCD13["panel"]}) == json.dumps(LCD13)
    assert example["panel"].keys() == LCD13["panel"].keys()  # type: ignore[attr-defined]
