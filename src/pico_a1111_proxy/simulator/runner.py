"""Runner: a board that runs MicroPython programs on CPython, with the modules and files that it would find there."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.simulator.chip import NEWEST, Chip
from pico_a1111_proxy.simulator.endings import PowerCut
from pico_a1111_proxy.simulator.firmware import SHARED, built_in, pointers
from pico_a1111_proxy.simulator.flash import Flash
from pico_a1111_proxy.simulator.glass import Glass
from pico_a1111_proxy.simulator.radio import Radio
from pico_a1111_proxy.simulator.wire import Wire

_LAST_PIN = 29  # of an RP2
_PACKAGE = Path(__file__).parents[1]
_MODULES = Path(__file__).with_name("modules")
_FOR_MODULES = frozenset(("PIL",))  # framebuf has its letters from there


def device_folder() -> Path:
    """The folder device/ of the checkout, or of the wheel. Raises FileNotFoundError."""
    for folder in (_PACKAGE.parents[1] / "device", _PACKAGE / "device"):
        if (folder / "boards").is_dir():
            return folder
    raise FileNotFoundError("The folder device/ is neither in the checkout nor in the package")


def board_name(display: Display) -> str:
    """The file of `boards` that drives it, without its suffix."""
    return display.name.replace("-", "_").replace(".", "_")


def boards() -> list[str]:
    """The names of all files in `boards`."""
    return sorted(file.stem for file in (device_folder() / "boards").glob("*.py") if file.stem != "__init__")


def own_program(name: str) -> str:
    """The text of programs/NAME.py."""
    return (Path(__file__).with_name("programs") / f"{name}.py").read_text(encoding="utf-8")


def is_a_picos(board: object) -> bool:
    """Whether an RP2 has the pins and the SPI of a board file: some are for an ESP32."""
    facts = vars(board)
    pins = [facts.get(name) for name in ("SCK", "MOSI", "CS", "DC", "RST", "BL")]
    return facts["SPI"] in (0, 1) and all(pin is None or pin <= _LAST_PIN for pin in pins)


def load_board(name: str) -> object:
    """The module of constants boards/NAME.py. Raises FileNotFoundError where there is none."""
    file = device_folder() / "boards" / f"{name}.py"
    if not file.is_file():
        raise FileNotFoundError(f"There is no boards/{name}.py")
    board = ModuleType(name)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(board))  # noqa: S102 - our own file
    return board


class Pico:
    """A board with the panel of `display`, which is what `board` says, or device/boards.

    `glass` is what a person sees, `wire` the way in: buttons, the clock and the plug. `flash` has the files of the
    programs, which stay from one run to the next; device/ is there as well. Of the last run, `printed` has what was
    printed, line by line, `status` what sys.exit was given, and `left_open` how many sockets were not closed;
    `on_print` is told of each line. Raises FileNotFoundError where there is no file for the board.
    """

    def __init__(
        self,
        display: Display,
        board: object = None,
        radio: Radio | None = None,
        firmware: tuple[int, int] = NEWEST,
        realtime: bool = False,
    ) -> None:
        self.flash = Flash()
        self.board = board or load_board(board_name(display))
        self.glass = Glass(display, bool(getattr(self.board, "INVON", False)))
        self.wire = Wire(Chip(self.glass, self.board, firmware), radio, realtime)
        self.printed: list[str] = []
        self.status: object = None
        self.left_open = 0
        self.on_print: Callable[[str], Any] = lambda _: None
        self._line = ""

    def run(self, program: str, files: Mapping[str, str] | None = None, name: str = "main.py") -> list[str]:
        """Switch the board on, run `program`, and give the lines that it printed.

        `files` are put on the flash first. What the program does not catch is raised: its own errors, and of the
        board PowerCut, BoardReset, WatchdogReset and Hangs; SystemExit is an end like any other.
        """
        for path, text in (files or {}).items():
            self.flash.put(path, text)
        self.printed, self._line, self.status = [], "", None
        self.wire.start()
        try:
            _Program(self).run(compile(program, name, "exec"))
        except SystemExit as left:
            self.status = left.code
        except KeyboardInterrupt:
            if not self.wire.is_cut:
                raise
        finally:
            self.left_open = self.wire.open_sockets
            self.wire.close_all()
            if self._line:
                self.say()
        if self.wire.is_cut:
            raise PowerCut
        return self.printed

    def say(self, *values: object, sep: str = " ", end: str = "\n", file: object = None) -> None:
        """The program's print; whatever `file` is."""
        *lines, self._line = (self._line + sep.join(map(str, values)) + end).split("\n")
        for line in lines:
            self.printed.append(line)
            self.on_print(line)


@asynccontextmanager
async def open_pico(display: Display, **options: Any) -> AsyncIterator[Pico]:
    """A Pico, whose power is cut at the end: a program that still runs, in a thread, ends by that."""
    pico = Pico(display, **options)
    try:
        yield pico
    finally:
        pico.wire.cut_power()


class _Program:
    """One run: its modules, and the importer through which all of them get each other."""

    def __init__(self, pico: Pico) -> None:
        self._flash, self._wire = pico.flash, pico.wire
        self._modules: dict[str, Any] = {}
        self._built_in = {**built_in(self._modules, pico.say), "os": pico.flash.module(), "_wire": pico.wire}
        self._device = device_folder()
        own = {"__import__": self._import, "print": pico.say, "open": pico.flash.open, **pointers()}
        self._builtins = {**vars(builtins), **own}

    def run(self, code: CodeType) -> None:
        """Run it as the main program."""
        main = ModuleType("__main__")
        self._modules["__main__"] = main
        self._fill(main, code)

    def _fill(self, module: ModuleType, code: CodeType) -> None:
        vars(module)["__builtins__"] = self._builtins
        exec(code, vars(module))  # noqa: S102 - it is what a simulator is for

    def _import(self, name: str, names: Any = None, _: Any = None, wanted: Any = (), level: int = 0) -> Any:
        """What the statement `import` calls; it gives the first part of a dotted name, but all of it for `from`."""
        if level:
            package = str(names["__package__"]).split(".")
            name = ".".join([*package[: len(package) - level + 1], *([name] if name else [])])
        parts = name.split(".")
        loaded = [self._load(".".join(parts[: count + 1]), names) for count in range(len(parts))]
        for inner in wanted or ():
            if inner != "*" and not hasattr(loaded[-1], inner) and hasattr(loaded[-1], "__path__"):
                self._load(f"{name}.{inner}", names)
        return loaded[-1] if wanted else loaded[0]

    def _load(self, name: str, names: Any) -> Any:
        if name in self._modules:
            return self._modules[name]
        module = self._find(name, names)
        self._modules[name] = module
        package, _, last = name.rpartition(".")
        if package:
            setattr(self._modules[package], last, module)
        return module

    def _find(self, name: str, names: Any) -> Any:
        path = name.replace(".", "/")
        for source in (self._of_the_simulator, self._of_the_flash, self._of_the_device):
            if found := source(path):
                return self._made(name, *found)
        if name in self._built_in:
            return self._built_in[name]
        of_the_simulator = str((names or {}).get("__file__", "")).startswith(str(_MODULES))
        if name in SHARED or (of_the_simulator and name.partition(".")[0] in _FOR_MODULES):
            return importlib.import_module(name)
        if name[0] == "u" and name[1:] in {*SHARED, *self._built_in, "socket", "select", "time"}:
            return self._load(name[1:], names)  # the name that it had before
        raise ImportError(f"no module named '{name}'")

    def _made(self, name: str, file: str, text: str | None) -> ModuleType:
        """A module from its text; None is a folder, which is a package. One that fails is not there."""
        module = ModuleType(name)
        is_package = text is None or file.endswith("__init__.py")
        vars(module).update(__file__=file, __package__=name if is_package else name.rpartition(".")[0])
        if is_package:
            vars(module)["__path__"] = file.removesuffix("/__init__.py")
        self._modules[name] = module
        try:
            self._fill(module, compile(text or "", file, "exec"))
        except BaseException:
            del self._modules[name]
            raise
        return module

    def _of_the_simulator(self, path: str) -> tuple[str, str | None] | None:
        return _in_folder(_MODULES, path) if path != "__init__" and "/" not in path else None

    def _of_the_device(self, path: str) -> tuple[str, str | None] | None:
        return _in_folder(self._device, path)

    def _of_the_flash(self, path: str) -> tuple[str, str | None] | None:
        for place in ("", "lib/"):
            for file in (f"{place}{path}/__init__.py", f"{place}{path}.py"):
                text = self._flash.text(file)
                if text is not None:
                    return file, text
            if self._flash.is_folder(place + path):
                return place + path, None
        return None


def _in_folder(folder: Path, path: str) -> tuple[str, str | None] | None:
    """A file's path and text, or None for a folder without an __init__.py; nothing where there is neither."""
    for file in (folder / path / "__init__.py", folder / f"{path}.py"):
        if file.is_file():
            return str(file), file.read_text(encoding="utf-8")
    return (str(folder / path), None) if (folder / path).is_dir() else None
