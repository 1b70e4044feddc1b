"""How fast one picture becomes a frame: our way, the plan's loop and others, side by side; prints tables."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from photographs import photographs
from plan_loop import png_to_pico_rgb565 as png_to_frame
from tables import middle, print_table, ratio, tell_machine
from ways import LOOP, OURS, SIDE, Way, installed

FRAME = SIDE * SIDE * 2


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5, help="times that each way converts each photograph")
    options.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="pixels of a side")
    given = options.parse_args()
    tell_machine()
    ways, missing = installed()
    for side in given.sizes:
        pngs = photographs(side)
        kilobytes = sum(map(len, pngs.values())) / len(pngs) / 1000
        print(f"\n{side}x{side}: {len(pngs)} photographs, {kilobytes:.0f} kB of PNG on average, {given.runs} runs each")
        compare(ways, missing, pngs, given.runs)
        with tempfile.TemporaryDirectory() as folder:
            compare_commands(Path(folder), pngs, max(1, given.runs // 2))


def compare(ways: dict[str, Way], missing: list[str], pngs: dict[str, bytes], runs: int) -> None:
    """In one process. Every round takes every way once, so that noise hits all alike.

    The ratio is of processor time: where others keep the machine busy, they interrupt a long conversion more often
    than a short one, and time on the clock would flatter the short ones.
    """
    expected = {name: ways[LOOP](png) for name, png in pngs.items()}
    same = {way: all(convert(png) == expected[name] for name, png in pngs.items()) for way, convert in ways.items()}
    taken: dict[str, list[float]] = defaultdict(list)
    worked: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        for png in pngs.values():
            for way, convert in ways.items():
                started, work = time.perf_counter(), time.process_time()
                convert(png)
                worked[way].append((time.process_time() - work) * 1000)
                taken[way].append((time.perf_counter() - started) * 1000)
    rows = [
        [
            f"**{way}**" if way == OURS else way,
            middle(taken[way]),
            middle(worked[way]),
            ratio(worked[LOOP], worked[way]),
            "yes" if same[way] else "no",
        ]
        for way in ways
    ]
    rows += [[f"{way}: not installed", "", "", "", ""] for way in missing]
    head = ["way", "ms", "processor ms", "times the loop", "identical"]
    print_table("One picture, PNG to 115,200 bytes", head, rows)


def compare_commands(folder: Path, pngs: dict[str, bytes], runs: int) -> None:
    """As whole commands, the start of the program included."""
    commands, missing = found_commands(folder)
    seconds: dict[str, list[float]] = defaultdict(list)
    same = dict.fromkeys(commands, True)
    for _ in range(runs):
        for png in pngs.values():
            (folder / "in.png").write_bytes(png)
            expected = png_to_frame(png)
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
                seconds[name].append((time.perf_counter() - started) * 1000)
                same[name] &= read_frame(folder / "out", name) == expected
    rows = [[name, middle(taken, 0), "yes" if same[name] else "no"] for name, taken in seconds.items()]
    rows += [[f"{name}: not installed", "", ""] for name in missing]
    print_table("One picture, as a whole command", ["command", "ms", "identical"], rows)


def found_commands(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """The commands that are here, and the names of those that are not."""
    source, target = str(folder / "in.png"), str(folder / "out")
    ffmpeg = shutil.which("ffmpeg")
    magick = shutil.which("magick") or shutil.which("convert-im6.q16")
    scale = f"scale={SIDE}:{SIDE}:flags=lanczos,negate"
    commands = {"pico-a1111-proxy convert": [sys.executable, "-m", "pico_a1111_proxy", "convert", source, target]}
    missing = []
    if ffmpeg:
        write = ["-pix_fmt", "rgb565be", "-f", "rawvideo", "-y", target]
        commands["ffmpeg (swscale)"] = [ffmpeg, "-v", "error", "-i", source, "-vf", scale, *write]
    else:
        missing.append("ffmpeg")
    if magick:
        # It writes RGB565 as a BMP only: rows from the bottom, low byte first.
        write = ["-negate", "-flip", "-define", "bmp:subtype=RGB565", f"bmp:{target}"]
        commands["ImageMagick"] = [magick, source, "-filter", "Lanczos", "-resize", f"{SIDE}x{SIDE}!", *write]
    else:
        missing.append("ImageMagick")
    return commands, missing


def read_frame(path: Path, command: str) -> bytes:
    """What `command` wrote, as our format has it."""
    pixels = bytearray(path.read_bytes()[-FRAME:])
    if command == "ImageMagick":
        pixels[::2], pixels[1::2] = pixels[1::2], pixels[::2]
    return bytes(pixels)


if __name__ == "__main__":
    main()
