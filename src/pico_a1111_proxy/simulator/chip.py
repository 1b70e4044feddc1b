"""Chip: whose the pins of an RP2 are, and what of them reaches the panel."""

from __future__ import annotations

from dataclasses import dataclass

from pico_a1111_proxy.simulator.glass import Glass

NEWEST = (1, 28)  # MicroPython

ABSENT, NONE = -1, -2  # what stands for a pin's number in `Chip.spi`

_MISO_NONE = (1, 25)  # the first MicroPython in which miso=None is not the default MISO
# SCK, MOSI and MISO that an SPI has when it is not told, on a Pico, a Pico W and their successors. MISO is the D/C of
# the boards: GP8 of Waveshare's on SPI1, GP16 of Pimoroni's on SPI0.
_USUAL_PINS = {0: (18, 19, 16), 1: (10, 11, 8)}


@dataclass
class _Pad:
    """One pin: who moves it, and what a Pin or a PWM left there, even while it is another's."""

    owner: str = ""  # "", "pin", "spi" or "pwm"
    output: bool = False
    level: int = 0
    duty: int = 0


class Chip:
    """The pins of an RP2 with a panel on some of them, as MicroPython drives them.

    `board` has the constants CS, DC, RST, BL, SCK, MOSI and SPI; any but DC may be None or missing: the panel then is
    always chosen, never reset, always lit, or what SPI does is not looked at. `firmware` is MicroPython's version.
    A pin that nothing drives is low, as the chip pulls it, and CS high, as most boards pull it. So a panel is in reset
    until its RST was driven high. `lost` counts the bytes that SPI sent and that did not reach the panel.
    """

    def __init__(self, glass: Glass, board: object, firmware: tuple[int, int] = NEWEST) -> None:
        names = ("CS", "DC", "RST", "BL", "SCK", "MOSI", "SPI")
        self._on: dict[str, int | None] = {name: getattr(board, name, None) for name in names}
        if self._on["DC"] is None:
            raise ValueError("the board does not say on which pin D/C is")
        self.glass = glass
        self.firmware = firmware
        self.lost = 0
        self.reset()

    def reset(self) -> None:
        """machine.reset(): the pins are let go, and the SPIs forget theirs. The panel keeps its memory."""
        self._pads: dict[int, _Pad] = {}
        self._buses: dict[int, tuple[int, int, int]] = {}
        self._bus: int | None = None
        self._follow()

    def pin(self, number: int, output: int, level: int) -> None:
        """A Pin was made: `output` 0 or 1, `level` 0, 1 or -1 if not given. It takes the pin from whoever had it."""
        pad = self._pad(number)
        pad.owner, pad.output = "pin", bool(output)
        if level != ABSENT:
            pad.level = level
        self._follow()

    def set(self, number: int, level: int) -> None:
        """A Pin's value was set. While the pin is another's nothing moves, and nothing says so."""
        self._pad(number).level = level
        if number in (self._on["RST"], self._on["BL"]):
            self._follow()

    def spi(self, number: int, baudrate: int, sck: int, mosi: int, miso: int) -> None:
        """An SPI was made, and takes its pins: numbers, -1 where the argument is absent, -2 where it is None.

        Pins once given stay until the next reset. MISO is the trap: absent, it is a pin all the same, and before
        MicroPython 1.25 so it is when it is None.
        """
        has = self._buses.get(number) or _USUAL_PINS.get(number, (ABSENT, ABSENT, ABSENT))
        if miso == NONE and self.firmware < _MISO_NONE:
            miso = ABSENT
        pins = (sck if sck >= 0 else has[0], mosi if mosi >= 0 else has[1], has[2] if miso == ABSENT else miso)
        self._buses[number], self._bus = pins, number
        for taken in pins:
            if taken >= 0:
                self._pad(taken).owner = "spi"
        self._follow()

    def transfer(self, data: bytes) -> None:
        """Bytes go out of the SPI that was made last."""
        if self._wired() and not self._level("CS", 1) and self._level("RST", 0):
            self.glass.controller.receive(data, command=not self._level("DC", 0))
        else:
            self.lost += len(data)

    def pwm(self, number: int, duty: int) -> None:
        """A PWM was made or set: `duty` is 0 to 65535. It takes the pin from whoever had it."""
        pad = self._pad(number)
        pad.owner, pad.duty = "pwm", duty
        self._follow()

    def _pad(self, number: int) -> _Pad:
        return self._pads.setdefault(number, _Pad())

    def _level(self, name: str, idle: int) -> float:
        """How high the panel's line is, 0 to 1; `idle` where nothing drives it."""
        number = self._on[name]
        if number is None:
            return 0 if name == "CS" else 1
        pad = self._pad(number)
        if pad.owner == "pwm":
            return pad.duty / 65535
        return pad.level if pad.owner == "pin" and pad.output else idle

    def _wired(self) -> bool:
        """Whether it is the panel's SPI, on the panel's pins, and these are still its own."""
        on = self._on
        if self._bus is None or on["SPI"] not in (None, self._bus):
            return False
        for name, pin in zip(("SCK", "MOSI"), self._buses[self._bus], strict=False):
            if on[name] not in (None, pin) or (pin >= 0 and self._pad(pin).owner != "spi"):
                return False
        return True

    def _follow(self) -> None:
        """The panel's reset and light do as their lines."""
        if not self._level("RST", 0):
            self.glass.controller.reset()
        self.glass.light = self._level("BL", 0)
