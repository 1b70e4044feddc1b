"""machine as on a Pico W: pins, SPI, PWM, the watchdog and what is asked of the chip itself."""

import _wire

try:
    from uctypes import addressof
except ImportError:  # CPython: a buffer goes over as it is

    def addressof(buffer):
        """The buffer itself."""
        return buffer


PWRON_RESET = 1
WDT_RESET = 3

_LED = 100  # its number here: on a Pico W the LED hangs on the radio, not on the chip
_PINS = 30
_MOST_MS = 8388  # the watchdog of an RP2040 counts in 24 bits, twice a microsecond
_NO_PIN = -2  # None was given
_ABSENT = -1  # nothing was given: the port takes its default

_levels = {}  # number -> what an output was last set to


class Pin:
    """A pin. `Pin(8)` without a mode leaves it as it is."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    ALT = 3
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, id, mode=None, pull=None, **more):  # noqa: A002 - MicroPython's name for it
        self.number = _number(id)
        self.init(mode, pull, **more)

    def init(self, mode=None, pull=None, value=None, alt=None):
        """Set it up again; what is not given stays. An input has a level as well: it is kept for when it turns."""
        if mode is not None:
            if mode not in (Pin.IN, Pin.OUT, Pin.OPEN_DRAIN, Pin.ALT):
                raise ValueError("invalid pin mode")
            _wire.pin(self.number, int(mode != Pin.IN), _ABSENT if value is None else int(bool(value)))
            if mode == Pin.IN:
                _levels.pop(self.number, None)
            else:
                _levels[self.number] = _levels.get(self.number, 0) if value is None else int(bool(value))
        elif value is not None:
            self.value(value)

    def __call__(self, *level):
        """Short for `value`."""
        return self.value(*level)

    def value(self, *level):
        """Set an output to `level`; without one, read the pin: 0 or 1."""
        if level:
            _levels[self.number] = int(bool(level[0]))
            _wire.set(self.number, _levels[self.number])
            return None
        if self.number in _levels:
            return _levels[self.number]
        return _wire.get(self.number)

    def on(self):
        """Set it to 1."""
        self.value(1)

    def off(self):
        """Set it to 0."""
        self.value(0)

    high = on
    low = off

    def toggle(self):
        """Turn an output over."""
        self.value(1 - self.value())

    def irq(self, handler=None, trigger=12, **more):
        """Is taken and never called: nothing here runs between two lines of the program."""

    def __repr__(self):
        return f"Pin(GPIO{self.number})"


def _number(pin):
    """The number of a Pin, of 8, or of "GP8". Raises ValueError."""
    if isinstance(pin, Pin):
        return pin.number
    if pin in ("LED", "WL_GPIO0"):
        return _LED
    if isinstance(pin, str):
        pin = int(pin[2:]) if pin[:2] == "GP" and pin[2:].isdigit() else _ABSENT
    if not 0 <= pin < _PINS:
        raise ValueError("invalid pin")
    return pin


class SPI:
    """A bus that sends. What the panel would answer on MISO is not there: it reads as zeros."""

    MSB = 1
    LSB = 0

    def __init__(self, id, baudrate=1000000, **settings):  # noqa: A002 - MicroPython's name for it
        if id not in (0, 1):
            raise ValueError(f"SPI({id}) doesn't exist")
        self.number = id
        self.baudrate = baudrate
        self.init(**settings)

    def init(self, baudrate=None, **settings):
        """Set it up again. Raises TypeError for an unknown argument, ValueError for a pin that is not of this bus."""
        for name in settings:
            if name not in ("polarity", "phase", "bits", "firstbit", "sck", "mosi", "miso"):
                raise TypeError("extra keyword arguments given")
        if settings.get("firstbit", SPI.MSB) != SPI.MSB:
            raise NotImplementedError("LSB")
        if baudrate is not None:
            self.baudrate = baudrate
        # On this chip the place of a pin says what it can be: in eights by the bus, in fours by the line.
        pins = [self._line(settings, name, place) for name, place in (("sck", 2), ("mosi", 3), ("miso", 0))]
        _wire.spi(self.number, self.baudrate, *pins)

    def _line(self, settings, name, place):
        if name not in settings:
            return _ABSENT
        if settings[name] is None:
            return _NO_PIN
        pin = _number(settings[name])
        if pin % 4 != place or pin // 8 % 2 != self.number:
            raise ValueError(f"bad {name.upper()} pin")
        return pin

    def write(self, buffer):
        """Send all of a buffer."""
        view = memoryview(buffer)
        _wire.transfer(addressof(buffer), len(view) * getattr(view, "itemsize", 1))

    def readinto(self, buffer, write=0):
        """Fill a buffer: with zeros."""
        self.write(bytes([write]) * len(buffer))
        for at in range(len(buffer)):
            buffer[at] = 0

    def read(self, count, write=0):
        """So many bytes: zeros."""
        buffer = bytearray(count)
        self.readinto(buffer, write)
        return bytes(buffer)

    def deinit(self):
        """End it; a later `init` starts it again."""

    def __repr__(self):
        return f"SPI({self.number}, baudrate={self.baudrate})"


class PWM:
    """A pin that is on for a part of the time."""

    def __init__(self, pin, **settings):
        self.number = _number(pin)
        self._freq = 0
        self._duty = 0
        self.init(**settings)

    def init(self, freq=None, duty_u16=None, duty_ns=None, invert=False):
        """Set what is given."""
        if freq is not None:
            self.freq(freq)
        if duty_u16 is not None:
            self.duty_u16(65535 - duty_u16 if invert else duty_u16)
        elif duty_ns is not None:
            self.duty_ns(duty_ns)

    def freq(self, *hertz):
        """Set or tell how often a second. Raises ValueError for what the chip can't do."""
        if not hertz:
            return self._freq
        if hertz[0] < 8:
            raise ValueError("freq too small")
        if hertz[0] > 62500000:
            raise ValueError("freq too large")
        self._freq = hertz[0]
        return None

    def duty_u16(self, *duty):
        """Set or tell the part of the time, 0 to 65535."""
        if not duty:
            return self._duty
        self._duty = max(0, min(65535, int(duty[0])))
        _wire.pwm(self.number, self._duty)
        return None

    def duty_ns(self, *duty):
        """Set or tell it in nanoseconds of each period, which has to be known first."""
        if not self._freq:
            raise ValueError("PWM not inited")
        if not duty:
            return self._duty * 1000000000 // (self._freq * 65535)
        return self.duty_u16(duty[0] * self._freq * 65535 // 1000000000)

    def deinit(self):
        """End it: the pin stays as it is."""


class WDT:
    """The watchdog, which starts the board again `timeout` milliseconds after it was last fed. Nothing stops it."""

    def __init__(self, id=0, timeout=5000):  # noqa: A002 - MicroPython's name for it
        if id != 0:
            raise ValueError(f"WDT({id}) doesn't exist")
        if timeout > _MOST_MS:
            raise ValueError(f"timeout exceeds {_MOST_MS}")
        if timeout <= 0:
            raise ValueError("timeout has to be more than 0")
        _wire.watchdog(timeout)

    def feed(self):
        """Give the program its time again."""
        _wire.feed()


def reset():
    """Start the board again: the program ends here."""
    _wire.reset()
    raise SystemExit


soft_reset = reset


def reset_cause():
    """Always that the power came on."""
    return PWRON_RESET


def unique_id():
    """Eight bytes; every board here has the same."""
    return b"\xe6\x60SIM\x00\x00\x01"


def freq(*hertz):
    """The chip's clock in Hz. A setting is taken, and nothing is faster by it."""
    return None if hertz else 125000000


def idle():
    """Wait for anything: a millisecond."""
    _sleep(1)


def lightsleep(ms=0):
    """Sleep `ms` milliseconds. A Pico on Wi-Fi with some firmwares does not sleep here at all."""
    _sleep(ms)


def deepsleep(ms=0):
    """Sleep `ms` milliseconds and start the board again."""
    _sleep(ms)
    reset()


def _sleep(ms):
    if _wire.sleep_ms(ms):
        raise KeyboardInterrupt
