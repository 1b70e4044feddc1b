"""The circuit: what opens it, how long it stays so, and that one probe at a time finds out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import pytest

from pico_a1111_proxy import errors
from pico_a1111_proxy.upstreams.circuit import (
    COOL_DOWN_SECONDS,
    FAILURES_IN_A_ROW,
    LONGEST_COOL_DOWN_SECONDS,
    Circuit,
)

REFUSED = errors.UpstreamUnavailable("Unavailable", "It refuses connections", unsent=True)
NO_CONNECTION = errors.UpstreamTimeout("Did not accept a connection in time", unsent=True)
CRASHED = errors.UpstreamUnavailable("Unavailable", "It answered 500")
LATE = errors.UpstreamTimeout("Did not answer in time")
NONSENSE = errors.UpstreamNonsense("Not a JSON object")
REJECTED = errors.UpstreamRejected("Answered 422")
UNAUTHORIZED = errors.UpstreamUnauthorized("Invalid A1111 credentials")


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(clock)


def attempt(circuit: Circuit, error: BaseException | None = None, *, draws: bool = True) -> None:
    expected = [type(error)] if error else []
    with suppress(*expected), circuit.attempt(draws=draws):
        if error:
            raise error


def trip(circuit: Circuit, error: BaseException) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        attempt(circuit, error)


def test_it_begins_closed(circuit: Circuit) -> None:
    assert (circuit.state, circuit.lets_in, circuit.words) == ("closed", True, "")


@pytest.mark.parametrize("draws", [True, False])
@pytest.mark.parametrize("error", [REFUSED, NO_CONNECTION])
def test_a_connection_that_fails_opens_it_at_once(circuit: Circuit, error: errors.UpstreamError, draws: bool) -> None:
    attempt(circuit, error, draws=draws)
    assert (circuit.state, circuit.lets_in, circuit.words) == ("open", False, error.detail)


@pytest.mark.parametrize("error", [CRASHED, LATE, NONSENSE])
def test_what_was_sent_and_failed_opens_it_the_third_time_in_a_row(
    circuit: Circuit, error: errors.UpstreamError
) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        attempt(circuit, error)
    assert circuit.state == "closed"
    attempt(circuit)
    for _ in range(FAILURES_IN_A_ROW - 1):
        attempt(circuit, error)
    assert circuit.state == "closed"
    attempt(circuit, error)
    assert circuit.state == "open"


@pytest.mark.parametrize("end", [REJECTED, UNAUTHORIZED, asyncio.CancelledError(), errors.BodyTooLarge("too large")])
def test_refused_requests_and_clients_that_leave_never_open_it(circuit: Circuit, end: BaseException) -> None:
    for _ in range(10 * FAILURES_IN_A_ROW):
        attempt(circuit, end)
    assert circuit.state == "closed"


@pytest.mark.parametrize("end", [REJECTED, asyncio.CancelledError()])
def test_nor_do_they_break_a_row(circuit: Circuit, end: BaseException) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        attempt(circuit, CRASHED)
        attempt(circuit, end)
    assert circuit.state == "open"


def test_what_draws_nothing_is_judged_by_its_connection_alone(circuit: Circuit) -> None:
    for _ in range(10 * FAILURES_IN_A_ROW):
        attempt(circuit, CRASHED, draws=False)
    assert circuit.state == "closed"


def test_after_the_cool_down_one_at_a_time_probes(circuit: Circuit, clock: Clock) -> None:
    attempt(circuit, REFUSED)
    clock.now += COOL_DOWN_SECONDS - 0.1
    assert not circuit.lets_in
    clock.now += 0.1
    assert (circuit.state, circuit.lets_in) == ("half-open", True)
    with circuit.attempt(draws=True):
        assert (circuit.state, circuit.lets_in) == ("half-open", False)
    assert (circuit.state, circuit.lets_in, circuit.words) == ("closed", True, "")


def test_a_probe_whose_client_leaves_says_nothing_and_makes_room(circuit: Circuit, clock: Clock) -> None:
    attempt(circuit, CRASHED)
    trip(circuit, CRASHED)
    clock.now += COOL_DOWN_SECONDS
    attempt(circuit, asyncio.CancelledError())
    assert (circuit.state, circuit.lets_in) == ("half-open", True)


@pytest.mark.parametrize("error", [REFUSED, CRASHED])
def test_a_probe_that_fails_doubles_the_cool_down_up_to_a_bound(
    circuit: Circuit, clock: Clock, error: errors.UpstreamError
) -> None:
    trip(circuit, error)
    cool_down = COOL_DOWN_SECONDS
    for _ in range(6):
        clock.now += cool_down - 0.1
        assert circuit.state == "open"
        clock.now += 0.1
        assert circuit.state == "half-open"
        attempt(circuit, error)
        assert circuit.state == "open"
        cool_down = min(2 * cool_down, LONGEST_COOL_DOWN_SECONDS)
    assert cool_down == LONGEST_COOL_DOWN_SECONDS
    clock.now += cool_down
    attempt(circuit)
    # Once it has worked, it begins anew.
    attempt(circuit, REFUSED)
    clock.now += COOL_DOWN_SECONDS
    assert circuit.state == "half-open"


def test_who_is_tried_as_the_last_one_prolongs_nothing(circuit: Circuit, clock: Clock) -> None:
    attempt(circuit, REFUSED)
    clock.now += COOL_DOWN_SECONDS - 1
    attempt(circuit, REFUSED)
    assert (circuit.state, circuit.failed_at) == ("open", clock.now)
    clock.now += 1
    assert circuit.state == "half-open"


def test_and_closes_it_where_it_succeeds(circuit: Circuit) -> None:
    attempt(circuit, REFUSED)
    attempt(circuit)
    assert circuit.state == "closed"


@pytest.mark.parametrize("error", [None, REFUSED, CRASHED])
def test_what_was_begun_before_says_nothing_of_now(
    circuit: Circuit, clock: Clock, error: errors.UpstreamError | None
) -> None:
    before = circuit.attempt(draws=True)
    before.__enter__()
    attempt(circuit, REFUSED)
    clock.now += COOL_DOWN_SECONDS
    before.__exit__(type(error) if error else None, error, None)
    assert circuit.state == "half-open"


def test_that_it_answers_again_is_enough_where_it_could_not_be_reached(circuit: Circuit, clock: Clock) -> None:
    attempt(circuit, REFUSED)
    clock.now += COOL_DOWN_SECONDS
    attempt(circuit, draws=False)
    assert circuit.state == "closed"


def test_and_not_where_it_could_draw_no_picture(circuit: Circuit, clock: Clock) -> None:
    trip(circuit, CRASHED)
    clock.now += COOL_DOWN_SECONDS
    attempt(circuit, draws=False)
    attempt(circuit, REJECTED)
    assert (circuit.state, circuit.lets_in) == ("half-open", True)
    attempt(circuit)
    assert circuit.state == "closed"
