"""minimal.py: short, shown in device/README.md as it is, and a picture comes of it on both virtual machines."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.vms import run
from fakes.a1111 import ScriptedA1111, answer, said
from fakes.pictures import encode, gradient, levels
from pico_a1111_proxy.simulator.radio import Radio
from service import Service

DEVICE = Path(__file__).parents[2] / "device"
MINIMAL = (DEVICE / "minimal.py").read_text(encoding="utf-8")
DISPLAY = "waveshare-pico-lcd-1.3"
MOST_LINES = 15


def lines_of_code(source: str) -> list[str]:
    """The lines that are neither empty nor a comment nor the docstring."""
    tree = ast.parse(source)
    told = tree.body[0].end_lineno if ast.get_docstring(tree) else 0
    assert told is not None
    return [line for line in source.splitlines()[told:] if line.strip() and not line.lstrip().startswith("#")]


def minimal(service: Service) -> str:
    assert MINIMAL.count("http://192.168.1.50:8080") == 1
    return MINIMAL.replace("http://192.168.1.50:8080", service.url)


def test_it_is_short_and_says_how_short() -> None:
    count = len(lines_of_code(MINIMAL))
    assert count <= MOST_LINES
    assert f": {count} lines of code" in str(ast.get_docstring(ast.parse(MINIMAL)))
    assert max(map(len, lines_of_code(MINIMAL))) <= 72, "no line is long to make them few"
    assert ";" not in MINIMAL


def test_the_readme_shows_it_as_it_is() -> None:
    readme = (DEVICE / "README.md").read_text(encoding="utf-8")
    assert f"```python\n{MINIMAL}```" in readme
    assert f"one picture, {len(lines_of_code(MINIMAL))} lines" in readme


@pytest.mark.parametrize("after", [0, 3])
async def test_it_shows_a_picture(vm: str, service: Service, upstream: ScriptedA1111, after: int) -> None:
    upstream.standing = answer(encode(gradient()))
    radio = Radio("your Wi-Fi", "its password", after=after)
    ran = await run(vm, minimal(service), display=DISPLAY, radio=radio)
    assert (ran.error, ran.printed) == ("", [])
    shown = await service.txt2img({}, f"?display={DISPLAY}&answer=preview")
    assert np.array_equal(levels(ran.glass.image()), levels(Image.open(io.BytesIO(shown.body))))
    assert b'"a mountain lake at sunset"' in upstream.generations[0].body


async def test_what_fails_is_told_in_a_sentence(vm: str, service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"error": "OutOfMemoryError", "detail": "", "errors": "CUDA out of memory"}, 500)
    ran = await run(vm, minimal(service), display=DISPLAY)
    assert "FrameError: Upstream A1111 service unavailable" in ran.error
