"""The README's program for the Pico, run as it stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from fakes import micropython
from fakes.a1111 import ScriptedA1111, answer, said
from fakes.pictures import png
from service import Service

README = (Path(__file__).parent.parent / "README.md").read_text()
DISPLAY = "waveshare-pico-lcd-1.3"


def program(service: Service) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "http://192.168.1.50:8080" in block
    return str(block).replace("http://192.168.1.50:8080", service.url)


async def test_the_panel_gets_the_frame(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(png((200, 30, 90), (64, 48)))
    panel = await asyncio.to_thread(micropython.run, program(service))
    frame = await service.frame({}, f"?display={DISPLAY}")
    assert len(frame.body) == 115200
    assert panel.data_of(0x2C) == frame.body
    codes = [code for code, _ in panel.commands]
    assert 0x21 in codes, "without INVON the panel shows a negative"
    assert panel.data_of(0x2A) == panel.data_of(0x2B) == bytes([0, 0, 0, 239])


async def test_an_error_can_be_read_on_the_device(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"error": "OutOfMemoryError", "detail": "", "errors": "CUDA out of memory"}, 500)
    with pytest.raises(RuntimeError, match="Upstream A1111 service unavailable"):
        await asyncio.to_thread(micropython.run, program(service))
