"""Records: tickets as they stand in Redis, for the proxies that do not hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from pico_a1111_proxy.claims import Ticket
from pico_a1111_proxy.displays import DITHERS, FITS, MAX_SHARPEN, MAX_SIDE, ROTATIONS, Display, is_colour
from pico_a1111_proxy.errors import ProxyError, ShuttingDown, UpstreamUnavailable
from pico_a1111_proxy.fleet.parcels import read_error, wrap_error
from pico_a1111_proxy.frames import read_frame
from pico_a1111_proxy.outlooks import Outlook, State
from pico_a1111_proxy.pixels import FORMATS
from pico_a1111_proxy.renderings import Origin, Rendering

MOST_BYTES = 8_000_000  # of what came of one ticket
HEAD = ("owner", "display", "outlook", "error", "answer")  # what `read_record` reads
BODY = ("facts", "frames", "too_large")  # what `read_rendering` reads
OVER = "over"  # is set with what came of it

ENDS: frozenset[State] = frozenset({"done", "failed", "cancelled"})

_STOPPED = "The proxy that had the job has stopped: it can be posted again"


@dataclass(frozen=True)
class Record:
    """A ticket of the proxy `owner`; `error` is what went wrong, where it has failed."""

    owner: str
    display: Display
    outlook: Outlook
    error: ProxyError | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.outlook.state in ENDS

    @property
    def orphaned(self) -> Record:
        """The same without its owner: nobody goes on with it."""
        return replace(self, outlook=Outlook("failed", progress=self.outlook.progress), error=stopped())


def stopped() -> ProxyError:
    """What went wrong with a job whose proxy has ended: nobody draws it, and its client may post it again."""
    return UpstreamUnavailable(_STOPPED)


def write_head(owner: str, ticket: Ticket) -> dict[str, bytes]:
    """What never changes of `ticket`."""
    display = asdict(replace(ticket.display, panel=None))
    return {"owner": owner.encode(), "display": _write(display)}


def write_outlook(ticket: Ticket) -> bytes:
    """How far it is, as precisely as clients are told; one that is over without being told so is nearly there."""
    outlook = Outlook("running", progress=0.99, eta_seconds=1.0) if ticket.is_over else ticket.outlook()
    return _write_outlook(outlook)


def write_end(ticket: Ticket) -> dict[str, bytes]:
    """What came of it, which is over. Takes long for a large one."""
    end = {"outlook": _write_outlook(ticket.outlook()), OVER: b"1"}
    if ticket.error:
        # Who comes back to it finds another proxy, which is not shutting down.
        end["error"], end["answer"] = wrap_error(stopped() if isinstance(ticket.error, ShuttingDown) else ticket.error)
    elif ticket.rendering:
        end |= _write_rendering(ticket.rendering)
    return end


def read_record(said: Sequence[bytes | None], known: Mapping[str, Display]) -> Record | None:
    """What HMGET said to HEAD; None for no record, or a damaged one. A display that is `known` is that very one."""
    owner, display, outlook, error, answer = said
    if not owner or not display or not outlook:
        return None
    try:
        record = Record(owner.decode("ascii"), _read_display(json.loads(display), known), _read_outlook(outlook))
        return replace(record, error=_read_error(error, answer)) if record.outlook.state == "failed" else record
    except (ArithmeticError, ValueError, TypeError, KeyError, RecursionError, ProxyError):
        return None


def read_rendering(said: Sequence[bytes | None], display: Display) -> Rendering | None:
    """What HMGET said to the first two of BODY; None for a damaged one."""
    facts, frames, *_ = said
    try:
        parameters, info, count, chosen, seed, origin = json.loads(facts or b"")
        size = display.frame_bytes
        data = frames or b""
        made = tuple(read_frame(data[at : at + size], display) for at in range(0, len(data), size))
        good = isinstance(parameters, dict) and isinstance(info, dict) and origin in get_args(Origin)
        numbers = [count, chosen, *([] if seed is None else [seed])]
        if not good or not all(type(number) is int and number >= 0 for number in numbers) or chosen > len(made):
            return None
        return Rendering(parameters, info, count, None, made, chosen, b"", seed, origin)
    except (ValueError, TypeError, RecursionError, ProxyError):
        return None


def _write_rendering(rendering: Rendering) -> dict[str, bytes]:
    said = [rendering.parameters, rendering.info, rendering.count, rendering.chosen, rendering.seed, rendering.origin]
    frames = b"".join(frame.data for frame in rendering.frames)
    try:
        facts = _write(said)
    except (ValueError, RecursionError):
        return {"too_large": b"1"}
    return {"facts": facts, "frames": frames} if len(facts) + len(frames) <= MOST_BYTES else {"too_large": b"1"}


def _write(document: Any) -> bytes:
    # As ASCII, and with NaN: what servers write in `info` comes back as it was, whatever it is.
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _write_outlook(outlook: Outlook) -> bytes:
    rounded = replace(outlook, progress=round(outlook.progress, 3), eta_seconds=round(outlook.eta_seconds, 1))
    return _write([getattr(rounded, field.name) for field in fields(Outlook)])


def _read_outlook(text: bytes) -> Outlook:
    """Raises ValueError and TypeError."""
    state, position, progress, eta, live = json.loads(text)
    good = state in get_args(State) and type(position) is int and position >= 0 and isinstance(live, bool)
    if not good or not 0 <= float(progress) <= 1 or not 0 <= float(eta) < 1e9:
        raise ValueError(state)
    return Outlook(state, position, float(progress), float(eta), live)


def _read_error(text: bytes | None, answer: bytes | None) -> ProxyError:
    """Raises ValueError, TypeError, KeyError and ProxyError."""
    said = json.loads(text or b"")
    if not all(isinstance(said[name], str) for name in ("kind", "words", "detail")):
        raise TypeError
    return read_error(text or b"", answer)


def _read_display(said: Any, known: Mapping[str, Display]) -> Display:
    """Raises ValueError and TypeError."""
    sample = Display("", 1, 1)
    names = [field.name for field in fields(Display) if field.name != "panel"]
    # Another version may know others; what it does not know is as ever.
    display = Display(**{name: said[name] for name in names if name in said})
    if any(type(getattr(display, name)) is not type(getattr(sample, name)) for name in names):
        raise TypeError
    good = (
        *(1 <= display.width <= MAX_SIDE, 1 <= display.height <= MAX_SIDE, 0 <= display.sharpen <= MAX_SHARPEN),
        *(display.format in FORMATS, display.fit in FITS, display.dither in DITHERS, display.rotate in ROTATIONS),
        is_colour(display.background),
    )
    if not all(good):
        raise ValueError(display.name)
    own = known.get(display.name)
    return own if own and replace(own, panel=None) == display else display
