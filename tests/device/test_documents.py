"""The programs that the documents show, run on a board as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from device.panel_runs import seen
from device.vms import LCD, run
from fakes.a1111 import ScriptedA1111, answer, in_turn, said
from fakes.pictures import corners, encode
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from service import TXT2IMG, Service

ROOT = Path(__file__).parents[2]
ADDRESS = "http://192.168.1.50:8080"
PICTURE = encode(corners((300, 200)))
OUT_OF_MEMORY = said({"error": "OutOfMemoryError", "detail": "", "errors": "CUDA out of memory"}, 500)


def program(file: str, service: Service) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)
    assert ADDRESS in block
    return str(block).replace(ADDRESS, service.url)


@pytest.fixture
def shown() -> bytes:
    """The pixels that the glass shows of PICTURE."""
    return seen(convert(PICTURE, DISPLAYS[LCD]), DISPLAYS[LCD]).tobytes()


def test_the_readme_shows_the_minimal_example() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert (ROOT / "device" / "minimal.py").read_text(encoding="utf-8").endswith(f"\n\n{block}")


async def test_the_readmes_program_shows_a_picture(
    vm: str, service: Service, upstream: ScriptedA1111, shown: bytes
) -> None:
    upstream.standing = answer(PICTURE)
    ran = await run(vm, program("README.md", service))
    assert (ran.error, ran.glass.image().tobytes() == shown) == ("", True)
    assert [seen.target for seen in upstream.generations] == [TXT2IMG]


async def test_the_readmes_program_ends_with_a_sentence(vm: str, service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = OUT_OF_MEMORY
    ran = await run(vm, program("README.md", service))
    assert ran.error.startswith("FrameError: Upstream A1111 service unavailable")


async def test_the_program_that_polls_shows_what_is_pushed(vm: str, service: Service, shown: bytes) -> None:
    await service.ask("POST", f"/displays/{LCD}/frame", PICTURE)
    polls = program("docs/frames.md", service).replace("wait=30", "wait=0")
    ran = await run(vm, polls, cut_power_at=5000)
    assert (ran.printed, ran.error) == ([], "PowerCut")
    assert ran.glass.image().tobytes() == shown


async def test_the_program_with_a_watchdog_goes_on_after_a_job_that_failed(
    vm: str, service: Service, upstream: ScriptedA1111, shown: bytes
) -> None:
    upstream.standing = in_turn(OUT_OF_MEMORY, OUT_OF_MEMORY, answer(PICTURE))
    ran = await run(vm, program("docs/jobs.md", service), cut_power_at=60_000)
    assert ran.error == "PowerCut"
    assert len(upstream.generations) >= 3
    assert upstream.generations[2].target == TXT2IMG
    assert ran.glass.image().tobytes() == shown
