"""The simulator's framebuf draws what MicroPython's own does; only its letters are others."""

from __future__ import annotations

from device.attempts import lines

# `show` prints a picture in rows of digits, as many as fit in a byte.
SHOW = """
import framebuf

def show(picture, width, height):
    for y in range(height):
        print(" ".join([str(picture.pixel(x, y)) for x in range(width)]))
"""

DRAWN = """
data = bytearray(24)
picture = framebuf.FrameBuffer(data, 4, 3, framebuf.RGB565)
picture.fill(0x1234)
picture.pixel(1, 1, 0xF800)
picture.pixel(4, 0, 7)
picture.pixel(0, -1, 7)
print(data[:2] == b"\\x34\\x12", picture.pixel(1, 1), picture.pixel(4, 0))

picture = framebuf.FrameBuffer(bytearray(48), 8, 6, framebuf.GS8)
picture.rect(-1, -1, 4, 3, 5)
picture.rect(3, 1, 4, 4, 9)
picture.rect(4, 2, 2, 2, 8, True)
picture.fill_rect(6, 4, 9, 9, 3)
picture.hline(0, 5, 3, 4)
picture.vline(7, -2, 4, 6)
picture.line(0, 2, 2, 4, 1)
show(picture, 8, 6)
picture.scroll(2, -1)
show(picture, 8, 6)
stamp = framebuf.FrameBuffer(bytearray(b"\\x00\\x01\\x02\\x03"), 2, 2, framebuf.GS8)
picture.blit(stamp, 1, 1, 0)
picture.blit(stamp, 7, 5)
show(picture, 8, 6)

data = bytearray(6)
picture = framebuf.FrameBuffer(data, 10, 3, framebuf.MONO_HLSB)
picture.fill(0)
picture.fill_rect(7, 0, 2, 2, 9)
picture.pixel(0, 2, 1)
print(list(data), picture.pixel(8, 1), picture.pixel(9, 1))
picture = framebuf.FrameBuffer(data, 3, 3, framebuf.MONO_HLSB, 16)
show(picture, 3, 3)
"""

BUFFERS = {
    "bytearray(24), 4, 3, framebuf.RGB565": True,
    "bytearray(23), 4, 3, framebuf.RGB565": False,
    "bytearray(2 * 11), 4, 3, framebuf.RGB565, 3": False,
    "bytearray(2 * 14), 4, 3, framebuf.RGB565, 5": True,
    "bytearray(2 * 13), 4, 3, framebuf.RGB565, 5": False,
    "bytearray(6), 9, 3, framebuf.MONO_HLSB": True,
    "bytearray(5), 9, 3, framebuf.MONO_HLSB": False,
    "bytearray(12), 4, 3, framebuf.GS8": True,
    "bytearray(11), 4, 3, framebuf.GS8": False,
    "bytearray(9), 0, 3, framebuf.GS8": False,
    "bytearray(9), 3, -1, framebuf.GS8": False,
    "bytearray(9), 3, 3, 99": False,
}


async def test_it_draws(vm: str) -> None:
    assert await lines(vm, SHOW + DRAWN) == [
        "True 63488 None",
        # what is drawn
        "0 0 5 0 0 0 0 6",
        "5 5 5 9 9 9 9 6",
        "1 0 0 9 8 8 9 0",
        "0 1 0 9 8 8 9 0",
        "0 0 1 9 9 9 3 3",
        "4 4 4 0 0 0 3 3",
        # scrolled
        "0 0 5 5 5 9 9 9",
        "5 5 1 0 0 9 8 8",
        "1 0 0 1 0 9 8 8",
        "0 1 0 0 1 9 9 9",
        "0 0 4 4 4 0 0 0",
        "4 4 4 0 0 0 3 3",
        # with stamps
        "0 0 5 5 5 9 9 9",
        "5 5 1 0 0 9 8 8",
        "1 2 3 1 0 9 8 8",
        "0 1 0 0 1 9 9 9",
        "0 0 4 4 4 0 0 0",
        "4 4 4 0 0 0 3 0",
        # bits
        "[1, 128, 1, 128, 128, 0] 1 0",
        "0 0 0",
        "0 0 0",
        "1 0 0",
    ]


async def test_a_buffer_that_is_too_small_is_refused(vm: str) -> None:
    calls = "".join(f"attempt(lambda: framebuf.FrameBuffer({given}) is None)\n" for given in BUFFERS)
    told = await lines(vm, f"import framebuf\n{calls}")
    kinds = [line.split(" ")[0] for line in told]
    wanted = {given: "False" if is_taken else "ValueError" for given, is_taken in BUFFERS.items()}
    assert dict(zip(BUFFERS, kinds, strict=True)) == wanted


async def test_a_buffer_that_can_not_be_written_is_refused(vm: str) -> None:
    (told,) = await lines(vm, "import framebuf\nattempt(framebuf.FrameBuffer, bytes(24), 4, 3, framebuf.RGB565)")
    assert told.startswith("TypeError")


async def test_letters_have_cells_of_eight_by_eight(vm: str) -> None:
    program = """
import framebuf
seen = set()
for letter in [chr(code) for code in range(33, 127)]:
    data = bytearray(24 * 10)
    picture = framebuf.FrameBuffer(data, 24, 10, framebuf.GS8)
    picture.text(letter, 8, 1, 7)
    inside = [data[24 * y + x] for y in range(1, 9) for x in range(8, 16)]
    assert sum(inside) == sum(data) and set(inside) == {0, 7}, letter
    seen.add(bytes(inside))
data = bytearray(24 * 8)
picture = framebuf.FrameBuffer(data, 24, 8, framebuf.GS8)
picture.text(" ij", 0, 0)
picture.text("ab", 20, 4)
print(len(seen), sum(data[y * 24 + x] for y in range(8) for x in range(8)), max(data))
"""
    assert await lines(vm, program) == ["94 0 1"]
