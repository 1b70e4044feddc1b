"""panel: the programs of device/ on a simulated board, so that they can be tried without hardware."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pico_a1111_proxy.cli.displays import choose_display
from pico_a1111_proxy.cli.writing import PIPE, write
from pico_a1111_proxy.panels import DISPLAYS

if TYPE_CHECKING:
    from PIL import Image

    from pico_a1111_proxy.simulator.runner import Pico

_DISPLAY = "waveshare-pico-lcd-1.3"
_URL = "http://localhost:8080"
_PROMPT = "a mountain lake at sunset"
_LOOK = 0.1  # seconds between two looks at the glass
_BOOT = 0.5  # seconds until a board that was reset runs again
_ASKED = "asked.json"
_TAKEN_ALONG = ("*.py", "*.json", "boards/*.py", "lib/**/*.py")  # of a program's folder


@click.command()
@click.argument("prompt", required=False)
@click.option("--display", metavar="NAME", default=_DISPLAY, show_default=True, help="A display with a board file.")
@click.option("--url", default=_URL, show_default=True, help="The service.")
@click.option("--key", help="One of its SERVICE_API_KEY.")
@click.option("--seed", type=int, help="The seed of the picture.")
@click.option("--png", metavar="FILE", help="Write what the glass shows; - is standard output.")
@click.option("--newest", is_flag=True, help="Show the display's newest frame, and each newer one, until Ctrl-C.")
@click.option("--once", is_flag=True, help="With --newest: one frame only.")
@click.option("--live", is_flag=True, help="Show the drawing as it comes.")
@click.option(
    "--program",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run a MicroPython program, with a b x y, arrows and Enter as buttons.",
)
@click.pass_context
def panel(context: click.Context, /, **options: Any) -> None:
    """Show what a Pico's panel would show, without a Pico.

    The MicroPython programs of device/ run on a simulated board, which asks the service for a picture of PROMPT ("a
    mountain lake at sunset" without one). What the glass then shows is drawn in the terminal, or goes to --png. A
    program takes config.json and the modules beside it along, and the display is the one of its config.json.
    """
    _refuse(options)
    chosen = context.get_parameter_source("display") is not ParameterSource.DEFAULT
    files = _beside(options["program"]) if options["program"] else {}
    pico = _open(options["display"] if chosen else _named_in(files) or options["display"])
    if options["program"]:
        program, name = _text_of(options["program"]), str(options["program"])
    else:
        from pico_a1111_proxy.simulator.runner import own_program  # noqa: PLC0415 - it loads what others need not

        program, name, files = own_program("asks"), "panel", {_ASKED: json.dumps(_asked(pico, options))}
    run = _Run(pico, options["png"], lasts=bool(options["program"]) or (options["newest"] and not options["once"]))
    run.until_the_end(program, files, name)


def _refuse(options: Mapping[str, Any]) -> None:
    """Raises UsageError for what does not go together, and for what nobody could see."""
    ways = {"PROMPT": options["prompt"] is not None, "--newest": options["newest"], "--program": options["program"]}
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} don't go together")
    if options["once"] and not options["newest"]:
        raise click.UsageError("--once goes with --newest")
    for name, is_given in (("--seed", options["seed"] is not None), ("--live", options["live"])):
        if is_given and given not in ([], ["PROMPT"]):
            raise click.UsageError(f"{name} and {given[0]} don't go together")
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    if options["png"] is None and not on_terminal:
        raise click.UsageError("Standard output is no terminal: name a file with --png")
    if options["png"] == PIPE and on_terminal:
        raise click.UsageError("Standard output is a terminal: name a file, or send it into a pipe")
    if options["png"] not in (None, PIPE) and not Path(options["png"]).parent.is_dir():
        raise click.ClickException(f"{options['png']}: No such file or directory")  # told before anything is drawn


def _text_of(program: Path) -> str:
    """Raises ClickException for what is no text."""
    try:
        return program.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise click.ClickException(f"{program} is no UTF-8 text") from None


def _beside(program: Path) -> dict[str, str]:
    """What a board would have beside the program: modules and JSON, as paths and texts."""
    files = {file for pattern in _TAKEN_ALONG for file in program.parent.glob(pattern) if file.is_file()}
    return {file.relative_to(program.parent).as_posix(): file.read_text("utf-8", "replace") for file in files}


def _named_in(files: Mapping[str, str]) -> str | None:
    """The display of the board that config.json names, as far as it does."""
    from pico_a1111_proxy.simulator.runner import load_board  # noqa: PLC0415 - it loads what others need not

    try:
        return str(vars(load_board(json.loads(files["config.json"])["board"]))["DISPLAY"])
    except (KeyError, TypeError, ValueError, FileNotFoundError):
        return None


def _open(name: str) -> Pico:
    """A board with the display of this name. Raises UsageError, or ClickException where it can't be simulated."""
    from pico_a1111_proxy.simulator import runner  # noqa: PLC0415

    display = choose_display({"display": name})
    try:
        known = [board for board in runner.boards() if runner.is_a_picos(runner.load_board(board))]
        if runner.board_name(display) not in known:
            good = ", ".join(display.name for display in DISPLAYS.values() if runner.board_name(display) in known)
            words = f"there is no file for {name} on a Pico in device/boards; there are {good}"
            raise click.BadParameter(words, param_hint="--display")
        return runner.Pico(display, realtime=True)
    except (ValueError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


def _asked(pico: Pico, options: Mapping[str, Any]) -> dict[str, Any]:
    """What programs/asks.py is to do."""
    from pico_a1111_proxy.simulator.runner import board_name  # noqa: PLC0415

    what = "draw" if not options["newest"] else "newest" if options["once"] else "follow"
    return {
        "what": what,
        "board": board_name(pico.glass.display),
        "prompt": options["prompt"] or _PROMPT,
        "fields": {} if options["seed"] is None else {"seed": options["seed"]},
        **{name: options[name] for name in ("url", "key", "live")},
    }


class _Run:
    """A program on `pico`, in a thread of its own, and what its glass shows meanwhile.

    In a terminal that is drawn as it changes. A PNG is written at the end, and for what `lasts` whenever the glass has
    come to rest.
    """

    def __init__(self, pico: Pico, png: str | None, lasts: bool) -> None:
        from pico_a1111_proxy.cli.screen import Screen  # noqa: PLC0415

        self._pico, self._png, self._lasts = pico, png, lasts
        self._screen = None if png else Screen(sys.stdout)
        self._seen: Image.Image | None = None  # at the last look
        self._shown: Image.Image | None = None
        self._failed = ""
        self._leaving = False
        self._pulled = False  # the plug

    def until_the_end(self, program: str, files: Mapping[str, str], name: str) -> None:
        """Run it until it ends, or Ctrl-C ends it. Raises ClickException where it failed."""
        from pico_a1111_proxy.cli.screen import Keyboard  # noqa: PLC0415

        pico = self._pico
        pico.on_print = self._say
        board = threading.Thread(target=self._work, args=(program, files, name), daemon=True)
        with Keyboard(getattr(pico.board, "BUTTONS", {}), pico.wire.press) as keyboard:
            board.start()
            while True:
                try:
                    while board.is_alive() and not self._pulled:  # a program that never sleeps takes no notice
                        keyboard.wait(_LOOK)
                        self._look()
                    break
                except KeyboardInterrupt:
                    self._leave()
        if self._failed:
            raise click.ClickException(self._failed)
        if self._leaving and not self._lasts:
            raise click.Abort
        self._show(pico.glass.image())

    def _work(self, program: str, files: Mapping[str, str], name: str) -> None:
        """The board's thread."""
        from pico_a1111_proxy.simulator.endings import BoardReset, Hangs, PowerCut  # noqa: PLC0415

        while not self._leaving:
            try:
                self._pico.run(program, files, name)
            except BoardReset as why:
                self._say(f"The board starts again: {why}")
                time.sleep(_BOOT)
                files = {}  # they are on the board
                continue
            except (PowerCut, KeyboardInterrupt):
                pass
            except Hangs as why:
                self._failed = str(why)
            except Exception as error:  # noqa: BLE001 - whatever the program did not catch is told
                self._failed = _told(error)
            else:
                self._failed = str(self._pico.status or "")
            break

    def _leave(self) -> None:
        """Ctrl-C goes to the program; whoever presses it again pulls the plug."""
        if self._leaving:
            self._pico.wire.cut_power()
            self._pulled = True
        else:
            self._leaving = True
            self._pico.wire.interrupt()

    def _say(self, line: str) -> None:
        if self._screen:
            self._screen.say(line)
        else:
            click.echo(line, err=True)

    def _look(self) -> None:
        before, self._seen = self._seen, self._pico.glass.image()
        has_news = self._screen is not None and self._screen.has_news
        if self._seen == self._shown and not has_news:
            return
        if self._screen or (self._lasts and self._png != PIPE and self._seen == before):
            self._show(self._seen)

    def _show(self, image: Image.Image) -> None:
        """Raises ClickException where a PNG can't be written."""
        self._shown = image
        if self._png is None:
            if self._screen:
                self._screen.show(image)
            return
        data = io.BytesIO()
        image.save(data, "PNG")
        try:
            write(self._png, data.getvalue())
        except OSError as error:
            raise click.ClickException(f"{self._png}: {error.strerror}") from error


def _told(error: Exception) -> str:
    """The traceback, of the lines of the program and of device/ only, as a board tells it."""
    told = traceback.TracebackException.from_exception(error)
    told.stack = traceback.StackSummary.from_list([line for line in told.stack if not _is_ours(line.filename)])
    told.__context__ = told.__cause__ = None
    return "".join(told.format()).rstrip()


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).parents[1])
