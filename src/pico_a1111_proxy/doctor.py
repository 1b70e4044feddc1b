"""Doctor: walks the way to the upstream step by step and says in plain words what to do next."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pico_a1111_proxy.errors import ProxyError
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.proxy import Finding
from pico_a1111_proxy.renderings import develop
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.wiring import examine_redis, open_drawing

# The smallest that every known server draws as asked.
_TINY = b'{"prompt": "a red circle", "steps": 1, "width": 64, "height": 64, "seed": 1}'


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is found, in order, up to the first thing that is wrong."""
    found = await examine_redis(settings)
    if found:
        yield found
        if not found.good:
            return
    async with open_drawing(settings) as upstream:
        async for finding in upstream.examine():
            yield finding
            if not finding.good:
                return
        job = Job("txt2img", _TINY, settings.default_display)
        try:
            frame = develop(job, await upstream.generate(job)).frame
        except ProxyError as error:
            detail = "" if error.detail == str(error) else f" ({error.detail})"
            yield Finding("picture", False, f"{error}{detail}")
            return
        yield Finding("picture", True, f"drawn, and made a frame of {len(frame.data)} bytes")
