"""What we count: listens to what the proxy tells and to each answer, and reads the rest where it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from pico_a1111_proxy.crews import CrewFigures
from pico_a1111_proxy.errors import BadRequest, PictureError, ProxyError, QueueFull, ShuttingDown, UpstreamError
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.renderings import Origin
from pico_a1111_proxy.served import BEGUN, CANCELLED, DONE, SURPRISE, Served
from pico_a1111_proxy.tickets import Tickets
from pico_a1111_proxy.watch import Watch

PREFIX = "pico_a1111"
CLIENT_LEFT = 499  # nginx's number for it; only the log and the counters see it
OTHER_STATUS = "other"  # an upstream may answer with any number

# Seconds: of answers from memory up to a long poll, of what a GPU takes, of what a processor takes.
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
UPSTREAM_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60, 120, 300)
CONVERSION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

_STATUSES = frozenset({*map(int, HTTPStatus), CLIENT_LEFT})
_ORIGINS = frozenset(get_args(Origin))

# When each counter was made tells nobody anything, and is as many series again. The library has only this one switch.
disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs

M = TypeVar("M", bound=MetricWrapperBase)


class _Children(dict[tuple[object, ...], M], Generic[M]):
    """The children of a metric by the values of its labels, each looked up in the library once."""

    def __init__(self, metric: M) -> None:
        super().__init__()
        self._metric: M = metric

    def __missing__(self, values: tuple[object, ...]) -> M:
        child: M = self._metric.labels(*values)
        self[values] = child
        return child


class Metrics:
    """All there is to count of one service, in a registry of its own.

    `hear` is for the proxy to tell, `answered` for the one who logs the requests.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = _Children(self._counter("requests", "Requests by kind and status", "kind", "status"))
        self._seconds = _Children(
            self._histogram("request_seconds", "How long requests took", REQUEST_BUCKETS, "kind"),
        )
        self._bytes = _Children(self._counter("response_bytes", "Bytes of the bodies of answers", "kind"))
        self._renderings = _Children(
            self._counter("renderings", "Jobs that were rendered, by where from and pixel format", "origin", "format")
        )
        self._failures = _Children(
            self._counter("rendering_failures", "Jobs that were not rendered, by what went wrong", "error")
        )
        self._begun = self._counter("generations_begun", "Generations asked of the upstream")
        self._ended = _Children(self._counter("generations_ended", "Generations by what became of them", "outcome"))
        self._drawing = self._histogram("generation_seconds", "How long good generations took", UPSTREAM_BUCKETS)
        self._line = self._histogram("line_seconds", "How long who got a place stood in line", UPSTREAM_BUCKETS)
        self._converting = self._histogram("conversion_seconds", "How long frames took to make", CONVERSION_BUCKETS)
        self._begin_at_zero()
        self._hearing = {
            "rendering": self._hear_rendering,
            "generation": self._hear_generation,
            "line": self._hear_line,
            "conversion": self._hear_conversion,
        }

    def observe(self, proxy: Proxy, tickets: Tickets, watch: Watch) -> None:
        """Listen to `proxy`, and read of it, of `tickets` and of `watch` what there is whenever somebody looks."""
        proxy.tell = self.hear
        self.registry.register(_Now(proxy, tickets, watch))

    def observe_fleet(self, redis_is_up: Callable[[], bool], crew: Callable[[], CrewFigures] | None) -> None:
        """Read as well whether Redis can be reached, and of the crew, where there is one, whenever somebody looks."""
        self.registry.register(_Fleet(redis_is_up, crew))

    def hear(self, served: Served) -> None:
        """Count what happened on a job's way."""
        self._hearing[served.step](served)

    def answered(self, kind: str, status: int, seconds: float, size: int) -> None:
        """Count a request whose answer is out; `kind` is one of few, `size` in bytes."""
        self._requests[kind, status if status in _STATUSES else OTHER_STATUS].inc()
        self._seconds[(kind,)].observe(seconds)
        self._bytes[(kind,)].inc(size)

    def write(self, accept: str) -> tuple[bytes, str]:
        """All of it as text, and the content type of that: Prometheus' own, or OpenMetrics where `accept` names it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _hear_rendering(self, served: Served) -> None:
        if served.outcome in _ORIGINS:
            self._renderings[served.outcome, served.format].inc()
        else:
            self._failures[(served.outcome,)].inc()

    def _hear_generation(self, served: Served) -> None:
        if served.outcome == BEGUN:
            self._begun.inc()
            return
        self._ended[(served.outcome,)].inc()
        if served.outcome == DONE:
            self._drawing.observe(served.seconds)

    def _hear_line(self, served: Served) -> None:
        if served.outcome == DONE:
            self._line.observe(served.seconds)

    def _hear_conversion(self, served: Served) -> None:
        # For who wants no frame there is nothing to convert.
        if served.outcome == DONE and not (served.job and served.job.wanted == "none"):
            self._converting.observe(served.seconds)

    def _begin_at_zero(self) -> None:
        """Have the counters of what goes wrong from the start: else nobody sees the first time as a change."""
        of_the_upstream = (CANCELLED, SURPRISE, *(kind.__name__ for kind in _kinds(UpstreamError)))
        for outcome in (DONE, *of_the_upstream):
            self._ended[(outcome,)].inc(0)
        for error in (
            *of_the_upstream,
            *(kind.__name__ for kind in (BadRequest, PictureError, QueueFull, ShuttingDown)),
        ):
            self._failures[(error,)].inc(0)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, namespace=PREFIX, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, words, labels, namespace=PREFIX, registry=self.registry, buckets=buckets)


@dataclass(frozen=True)
class _Now(Collector):
    """What is kept elsewhere, as it is at this moment."""

    proxy: Proxy
    tickets: Tickets
    watch: Watch

    def collect(self) -> Iterator[Metric]:
        gate, condition = self.proxy.gate, self.watch.condition
        yield _gauge("generations_inside", "Places that are taken", gate.inside)
        yield _gauge("generations_waiting", "Jobs in line", gate.waiting)
        yield _gauge("places", "Generations that may be in flight: MAX_WORKERS", gate.places)
        yield _gauge("line_places", "Jobs that may wait in line: QUEUE_SIZE", gate.line)
        yield _gauge(
            "upstream_usable",
            "Whether the upstream could be used when last looked at",
            bool(condition and condition.usable),
        )
        figures = self.proxy.archive.figures()
        yield _count("cache_hits", "Times that something was in the cache", figures.hits)
        yield _count("cache_misses", "Times that something was not in the cache", figures.misses)
        yield _count("cache_trouble", "Things that went wrong with the cache", figures.trouble)
        yield _gauge("cache_entries", "Generations in the cache", figures.entries)
        yield _gauge("cache_bytes", "Bytes in the cache", figures.bytes)
        yield _gauge("tickets", "Jobs at /jobs", self.tickets.count)
        yield _gauge("tickets_unfinished", "Jobs at /jobs that are not over", self.tickets.unfinished)
        yield _gauge("tickets_bytes", "Bytes of what is ready to be fetched at /jobs", self.tickets.held)
        yield _gauge("tasks", "Tasks of the event loop", len(asyncio.all_tasks()))


@dataclass(frozen=True)
class _Fleet(Collector):
    """What several proxies have together; of a crew that can't be seen, nothing."""

    redis_is_up: Callable[[], bool]
    crew: Callable[[], CrewFigures] | None

    def collect(self) -> Iterator[Metric]:
        yield _gauge("fleet_redis_up", "Whether Redis can be reached", self.redis_is_up())
        crew = self.crew() if self.crew else None
        if crew is None or not crew.is_up:
            return
        workers = GaugeMetricFamily(f"{PREFIX}_fleet_workers", "Workers by what they do", labels=["state"])
        for state, count in crew.states.items():
            workers.add_metric([state], count)
        yield workers
        yield _gauge("fleet_line", "Jobs in the fleet's line", crew.waiting)
        yield _gauge("fleet_line_oldest_seconds", "How long the oldest of them has waited", crew.oldest_seconds)
        yield _gauge("fleet_job_seconds", "How long a job takes a worker: the moving average", crew.job_seconds)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", words, value)


def _count(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", words, value)


def _kinds(kind: type[ProxyError]) -> Iterator[type[ProxyError]]:
    yield kind
    for heir in kind.__subclasses__():
        yield from _kinds(heir)
