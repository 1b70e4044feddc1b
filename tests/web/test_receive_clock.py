"""When a client that sends is late, with the time passed in."""

from __future__ import annotations

import pytest

from pico_a1111_proxy.web.deadlines import ReceiveClock
from pico_a1111_proxy.web.protocol import TitleCaseProtocol

BODY = TitleCaseProtocol.body_patience


def late_after(pieces: list[tuple[float, int]]) -> float | None:
    """When a body is late of which these many bytes came at these times; None if it was not before the last."""
    clock = ReceiveClock()
    clock.begin(BODY, 0)
    for moment, count in pieces:
        due = clock.due()
        assert due is not None
        if moment > due:
            return due
        clock.took(count, moment)
    return None


@pytest.mark.parametrize(
    ("pieces", "late"),
    [
        ([(step * 0.5, 10_000) for step in range(1, 1000)], None),  # a Pico with 10 MB at 20 kB/s
        ([(7.9, 20_000), (15.8, 5000), (20, 1)], None),  # and one whose network holds its breath
        ([(step * 5, 1) for step in range(1, 1000)], 8),  # a drip
        ([(1, 20_000), (9.5, 1)], 9),  # a silence
        ([(1, 10_000), (6, 1), (11, 1), (16, 1)], 10.001),  # a fast start and then a drip
        ([(step * 1.0, 999) for step in range(1, 100)], 8),  # just too slow
        ([(step * 1.0, 1200) for step in range(1, 100)], None),
    ],
    ids=range(7),
)
def test_when_a_body_is_late(pieces: list[tuple[float, int]], late: float | None) -> None:
    assert late_after(pieces) == (late and pytest.approx(late))


def test_a_head_has_its_time_whatever_comes() -> None:
    clock = ReceiveClock()
    clock.begin(TitleCaseProtocol.head_patience, 100)
    for second in range(101, 108):
        clock.took(1000, second)
        assert clock.due() == 108


def test_the_clock_stands_still_while_we_do_not_read() -> None:
    clock = ReceiveClock()
    assert clock.due() is None
    clock.begin(BODY, 0)
    clock.took(4000, 1)
    clock.stop(2)
    clock.stop(3)
    assert clock.due() is None
    clock.go(1002)
    clock.go(1003)
    assert clock.due() == 1008  # eight seconds of its own, two of which are gone
    clock.took(5000, 1003)
    assert clock.due() == 1009  # for 9000 bytes there are nine
    clock.stop(1004)
    clock.begin(BODY, 1005)
    clock.go(1010)
    assert clock.due() == 1018


def test_the_deadlines_are_those_that_are_told() -> None:
    """A Pico's watchdog bites after 8.4 seconds; a connection that says nothing is gone within ten."""
    assert TitleCaseProtocol.head_patience.seconds == BODY.seconds == BODY.silence == 8
    assert (BODY.rate, TitleCaseProtocol.send_seconds) == (1000, 30)
