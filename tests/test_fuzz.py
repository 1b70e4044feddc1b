"""Whatever comes over the wire: never a surprise, always a right answer or an error in its one shape."""

from __future__ import annotations

import io
import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fakes.a1111 import ScriptedA1111
from fakes.clients import Heard
from pico_a1111_proxy.jobs import read_json
from pico_a1111_proxy.web.bodies import ask_for_images, images_are_off
from pico_a1111_proxy.web.options import ANSWERS, RenderOptions
from service import RAW, TXT2IMG, Service

SMALL = "?width=8&height=8"

# The service and its upstream stay as they are from one example to the next: that nothing is left over is the point.
fuzz = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def send(service: Service, first: bytes, headers: dict[bytes, bytes], body: bytes = b"") -> Heard:
    """One request on a connection of its own."""
    lines = [first + b" HTTP/1.1", b"Content-Length: %d" % len(body)]
    lines += [name + b": " + value for name, value in {b"Host": b"pico", **headers}.items()]
    async with service.connect() as client:
        return await client.ask(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def judge(heard: Heard, *good: int) -> None:
    """A right answer, or an error of one of the `good` statuses in its one shape."""
    kind = heard["Content-Type"]
    if heard.status == 200 and kind == RAW:
        assert len(heard.body) == int(heard["X-Image-Width"]) * int(heard["X-Image-Height"]) * 2
    elif heard.status == 200 and kind == "image/png":
        Image.open(io.BytesIO(heard.body)).load()
    elif heard.status == 200:
        assert {"images", "parameters", "info"} <= set(heard.json())
    else:
        assert heard.status in good
        document = heard.json()
        assert set(document) == {"error", "code", "detail"}
        assert document["code"] == heard.status
        assert len(heard.body) < 1000
        assert all(isinstance(document[name], str) and document[name] for name in ("error", "detail"))


# --- bodies ---

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["send_images", "prompt", "steps", "width", "init_images", "é"]) | st.text(max_size=6)
documents = st.dictionaries(names, values, max_size=4)
texts = st.builds(
    lambda document, encoding: json.dumps(document, ensure_ascii=False).encode(encoding, "surrogatepass"),
    documents | values,
    st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
damaged = st.builds(
    lambda text, at, junk: text[:at] + junk + text[at:], texts, st.integers(0, 40), st.binary(max_size=3)
)
nested = st.builds(
    lambda depth, key: b'{"send_images":' + key + b',"a":' + b"[" * depth + b"]" * depth + b"}",
    st.integers(900, 1100),
    st.sampled_from([b"false", b"true"]),
)
SURROGATE = b'{"send_images": false, "prompt": "\xed\xa0\x80"}'
bodies = st.binary(max_size=60) | texts | damaged | nested


@fuzz
@example(body=SURROGATE, accept=RAW.encode())
@given(body=bodies, accept=st.sampled_from([RAW.encode(), b"*/*", b"image/png"]))
@pytest.mark.parametrize("route", ["txt2img", "img2img"])
async def test_any_body(service: Service, upstream: ScriptedA1111, route: str, body: bytes, accept: bytes) -> None:
    before = len(upstream.generations)

    heard = await send(service, f"POST /sdapi/v1/{route}{SMALL}".encode(), {b"Accept": accept}, body)

    judge(heard, 422)
    # What is no JSON object never reaches the upstream; what is one reaches it once.
    reached = len(upstream.generations) - before
    assert reached == (heard.status == 200)
    assert heard.status == 422 or isinstance(read_json(body), dict)


@pytest.mark.parametrize("depth", [950, 1000, 1020, 1100, 100_000])
async def test_the_deepest_bodies(service: Service, depth: int) -> None:
    # Not among the others, for which hypothesis raises Python's limit. orjson takes 1020, json mostly less.
    body = b'{"send_images": false, "a": ' + b"[" * depth + b"]" * depth + b"}"

    judge(await send(service, f"POST {TXT2IMG}{SMALL}".encode(), {b"Accept": RAW.encode()}, body), 422)


@fuzz
@given(kind=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30).map(str.strip))
async def test_any_content_type(service: Service, kind: str) -> None:
    judge(await send(service, f"POST {TXT2IMG}{SMALL}".encode(), {b"Content-Type": kind.encode("latin-1")}, b"{}"), 422)


# --- queries and headers ---

written = st.text(string.ascii_letters + string.digits + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", max_size=30)
options = st.tuples(
    st.sampled_from([*RenderOptions.model_fields, "skip_current_image", ""]),
    st.text(max_size=12)
    | st.integers().map(str)
    | st.sampled_from([*ANSWERS, "rgb565-le", "cover", "contain", "90", "true", "#00ff00", "default", "0", "-1"]),
)
queries = written | st.lists(options.map(lambda option: "=".join(map(quote, option))), max_size=4).map("&".join)


@fuzz
@given(query=queries)
async def test_any_query(service: Service, query: str) -> None:
    judge(await send(service, f"POST {TXT2IMG}?{query}".encode(), {b"Accept": RAW.encode()}, b"{}"), 422)


@pytest.mark.parametrize("name", RenderOptions.model_fields)
async def test_each_option_with_values_that_may_hurt(service: Service, name: str) -> None:
    wrong = [
        "",
        "0",
        "-1",
        "1e9",
        "9" * 30,
        "1.5",
        "nan",
        "none",
        "null",
        "[]",
        "%00",
        "%ff",
        "%23",
        "x" * 5000,
        "\u0669",
    ]
    for value in [*wrong, "%C3%A9", "#a", "+", "1&" + name + "=2"]:
        first = f"POST {TXT2IMG}?{name}={quote(value, safe='%&=#+[]')}"
        judge(await send(service, first.encode(), {b"Accept": RAW.encode()}, b"{}"), 422)


entries = st.tuples(
    st.sampled_from(["application/octet-stream", "image/png", "application/json", "*/*", "text/html", ""]),
    st.sampled_from(["", ";q=0", ";q=1", ";q=0.5", ";q=nan", ";q=-inf", "; Q=2;x", ";q="]),
)
accepts = st.lists(entries.map("".join), max_size=5).map(", ".join) | st.text(
    st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40
).map(str.strip)


@fuzz
@given(
    accept=accepts,
    host=st.sampled_from(["pico", "pico:8080", "[::1]:80", "[", "]", "[x]:y", "a@b:c", "\u00e9", "/", "<b>"]),
)
async def test_any_accept_and_host(service: Service, accept: str, host: str) -> None:
    headers = {b"Accept": accept.encode("latin-1"), b"Host": host.encode("latin-1")}

    judge(await send(service, f"POST {TXT2IMG}{SMALL}".encode(), headers, b"{}"), 400)
    front = await send(service, b"GET /", {b"Host": host.encode("latin-1")})
    assert front.status in (200, 400)
    assert b"<b>" not in front.body


@fuzz
@given(method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"]), path=written)
async def test_any_path(service: Service, method: str, path: str) -> None:
    heard = await send(service, f"{method} /{path}".encode(), {}, b"{}")
    if heard.status != 200:  # 200: the front door, its health, its docs
        judge(heard, 400, 404, 405, 422)


# --- the one value that is touched ---

spaces = st.text(" \t\r\n", max_size=2)
json_names = st.sampled_from(
    ['"send_images"', '"send_images"', '"send\\u005fimages"', '"Send_images"', '"prompt"', '"a}b"', '"é\\""']
)
json_values = st.sampled_from(
    [
        "false",
        "true",
        "null",
        "0",
        '"off"',
        "1e-7",
        "9223372036854775808",
        "NaN",
        '"\\ud800"',
        '"a, \\"send_images\\": 1"',
    ]
) | values.map(json.dumps)
members = st.lists(st.tuples(spaces, json_names, spaces, spaces, json_values, spaces), min_size=1, max_size=6)


def write(parts: list[Any], *, on: bool) -> str:
    """The object's text; with `on`, every `send_images` of its own is true."""
    rows = []
    for a, name, b, c, value, d in parts:
        ours = on and json.loads(name) == "send_images"
        rows.append(f"{a}{name}{b}:{c}{'true' if ours else value}{d}")
    return "{" + ",".join(rows) + "}"


@settings(max_examples=200, deadline=None)
@given(parts=members, before=spaces, encoding=st.sampled_from(["utf-8", "utf-8", "utf-16-le"]))
def test_nothing_but_that_value_is_touched(parts: list[Any], before: str, encoding: str) -> None:
    body = (before + write(parts, on=False)).encode(encoding)
    document = read_json(body)

    asked = ask_for_images(body, document)

    if not images_are_off(document):
        assert asked is body
    else:
        assert asked == (before + write(parts, on=True)).encode()
        wanted = {**document, "send_images": True}
        assert json.dumps(read_json(asked), sort_keys=True) == json.dumps(wanted, sort_keys=True)
        assert not images_are_off(read_json(asked))


@pytest.mark.parametrize("value", ["false", "null", "0", '"False"', '"off"', '"no"', '"n"', '"f"', '"0"'])
def test_every_way_to_switch_them_off(value: str) -> None:
    text = (
        '{"seed": 18446744073709551617, "x": {"send_images": false}, "send_images":OFF ,"send_images":OFF, "e": 1E-7}'
    )
    body = text.replace("OFF", value).encode()

    assert ask_for_images(body, read_json(body)) == text.replace("OFF", "true").encode()


@pytest.mark.parametrize("value", ["true", "1", '"on"', '"yes"', "[]", "{}", "2"])
def test_what_is_on_or_nonsense_is_left_alone(value: str) -> None:
    body = b'{"send_images": ' + value.encode() + b"}"

    assert ask_for_images(body, read_json(body)) is body
    assert ask_for_images(b"{}", {}) == b"{}"
