"""The ASGI application: guards around routes, and the service that they work with."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from pico_a1111_proxy.peers import read_proxies
from pico_a1111_proxy.settings import Settings, read_settings
from pico_a1111_proxy.web.access import AccessLog
from pico_a1111_proxy.web.bases import OF_A_DISPLAY
from pico_a1111_proxy.web.clients import Clients
from pico_a1111_proxy.web.contract import ANYWHERE, tell_contract
from pico_a1111_proxy.web.cors import Cors
from pico_a1111_proxy.web.displays import displays_routes
from pico_a1111_proxy.web.errors import add_error_handlers
from pico_a1111_proxy.web.frames import frame_routes
from pico_a1111_proxy.web.guards import ApiKey, RequestId, TrailingSlash
from pico_a1111_proxy.web.jobs import jobs_routes
from pico_a1111_proxy.web.limits import RateLimit
from pico_a1111_proxy.web.metrics import RequestCounter, metrics_routes
from pico_a1111_proxy.web.ops import VERSION, ops_routes
from pico_a1111_proxy.web.progress import progress_routes
from pico_a1111_proxy.web.relay import Relay, RelayRules
from pico_a1111_proxy.web.sdapi import RequestRules, sdapi_routes
from pico_a1111_proxy.web.testcards import testcard_routes
from pico_a1111_proxy.web.uploads import Room, Uploads, enough_for
from pico_a1111_proxy.wiring import open_service


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; without `settings` they are read from the environment and `.env`.

    Raises SettingsError if one of them is wrong.
    """
    settings = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        """Open the service with the application, and close it with it."""
        async with open_service(settings) as service:
            app.state.service = service
            yield {"service": service}

    app = FastAPI(
        title="pico-a1111-proxy",
        version=VERSION,
        description="Stable Diffusion pictures for the small displays of microcontrollers.",
        lifespan=lifespan,
        redoc_url=None,
        # A 307 is not followed by the MicroPython clients in the field: TrailingSlash does it without.
        redirect_slashes=False,
        responses=ANYWHERE,
    )
    _add_routes(app, settings)
    add_error_handlers(app)
    tell_contract(app, keys=bool(settings.api_keys))
    # The last one added is the outermost.
    app.add_middleware(Uploads, room=Room(enough_for(int(settings.max_body_mb * 1e6)), time.monotonic))
    if settings.rate_limit:
        app.add_middleware(RateLimit)
    app.add_middleware(ApiKey, keys=settings.api_keys, background=settings.background_api_keys)
    app.add_middleware(Clients, trusted=read_proxies(settings.trusted_proxies))
    app.add_middleware(AccessLog, debug=settings.debug_mode, count=RequestCounter(settings.further_prefixes))
    # Around the keys, since a preflight has none, and around all that makes errors, which a page may read too.
    app.add_middleware(Cors, origins=settings.origins)
    app.add_middleware(RequestId)
    app.add_middleware(TrailingSlash)
    return app


def _add_routes(app: FastAPI, settings: Settings) -> None:
    rules = _request_rules(settings)
    relay = Relay(_relay_rules(settings), rules)
    of_every_base = (sdapi_routes(rules), progress_routes(relay))
    # Looked through in this order: what is asked for most comes first.
    for router in (*of_every_base, ops_routes()):
        app.include_router(router)
    for router in of_every_base:
        app.include_router(router, prefix=OF_A_DISPLAY, include_in_schema=False)
    app.include_router(frame_routes(rules), prefix=OF_A_DISPLAY)
    app.include_router(testcard_routes(), prefix=OF_A_DISPLAY)
    app.include_router(displays_routes())
    app.include_router(jobs_routes())
    app.include_router(metrics_routes())
    app.router.default = relay


def _request_rules(settings: Settings) -> RequestRules:
    otherwise = "original" if settings.json_images == "original" else "json"
    # A picture of another upstream, or of another version of the painter, is another picture.
    upstreams = " ".join(sorted(settings.base_urls)) if settings.fleet == "off" else settings.fleet
    realm = f"{VERSION} {upstreams}"
    max_body = int(settings.max_body_mb * 1e6)
    return RequestRules(otherwise, max_body, settings.allow_image_urls, realm, settings.cache_random)


def _relay_rules(settings: Settings) -> RelayRules:
    return RelayRules(settings.relay == "on", settings.further_prefixes, settings.relay_server_control)
