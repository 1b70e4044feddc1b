"""MicroPython's modules that a computer has not got, over `_wire`; the runner loads them, and nothing imports them."""
