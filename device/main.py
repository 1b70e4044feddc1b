"""A picture frame for a board with Wi-Fi, buttons and a small display. What it has to know is in config.json."""

import gc
import sys
import time

import machine
from config import ConfigError, likely_boards, read_board, read_config
from panel import Panel
from picture_frame import PictureFrame

BITES_AFTER = 8388  # milliseconds: the longest that the watchdog of a Pico can wait for its food
KEPT = []  # a timer that nobody holds is collected, and stops
MINUTE = 60  # seconds before the board begins anew after a surprise


def main():
    """Be a picture frame until somebody presses Ctrl-C."""
    try:
        config = read_config()
        board = read_board(config["board"])
        panel = Panel(board)
        frame = PictureFrame(config, board, panel)
    except (ConfigError, ValueError) as why:  # a ValueError: the board's file is for another chip than this
        complain(why)
        return
    panel.light(config["light"])
    if config["watchdog"]:
        frame.dog = machine.WDT(timeout=BITES_AFTER)
    try:
        frame.run()
    except KeyboardInterrupt:
        let_go(frame.dog)
    except Exception as why:  # whatever it is: a frame on a wall has to go on
        report(why, panel)
        if not frame.dog:
            raise
        begin_anew(frame.dog)


def complain(why):
    """Say what to mend in config.json, on whatever panel this is likely to be."""
    print(why)
    for board in likely_boards():
        try:
            Panel(board).say(str(why))
            return
        except ValueError:
            pass  # it is for another chip than this


def report(why, panel):
    """Tell of a surprise."""
    gc.collect()
    if hasattr(sys, "print_exception"):  # MicroPython's: it tells the lines as well
        sys.print_exception(why)
    else:
        print(type(why).__name__ + ":", why)
    panel.wake()
    panel.say("Sorry, this should not happen:", "", f"{type(why).__name__}: {why}")


def begin_anew(dog):
    """Restart the board, but not at once: somebody may want to read why, or to press Ctrl-C."""
    try:
        for _ in range(MINUTE):
            dog.feed()
            time.sleep(1)
    except KeyboardInterrupt:
        let_go(dog)
    else:
        machine.reset()


def let_go(dog):
    """Leave the board to the REPL. Nothing stops a watchdog, so from now on a timer feeds it."""
    print("Stopped.")
    if dog and hasattr(machine, "Timer"):
        KEPT.append(machine.Timer(-1, period=2000, callback=lambda timer: dog.feed()))


if __name__ == "__main__":
    main()
