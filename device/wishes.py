"""Wishes: what a key asks the service to draw, and the last one, which outlives a reboot."""

import json
import os
import random

from keys import JOYSTICK

FILE = "state.json"


class Wishes:
    """What the keys wish for. A wish is a dict of txt2img fields, always with a seed, so that it can be drawn again.

    `prompts` is that of config.json, by button. A button's picture stays its own until somebody wishes for another
    seed: with the joystick, or by pressing the same button again where there is none.
    """

    def __init__(self, prompts, has_joystick):
        self.prompts = prompts
        self.has_joystick = has_joystick
        self.button = None  # the last that was pressed
        self.seeds = {}  # by button
        self.last = _load()  # the last wish that was drawn

    def of(self, key):
        """What `key` wishes for, or None if nobody has told."""
        another = key in JOYSTICK or (key == self.button and not self.has_joystick)
        button = self.button if key in JOYSTICK else key
        if button in self.prompts:
            wish = dict(self.prompts[button])
        elif button is None and self.last:  # after a reboot the joystick goes on from the last picture
            wish = dict(self.last)
        else:
            return None
        if button not in self.seeds:
            self.seeds[button] = wish.get("seed", -1)
        if another or self.seeds[button] == -1:
            self.seeds[button] = random.getrandbits(31)
        self.button = button
        wish["seed"] = self.seeds[button]
        return wish

    def keep(self, wish):
        """Remember that `wish` was drawn. Flash wears out, so the file is written only when it is another wish."""
        if wish == self.last:
            return
        self.last = wish
        try:
            # The old file stays until the new one is whole: a power cut leaves the one or the other.
            with open("state.new", "w") as file:
                json.dump(wish, file)
            os.rename("state.new", FILE)
        except OSError as why:
            print("The last wish could not be written:", why)


def _load():
    try:
        with open(FILE) as file:
            wish = json.load(file)
    except (OSError, ValueError):
        return None
    return wish if isinstance(wish, dict) and isinstance(wish.get("prompt"), str) else None
