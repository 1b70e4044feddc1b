"""MicroPython's heap is as small here as a Pico W's, stays so, and is collected."""

from __future__ import annotations

import pytest

from device.vms import HEAP, printed, run

ON_MICROPYTHON = pytest.mark.parametrize("vm", ["micropython"], indirect=True)
FRAME = 240 * 240 * 2  # bytes

_FREE = """
import gc, micropython

def tries(what):
    try:
        what()
    except MemoryError:
        print("MemoryError")
    else:
        print("fine")

def total():
    return gc.mem_free() + gc.mem_alloc()

before = total()
"""


@ON_MICROPYTHON
async def test_the_heap_is_a_picos(vm: str) -> None:
    (total,) = await printed(vm, _FREE + "print(before)")

    assert HEAP * 0.97 < int(total) < HEAP  # a part of it is the table of what is free


@ON_MICROPYTHON
async def test_the_heap_does_not_grow(vm: str) -> None:
    program = f"""
tries(lambda: bytearray(300000))
tries(lambda: bytearray({FRAME}))
gc.collect()
tries(lambda: [bytearray({FRAME}), bytearray({FRAME})])
gc.collect()

def content():  # as requests reads an answer: piece by piece, and then all of it in one
    pieces = [bytearray(1024) for _ in range({FRAME} // 1024)]
    return b"".join(pieces)

def all_of_it():
    kept = []
    while True:
        kept.append(bytearray(1000))

tries(content)
gc.collect()
tries(all_of_it)
gc.collect()
print(total() == before, gc.mem_free() > {FRAME})
micropython.mem_info()
"""
    lines = await printed(vm, _FREE + program)

    assert lines[:5] == ["MemoryError", "fine", "MemoryError", "MemoryError", "MemoryError"]
    assert lines[5] == "True True"
    (told,) = [line for line in lines if line.startswith("GC: total")]
    assert 0.97 * HEAP < int(told.split()[2].strip(",")) < HEAP


@ON_MICROPYTHON
async def test_an_end_with_a_full_heap_is_told(vm: str) -> None:
    program = """
import gc
kept = None
gc.collect()
try:
    while True:
        kept = (kept,)  # a block each
except MemoryError:
    gc.collect()
    print("full")
raise KeyError
"""
    ran = await run(vm, program, seconds=20)

    assert (ran.printed, ran.error) == (["full"], "KeyError")


@ON_MICROPYTHON
async def test_the_heap_is_collected_when_it_is_full(vm: str) -> None:
    program = """
import time
for _ in range(1000):
    junk = bytearray(10000)
    time.sleep_ms(1)
print(total() == before)
gc.disable()
tries(lambda: [time.sleep_ms(1) or len(bytearray(10000)) for _ in range(1000)])
gc.enable()
print(gc.threshold())
"""
    assert await printed(vm, _FREE + program) == ["True", "MemoryError", "-1"]


_HOLDING = """
import gc, json

class Node:
    def __init__(self, depth, name):
        gc.collect()
        self.name = name + str(depth)
        gc.collect()
        self.inner = Node(depth - 1, self.name) if depth else None
        junk = [bytearray(50) for _ in range(20)]
        gc.collect()

    def told(self):
        gc.collect()
        return [self.name] + (self.inner.told() if self.inner else [])

def pieces(count):
    kept = {}
    for number in range(count):
        kept[str(number)] = [number] * number
        gc.collect()
        yield json.dumps(kept[str(number)])

def with_closure(word):
    def say(more):
        gc.collect()
        return word + more
    return say

def failing(number):
    try:
        gc.collect()
        raise ValueError("no " + str(number))
    finally:
        junk = [str(number) * 10 for _ in range(50)]
        gc.collect()

say = with_closure("clo" + str(1))
for turn in range(30):
    names = Node(8, "n").told()
    assert names[-1] == "n876543210" and len(names) == 9, names
    told = [piece + say("!") for piece in pieces(10)]
    assert told[9] == "[9, 9, 9, 9, 9, 9, 9, 9, 9]clo1!", told
    try:
        failing(turn)
    except ValueError as error:
        gc.collect()
        assert str(error) == "no " + str(turn)
gc.collect()
once = gc.mem_alloc()
Node(8, "n").told()
gc.collect()
print(gc.mem_alloc() - once)
"""


@ON_MICROPYTHON
async def test_what_is_held_stays(vm: str) -> None:
    """Collected at every step, from the depths of calls, objects, generators and handlers."""
    assert await printed(vm, _HOLDING) == ["0"]


@ON_MICROPYTHON
async def test_measuring_takes_nothing(vm: str) -> None:
    program = """
import gc, time
gc.disable()

def taken():
    before = gc.mem_alloc()
    for _ in range(100):
        time.sleep_ms(1)
    gc.mem_free()
    return gc.mem_alloc() - before

print(taken(), taken())
"""
    assert await printed(vm, program) == ["0 0"]
