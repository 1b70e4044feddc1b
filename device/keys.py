"""The buttons and the joystick of a board: which of them was pressed."""

from time import ticks_diff, ticks_ms

from machine import Pin

JOYSTICK = ("UP", "DOWN", "LEFT", "RIGHT", "PRESS")
BOUNCING = 150  # milliseconds in which a contact may open and close more than once


class Keys:
    """`pins` is a dict of names and pin numbers, as BUTTONS of a board file."""

    def __init__(self, pins):
        self.pressed = None  # the name of the last key that was pressed, until it is taken
        self._keys = {name: _Key(number) for name, number in pins.items()}
        self.has_joystick = any(self.has(name) for name in JOYSTICK)

    def has(self, name):
        """Whether the board has such a key."""
        return name in self._keys

    def look(self):
        """See whether a key was pressed since the last look."""
        for name, key in self._keys.items():
            if key.went_down():
                self.pressed = name

    def take(self):
        """The key that was pressed, or None; it is told once."""
        name, self.pressed = self.pressed, None
        return name


class _Key:
    """One key, which is low while it is pressed."""

    def __init__(self, number):
        self.pin = Pin(number, Pin.IN, Pin.PULL_UP)
        self.hit = False  # whether it went down since the last look: a press may be shorter than the time in between
        self.down = False
        self.since = 0  # when it was last seen down
        self.pin.irq(self._remember, Pin.IRQ_FALLING)

    def went_down(self):
        """Whether it was up at the last look, and was pressed since then."""
        low = self.hit or not self.pin.value()
        self.hit = False
        if low:
            new, self.down, self.since = not self.down, True, ticks_ms()
            return new
        if self.down and ticks_diff(ticks_ms(), self.since) > BOUNCING:
            self.down = False
        return False

    def _remember(self, _):
        self.hit = True
