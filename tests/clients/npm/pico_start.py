"""What the VM is told before a program: the board's gc, and an import that leaves room for what it compiles."""

import builtins
import gc as _gc
import sys

from _vm import automatic, collect

_ELSEWHERE = 134217728  # bytes outside the heap that mem_free counts as well
_FULL = 32768  # so little is free when the heap is taken for full
_COMPILING = 98304  # bytes that the compiler may need for a file

_import = builtins.__import__
_modules = sys.modules
_chosen = [-1]


class _Board:
    """The module gc of a board, whose collect collects at once."""

    isenabled = staticmethod(_gc.isenabled)
    mem_alloc = staticmethod(_gc.mem_alloc)

    collect = staticmethod(collect)

    def mem_free(self):
        return _gc.mem_free() - _ELSEWHERE

    def enable(self):
        _gc.enable()
        automatic(1)

    def disable(self):
        _gc.disable()
        automatic(0)

    def threshold(self, *amount):
        if not amount:
            return _chosen[0]
        _chosen[0] = amount[0]
        settle()
        return None


def settle():
    """After a collection: the next is wanted when the heap is nearly full, or after what the program chose."""
    room = max(0, gc.mem_free() - _FULL)
    _gc.threshold(room if _chosen[0] < 0 else min(room, _chosen[0]))


def _collecting_import(name, globals=None, locals=None, fromlist=None, level=0):  # noqa: A002
    if name not in _modules and gc.isenabled() and gc.mem_free() < _COMPILING:
        gc.collect()
    return _import(name, globals, locals, fromlist, level)


gc = _Board()
_modules["gc"] = gc
builtins.__import__ = _collecting_import
