"""What is counted: each metric is documented and each documented one is there, and endings are told apart."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.a1111 import ScriptedA1111, answer
from fakes.pictures import png
from fakes.tally import Figures, read_figures
from fakes.visitors import Clock
from pico_a1111_proxy.crews import WORKER_STATES, CrewFigures, WorkerFigures
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import UpstreamTimeout
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.metrics import Metrics
from pico_a1111_proxy.served import BEGUN, CANCELLED, DONE, SURPRISE, Served, Step, Telling
from pico_a1111_proxy.web.metrics import KINDS
from service import Service, open_service

DOCUMENT = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines() if line[:3] == "| `"]
TOLD = {row[0].strip("`"): (row[1], tuple(re.findall(r"`(\w+)`", row[2]))) for row in ROWS}
JOB = Job("txt2img", b"", replace(default_display(8, 8, invert=True), format="rgb332"))


CREW = CrewFigures(True, tuple(WorkerFigures(state, state) for state in (*WORKER_STATES, "busy")), 7, 12.0, 3.0)


def figures_of(metrics: Metrics) -> Figures:
    return read_figures(metrics.write("")[0].decode())


def metrics_of_a_fleet(crew: CrewFigures | None, *, up: bool = True) -> str:
    metrics = Metrics()
    metrics.observe_fleet(lambda: up, (lambda: crew) if crew else None)
    return metrics.write("")[0].decode()


# --- The document -----------------------------------------------------------------------------------------------


async def test_each_metric_is_documented_and_each_documented_one_is_there(service: Service) -> None:
    await service.frame()
    text = (await service.ask("GET", "/metrics")).body.decode() + metrics_of_a_fleet(CREW)
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    labels: dict[str, set[str]] = {}
    for name, given in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        family = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
        labels.setdefault(family, set()).update(set(re.findall(r'(\w+)="', given)) - {"le"})
    assert {name: (kind, labels[name]) for name, kind in types.items()} == {
        name: (kind, set(names)) for name, (kind, names) in TOLD.items()
    }
    assert len(ROWS) == len(TOLD)


async def test_each_value_of_a_label_is_documented(service: Service) -> None:
    text = (await service.ask("GET", "/metrics")).body.decode()
    values = {value for _, value in re.findall(r'(error|outcome|origin)="([^"]*)"', text)}
    assert len(values) > 10
    assert [value for value in {*values, *KINDS} if f"`{value}`" not in DOCUMENT] == []


def test_what_the_questions_ask_is_there() -> None:
    asked = re.findall(r"pico_a1111_\w+", DOCUMENT.partition("## Questions")[2])
    assert len(asked) > 5
    assert {name.removesuffix("_bucket") for name in asked} <= TOLD.keys()


# --- Counting ---------------------------------------------------------------------------------------------------


async def test_a_rendering_is_a_success_or_a_failure() -> None:
    metrics = Metrics()
    for served in (
        *(Served("rendering", "hit", job=JOB), Served("rendering", "hit", job=JOB)),
        *(Served("rendering", "miss", job=replace(JOB, wanted="none")), Served("rendering", "QueueFull", job=JOB)),
    ):
        metrics.hear(served)
    figures = figures_of(metrics)
    assert figures["renderings_total"] == {("rgb332", "hit"): 2, ("none", "miss"): 1}
    assert +figures["rendering_failures_total"] == {("QueueFull",): 1}


async def test_only_what_went_well_tells_how_long_it_takes() -> None:
    metrics = Metrics()
    metrics.hear(Served("generation", BEGUN, job=JOB))
    steps: tuple[Step, ...] = ("generation", "line", "conversion")
    for step in steps:
        metrics.hear(Served(step, DONE, 3.0, JOB))
        metrics.hear(Served(step, CANCELLED, 5.0, JOB))
    metrics.hear(Served("conversion", DONE, 4.0))
    metrics.hear(Served("conversion", DONE, 4.0, replace(JOB, wanted="none")))
    figures = figures_of(metrics)
    sums = {name: figures[f"{name}_seconds_sum"][()] for name in steps}
    assert sums == {"generation": 3, "line": 3, "conversion": 7}
    assert figures["generations_begun_total"] == {(): 1}
    assert +figures["generations_ended_total"] == {("done",): 1, ("cancelled",): 1}


async def test_each_service_counts_for_itself() -> None:
    one, other = Metrics(), Metrics()
    one.answered("health", 200, 0.1, 7)
    assert figures_of(one)["response_bytes_total"] == {("health",): 7}
    assert "response_bytes_total" not in figures_of(other)


async def test_what_is_inside_is_told_as_it_is_now(upstream: ScriptedA1111) -> None:
    held = asyncio.Event()
    upstream.standing = replace(answer(png()), gate=held)
    async with open_service(a1111_base_url=upstream.url, max_workers=3, queue_size=7) as service:
        asked = asyncio.create_task(service.frame({"prompt": "now"}))
        await upstream.wait_for(1)
        figures = read_figures((await service.ask("GET", "/metrics")).body.decode())
        held.set()
        assert (await asked).status == 200
    now = [figures[name][()] for name in ("generations_inside", "generations_waiting", "places", "line_places")]
    assert now == [1, 0, 3, 7]
    assert figures["generations_begun_total"] == {(): 1}
    assert sum(figures["generations_ended_total"].values()) == 0


# --- A fleet ----------------------------------------------------------------------------------------------------


def fleet_of(text: str) -> Figures:
    return {name: figures for name, figures in read_figures(text).items() if name.startswith("fleet")}


def test_a_fleet_tells_of_its_workers_and_its_line() -> None:
    workers = {(state,): 1 for state in WORKER_STATES}
    assert fleet_of(metrics_of_a_fleet(CREW)) == {
        "fleet_redis_up": {(): 1},
        "fleet_workers": {**workers, ("busy",): 2},
        "fleet_line": {(): 7},
        "fleet_line_oldest_seconds": {(): 12},
        "fleet_job_seconds": {(): 3},
    }


def test_states_in_which_nobody_is_are_there() -> None:
    told = fleet_of(metrics_of_a_fleet(CrewFigures(True)))["fleet_workers"]
    assert told == {(state,): 0 for state in WORKER_STATES}
    assert all(f"`{state}`" in DOCUMENT for state in WORKER_STATES)


def test_what_can_not_be_seen_is_not_told() -> None:
    assert fleet_of(metrics_of_a_fleet(replace(CREW, is_up=False), up=False)) == {"fleet_redis_up": {(): 0}}
    assert fleet_of(metrics_of_a_fleet(None)) == {"fleet_redis_up": {(): 1}}


async def test_without_redis_there_is_no_fleet(service: Service) -> None:
    assert fleet_of((await service.ask("GET", "/metrics")).body.decode()) == {}


# --- Telling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UpstreamTimeout("too slow"), "UpstreamTimeout"),
        (asyncio.CancelledError(), CANCELLED),
        (ValueError("a path"), SURPRISE),
    ],
)
def test_an_error_is_told_and_goes_on(error: BaseException, outcome: str) -> None:
    told: list[Served] = []
    clock = Clock()

    def fail() -> None:
        with Telling(told.append, clock, "generation", JOB):
            clock.now += 2
            raise error

    with pytest.raises(type(error)):
        fail()
    assert told == [Served("generation", outcome, 2.0, JOB)]


def test_a_good_end_is_told_with_its_outcome() -> None:
    told: list[Served] = []
    for outcome in (None, "joined"):
        with Telling(told.append, Clock(), "rendering") as telling:
            telling.outcome = outcome or telling.outcome
    assert [served.outcome for served in told] == [DONE, "joined"]
