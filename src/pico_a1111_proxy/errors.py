"""Everything that can go wrong, named once.

    ProxyError
    ├── BadRequest                 the client's body or an option is wrong
    ├── BodyTooLarge               the client's body is over the limit
    ├── PictureError               a picture that can't be read, or is too large
    ├── QueueFull                  all places are taken and the line is full
    ├── ShuttingDown               no new work is taken any more
    └── UpstreamError              the upstream's side of things
        ├── UpstreamUnavailable    unreachable, cut off, or it answered 5xx
        ├── UpstreamNonsense       it answered 200 with something that is no answer
        ├── UpstreamTimeout        it did not answer in time
        ├── FleetUnavailable       the fleet takes no job at the moment
        ├── UpstreamUnauthorized   it refused our credentials
        └── UpstreamRejected       it refused this very request (4xx)

None of these knows a status of ours: `web/errors.py` holds the one table of those.
`str(error)` is one sentence that a client may read: no path, no credential, no upstream URL.
"""

from __future__ import annotations

import math

from pico_a1111_proxy.answers import Answer

RETRY_SECONDS = 5  # when one may come again where nobody can tell
LONGEST_RETRY_SECONDS = 120


def whole_retry(seconds: float) -> int:
    """A Retry-After: whole seconds, from 1 to LONGEST_RETRY_SECONDS."""
    return min(max(1, math.ceil(seconds)), LONGEST_RETRY_SECONDS)


class ProxyError(Exception):
    """The root: whatever this package raises on purpose."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


class BadRequest(ProxyError):
    """The client's body is no JSON object, or an option has a bad value."""


class BodyTooLarge(ProxyError):
    """The client's body is larger than `MAX_BODY_MB`."""


class PictureError(ProxyError):
    """A picture can't be read, or is too large; the message says which and why."""


class QueueFull(ProxyError):
    """Every place is taken and the line is full; `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ShuttingDown(ProxyError):
    """The service is stopping and takes no new work; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__("The service is shutting down")
        self.retry_after = retry_after


class UpstreamError(ProxyError):
    """Something went wrong on the upstream's side; `answer` is what it said, if it said anything.

    `unsent` is whether nothing of the request has reached it for certain: only then may another one be asked.
    """

    def __init__(self, message: str, detail: str = "", answer: Answer | None = None, *, unsent: bool = False) -> None:
        super().__init__(message, detail)
        self.answer = answer
        self.unsent = unsent


class UpstreamUnavailable(UpstreamError):
    """The upstream can't be reached, hung up in mid-answer, or answered 5xx."""


class FleetUnavailable(UpstreamError):
    """The fleet takes no job: its Redis can't be reached, or no worker is there; `retry_after` is in whole seconds."""

    def __init__(self, message: str, detail: str = "", retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(message, detail, unsent=True)
        self.retry_after = retry_after


class UpstreamNonsense(UpstreamError):
    """The upstream answered 200, but not with an A1111 answer that holds pictures."""


class UpstreamTimeout(UpstreamError):
    """The upstream did not connect or did not answer in time."""


class UpstreamUnauthorized(UpstreamError):
    """The upstream refused the credentials of our settings."""


class UpstreamRejected(UpstreamError):
    """The upstream refused this request (4xx); `answer` holds its own words."""
