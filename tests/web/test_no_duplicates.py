"""Nothing is generated twice, whatever happens on the way up; bench/proof_no_duplicates.py is the same at large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fakes.a1111 import open_scripted_a1111
from fakes.faults import FaultProxy, by_chance, open_fault_proxy
from fakes.marked import WEATHER, Marks, Tally, ask_for_all, open_retrying
from service import open_service

CALLS, AT_A_TIME = 200, 16
PATIENCE = 120  # seconds; reached only by a service that hangs


@asynccontextmanager
async def asked(folder: Path, *, again: bool) -> AsyncIterator[tuple[Marks, FaultProxy, Tally]]:
    """All the calls, answered; `again` puts somebody between who sends again what failed."""
    async with AsyncExitStack() as stack:
        marks = Marks()
        upstream = await stack.enter_async_context(open_scripted_a1111())
        upstream.standing = marks.reply
        weather = await stack.enter_async_context(open_fault_proxy(upstream.port))
        weather.standing = by_chance(6, WEATHER)
        port = await stack.enter_async_context(open_retrying(weather.port)) if again else weather.port
        settings = {"a1111_base_url": f"http://127.0.0.1:{port}", "a1111_timeout": 5, "cache_dir": str(folder)}
        service = await stack.enter_async_context(open_service(**settings, max_workers=AT_A_TIME))
        yield marks, weather, await ask_for_all(service, range(CALLS), AT_A_TIME, PATIENCE)


async def test_nothing_is_generated_twice_and_everybody_is_answered(tmp_path: Path) -> None:
    async with asked(tmp_path, again=False) as (marks, weather, tally):
        assert tally.improper == []
        assert sum(tally.statuses.values()) == CALLS
        assert marks.twice() == []
        # Of that the upstream got, some came back broken: the clients were told, and nobody tried again for them.
        assert CALLS / 4 < tally.statuses[200] < sum(marks.generated.values()) < CALLS
        assert len(weather.met) == len({fault.kind for fault in WEATHER})


async def test_who_sends_again_is_found_out(tmp_path: Path) -> None:
    async with asked(tmp_path, again=True) as (marks, _, __):
        assert marks.twice() != []
