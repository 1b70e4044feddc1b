"""What the command `panel` runs on the board, with the client and the driver of device/ as they are."""

import json
import sys

from frame_client import FrameClient, FrameError
from panel import Panel

with open("asked.json") as file:
    asked = json.load(file)
panel = Panel(getattr(__import__("boards." + asked["board"]), asked["board"]))

try:
    # Without a second try at first: who sits there hears at once what is wrong.
    client = FrameClient(asked["url"], panel, asked["key"], retries=0)
except ValueError as why:
    sys.exit(str(why))


def draw():
    """Have a picture drawn, and show it."""
    job = client.submit(asked["prompt"], **asked["fields"])
    client.retries = 3
    try:
        client.wait(job, lambda told: panel.bar(told["progress"]), asked["live"])
    except KeyboardInterrupt:
        client.cancel(job)
        raise
    if client.seed is not None:
        print("Seed", client.seed)


def newest():
    """Show the display's newest frame."""
    if not client.newest():
        sys.exit("Nothing has been drawn for this display yet")


def follow():
    """Show it, and each newer one."""
    client.newest()
    while True:
        try:
            pause = 0 if client.newest(wait=30) else 1
        except FrameError as why:
            if why.again is None:
                raise
            print(why)
            pause = why.again
        client.pause(pause)


try:
    {"draw": draw, "newest": newest, "follow": follow}[asked["what"]]()
except FrameError as why:
    sys.exit(str(why))
