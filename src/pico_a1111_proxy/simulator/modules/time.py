"""time as on a Pico: ticks that wrap, sleeps on the simulator's clock, a calendar that begins in 2021 at power-on."""

import _wire

_WRAP = 1 << 30  # of the ticks
_POWER_ON = 1609459200  # 2021-01-01: a board that nobody has told the time
_DAY = 86400
_DAYS_TO_EPOCH = 719468  # from 1 March of year 0 to 1 January 1970


def ticks_ms():
    """Milliseconds, up to 2^30; only ticks_diff can compare them."""
    return int(_wire.ticks_ms()) % _WRAP


def ticks_us():
    """Microseconds, up to 2^30; they come a thousand at a time here."""
    return int(_wire.ticks_ms()) * 1000 % _WRAP


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    """`ticks` so much later, or earlier where `delta` is negative. Raises OverflowError for what ticks can't tell."""
    if not -_WRAP // 2 < delta < _WRAP // 2:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) % _WRAP


def ticks_diff(end, start):
    """How much later `end` is than `start`: -2^29 to 2^29 - 1."""
    return (end - start + _WRAP // 2) % _WRAP - _WRAP // 2


def sleep_ms(ms):
    """Sleep; KeyboardInterrupt is how the simulator ends it."""
    if _wire.sleep_ms(max(0, int(ms))):
        raise KeyboardInterrupt


def sleep_us(us):
    """Sleep; here in whole milliseconds, upwards."""
    sleep_ms((int(us) + 999) // 1000)


def sleep(seconds):
    """Sleep; fractions count."""
    sleep_ms(int(seconds * 1000))


def time():
    """Seconds since 1970, whole ones, as the board counts them."""
    return _POWER_ON + int(_wire.ticks_ms()) // 1000


def time_ns():
    """The same in nanoseconds."""
    return _POWER_ON * 1000000000 + int(_wire.ticks_ms()) * 1000000


def localtime(seconds=None):
    """Year, month, day, hour, minute, second, weekday (0 is Monday) and day of the year; there are no time zones."""
    seconds = int(time() if seconds is None else seconds)
    days, rest = seconds // _DAY, seconds % _DAY
    year, month, day = _date(days)
    yearday = days - _days(year, 1, 1) + 1
    return (year, month, day, rest // 3600, rest // 60 % 60, rest % 60, (days + 3) % 7, yearday)


gmtime = localtime


def mktime(told):
    """The seconds of what localtime tells."""
    return _days(*told[:3]) * _DAY + told[3] * 3600 + told[4] * 60 + told[5]


def _days(year, month, day):
    """Days from 1970 to a date. Years are counted from 1 March, so that the leap day comes last."""
    year += (month - 3) // 12
    months = (month - 3) % 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * months + 2) // 5 + day - 1 - _DAYS_TO_EPOCH


def _date(days):
    """Year, month and day from days since 1970."""
    year = 1970 + days // 366
    while _days(year + 1, 1, 1) <= days:
        year += 1
    month = 1
    while month < 12 and _days(year, month + 1, 1) <= days:
        month += 1
    return year, month, days - _days(year, month, 1) + 1
