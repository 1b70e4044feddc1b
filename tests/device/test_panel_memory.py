"""The panel driver on both machines: what it takes of a Pico W's memory, and that MicroPython draws the same."""

from __future__ import annotations

import numpy as np
import pytest

from device.panel_runs import START
from device.vms import run

ON_MICROPYTHON = pytest.mark.parametrize("vm", ["micropython"], indirect=True)
LCD13 = "from boards import waveshare_pico_lcd_1_3 as board\n" + START.replace("import board\n", "")
WORDS = (
    "panel.fill(7)\npanel.say('Waiting', 'for a long, long and winding line')\npanel.status('third')\npanel.bar(0.3)\n"
)


@ON_MICROPYTHON
async def test_words_leave_nothing_behind(vm: str) -> None:
    measure = "import gc\ngc.collect()\nprint(gc.mem_alloc())\n"
    ran = await run(vm, LCD13 + WORDS + measure + 20 * WORDS + measure)
    assert ran.error == ""
    before, after = map(int, ran.printed)
    assert after <= before + 64  # the lists of the heap are sometimes a block longer


@ON_MICROPYTHON
async def test_the_panel_takes_little_more_than_its_band(vm: str) -> None:
    measure = "gc.collect()\nprint(gc.mem_alloc())\n"
    program = LCD13.replace("panel = ", "import gc\n" + measure + "panel = ") + measure
    ran = await run(vm, program)
    assert ran.error == ""
    before, after = map(int, ran.printed)
    assert 8 * 480 < after - before < 8 * 480 + 2048


@ON_MICROPYTHON
async def test_it_works_with_hardly_any_memory_left(vm: str) -> None:
    # Full to the brim, but for eight pieces of half a kilobyte. To let go of them must take no memory either. What is
    # left over of the compiler is found only by the second round.
    fill_up = """
import gc
full, at = [None] * 500, 0
for again in (1, 2):
    gc.collect()
    try:
        while True:
            full[at] = bytearray(512)
            at += 1
    except MemoryError:
        pass
"""
    let_go = "".join(f"full[{number}] = None\n" for number in range(0, 16, 2)) + "gc.collect()\n"
    ran = await run(vm, LCD13 + fill_up + let_go + "print(gc.mem_free() < 8192)\n" + WORDS + "print('done')")
    assert (ran.error, ran.printed) == ("", ["True", "done"])


async def test_both_machines_show_a_window_and_the_bar_alike(vm: str) -> None:
    stripes = "panel.begin(20, 30)\nfor row in range(20): panel.write(bytes([row * 12, row]) * panel.width)\n"
    ran = await run(vm, LCD13 + stripes + "panel.bar(0.5)\npanel.light(60)\n")
    assert ran.error == ""
    shown = np.asarray(ran.glass.image()).astype(int)
    assert ran.glass.light == pytest.approx(0.6, abs=0.001)
    assert (shown[237:, :120] == 255).all()
    assert shown[237:, 120:].max() == shown[:30].max() == shown[50:237].max() == 0
    words = [row * 12 << 8 | row for row in range(20)]
    told = [(word >> 11, word >> 5 & 63, word & 31) for word in words]
    assert np.abs(shown[30:50, 100] - np.array(told) * 255 / [31, 63, 31]).max() <= 0.5


@ON_MICROPYTHON
async def test_micropythons_letters_are_where_the_simulators_are(vm: str) -> None:
    def lines_of(image: np.ndarray) -> set[int]:
        """Which of the three lines there is ink in; the first has row 105 at its top."""
        return {(int(row) - 105) // 10 for row in np.nonzero(image.any((1, 2)))[0]}

    program = LCD13 + "panel.say('Waiting', '', 'third of 5')"
    real, simulated = await run(vm, program), await run("cpython", program)
    assert lines_of(np.asarray(real.glass.image())) == lines_of(np.asarray(simulated.glass.image())) == {0, 2}
