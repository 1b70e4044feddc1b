"""A1111: a web UI, or any server with its API, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yarl

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import BadRequest, UpstreamError, UpstreamTimeout
from pico_a1111_proxy.jobs import Generation, Job, Progress, decode_base64, read_json
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.proxy import Condition, Finding, RelayAnswer, RelayRequest
from pico_a1111_proxy.upstreams import wire
from pico_a1111_proxy.upstreams.hiding import without_address
from pico_a1111_proxy.upstreams.idling import wait_until_idle
from pico_a1111_proxy.upstreams.stream import stream

CHECK_SECONDS = 5.0
CHECK_PATH = "/sdapi/v1/samplers"  # short on every server that has it, and outside A1111's line
LARGEST_NUMBER = 1e15  # steps or seconds
PROGRESS_PATH = "/sdapi/v1/progress"


@dataclass(frozen=True)
class Credentials:
    """The user and password of A1111's --api-auth; a password may hold a colon."""

    username: str
    password: str

    @property
    def authorization(self) -> str:
        """The header of Basic authentication."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class A1111:
    """A web UI at `base_url`, without its trailing slash. Made by `open_a1111`; `pause` waits."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        credentials: Credentials | None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._authority = yarl.URL(base_url, encoded=True).raw_authority
        self._authorization = credentials.authorization if credentials else None
        self._pause = pause
        self._posted = 0
        self._latest_drawn = 0  # of those posted
        self._since: dict[int, float] = {}  # by its number, when each in flight has begun, as far as is known

    async def generate(self, job: Job) -> Generation:
        """POST the job's body as it is, once. Raises UpstreamError."""
        query = f"?{job.query}" if job.query else ""
        content_type = {"Content-Type": job.content_type} if job.content_type is not None else {}
        self._posted += 1
        number = self._posted
        call = self._call("POST", f"/sdapi/v1/{job.route}{query}", job.body, content_type)
        answer = wire.accept(await self._in_turn(number, call))
        self._latest_drawn = max(self._latest_drawn, number)
        return await wire.read_generation(answer)

    @asynccontextmanager
    async def relay(self, request: RelayRequest) -> AsyncIterator[RelayAnswer]:
        """Pass it on with our credentials; its redirects lead back through the relay, or nowhere."""
        async with stream(self._session, request, self._url(request.target), self._authorization) as answer:
            yield replace(answer, headers=without_address(answer.headers, self._base_url))

    async def abandon(self, job: Job) -> None:
        """Interrupt `job` if it is the one that runs, and wait until the upstream is idle; see Upstream.

        An upstream draws in the order of asking: when one that was posted later is drawn, `job` is done with too.
        """
        posted = self._posted
        await wait_until_idle(job, self._call, lambda: self._latest_drawn > posted, self._pause)

    async def progress(self) -> Progress:
        """Ask how far the running generation is. Raises UpstreamError."""
        document = read_json(wire.accept(await self._call("GET", PROGRESS_PATH)).body)
        if not isinstance(document, dict):
            return Progress()
        state = document.get("state")
        state = state if isinstance(state, dict) else {}
        image = document.get("current_image")
        return Progress(
            fraction=_number(document.get("progress")),
            eta_seconds=_number(document.get("eta_relative")),
            step=int(_number(state.get("sampling_step"))),
            # A1111 leaves the last job's step numbers standing when it is idle.
            steps=int(_number(state.get("sampling_steps"))) if state.get("job_count") else 0,
            picture=decode_base64(image) if isinstance(image, str) else None,
        )

    def stage(self, job: Job, *, closely: bool = False) -> Stage | None:
        """It tells no job from another."""
        return None

    async def check(self) -> Condition:
        """Whether anything that speaks HTTP answers there and takes our credentials."""
        try:
            answer = await asyncio.wait_for(self._call("GET", CHECK_PATH), CHECK_SECONDS)
            # Some servers lack the list of samplers: a 404 is an answer.
            if answer.status != 404:
                wire.accept(answer)
        except asyncio.TimeoutError:
            return Condition("a1111", usable=False, words="It does not answer in time")
        except UpstreamError as error:
            return Condition("a1111", usable=False, words=error.detail)
        return Condition("a1111", usable=True)

    async def examine(self) -> AsyncIterator[Finding]:
        """Name, connection, credentials, API, samplers; see Upstream."""
        parts = urlsplit(self._base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port)
        except OSError:
            yield Finding("name", False, f"{host} is not known here: check the spelling, or use the IP address")
            return
        yield Finding("name", True, f"{host} is {found[0][4][0]}")
        try:
            answer = await asyncio.wait_for(self._call("GET", CHECK_PATH), CHECK_SECONDS)
        except (asyncio.TimeoutError, UpstreamTimeout):
            yield Finding("connection", False, _NO_ANSWER.format(host=host, port=port))
            return
        except UpstreamError as error:
            end = "" if error.detail.endswith("?") else "."
            yield Finding("connection", False, f"{host}:{port}: {error.detail}{end} {_LISTEN}")
            return
        yield Finding("connection", True, f"something answers at {host}:{port}")
        for finding in _judge(answer, self._authorization is not None):
            yield finding

    async def _call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        headers = dict(headers or {})
        if self._authorization:
            headers["Authorization"] = self._authorization
        answer = await wire.call(self._session, method, self._url(path), body, headers)
        return replace(answer, headers=without_address(answer.headers, self._base_url))

    async def _in_turn(self, number: int, call: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer to generation `number`; its time runs from when the last one before it was answered.

        It draws one at a time, in the order of asking: what it has not come to yet is not late. Raises UpstreamError.
        """
        clock = asyncio.get_running_loop().time
        self._since[number] = clock()
        working = asyncio.create_task(call)
        try:
            while not working.done():
                left = self._since[number] + (self._session.timeout.total or math.inf) - clock()
                if left <= 0:
                    raise UpstreamTimeout("The upstream A1111 service did not answer in time")
                await asyncio.wait([working], timeout=left)
            self._since.update({later: clock() for later in self._since if later > number})
            return working.result()
        finally:
            del self._since[number]
            working.cancel()
            await asyncio.wait([working])

    def _url(self, target: str) -> yarl.URL:
        # Already encoded: path and query go up as the client wrote them.
        url = yarl.URL(self._base_url + target, encoded=True)
        if url.raw_authority != self._authority:
            raise BadRequest("The path would lead to another server")
        return url


@asynccontextmanager
async def open_a1111(base_url: str, credentials: Credentials | None, seconds: float) -> AsyncIterator[A1111]:
    """An A1111 whose calls may take `seconds` each."""
    async with wire.open_session(seconds) as session:
        yield A1111(session, base_url, credentials)


_NO_ANSWER = "{host}:{port} does not answer. Is the computer on, in this network, and its firewall open for that port?"
_LISTEN = "Start the web UI with --listen --api and compare the port with the one it prints"


def _judge(answer: Answer, had_credentials: bool) -> list[Finding]:
    """What the answer to the list of samplers tells of credentials and API."""
    if answer.status in (401, 403):
        words = (
            "A1111_USERNAME and A1111_PASSWORD are refused: they must be those of --api-auth"
            if had_credentials
            else "it asks for credentials: set A1111_USERNAME and A1111_PASSWORD to those of --api-auth"
        )
        return [Finding("credentials", False, words)]
    findings = [Finding("credentials", True, "accepted" if had_credentials else "none asked for")]
    samplers = read_json(answer.body) if answer.status == 200 else None
    if isinstance(samplers, list):
        names = [str(s.get("name")) for s in samplers if isinstance(s, dict)]
        findings.append(Finding("API", True, "on"))
        listed = f"{len(names)}, such as {', '.join(names[:3])}" if names else "none: has the web UI finished starting?"
        findings.append(Finding("samplers", bool(names), listed))
    elif answer.status == 404:
        words = "no list of samplers: perhaps --api is missing (some other servers have no such list)"
        findings.append(Finding("API", True, words))
    else:
        words = f"it answered {answer.status}, which is no A1111 API: is A1111_BASE_URL the web UI's address?"
        findings.append(Finding("API", False, words))
    return findings


def _number(value: object) -> float:
    """A number of the upstream's; 0 for what is none, for NaN and for what is beyond all reason."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER:
        return float(value)
    return 0.0
