"""What a client hears when the upstream fails. Checks 34, 36, 38 to 41 and 53."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, said
from fakes.failures import (
    CUT_OFF,
    HTML,
    IN_TROUBLE,
    NO_HTTP,
    NONSENSE,
    REDIRECTS,
    REJECTED,
    SLOW,
    STRANGE_DETAILS,
    UNAUTHORIZED,
    UNREADABLE,
    closed_port,
    full_backlog,
)
from fakes.pictures import png
from service import Said, Service, open_service

UNAVAILABLE = "Upstream A1111 service unavailable"
OURS = ["frame", "preview", "json"]
ALL = [*OURS, "original"]

# Addresses, paths and words of the failing upstreams that nobody may hear.
SECRETS = ("127.0.0.1", "10.9.8.7", "192.168", "Traceback", "/home", "site-packages", "models", "://", "nginx")


def assert_ours(got: Said, status: int, upstream: ScriptedA1111 | None = None) -> dict[str, Any]:
    """It is a small error in our shape, and tells nothing of what is behind us."""
    document: dict[str, Any] = got.json()
    assert got.status == document["code"] == status
    assert set(document) == {"error", "code", "detail"}
    assert all(isinstance(document[key], str) and document[key] for key in ("error", "detail"))
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Content-Length"] == str(len(got.body))
    assert len(got.body) < 1000
    for secret in SECRETS:
        assert secret not in got.body.decode()
    if upstream:
        assert str(upstream.port) not in got.body.decode()
    return document


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("failure", CUT_OFF)
async def test_check_40_and_53_cut_off_is_a_502_and_never_tried_again(
    service: Service, upstream: ScriptedA1111, failure: str, how: str
) -> None:
    upstream.script = [CUT_OFF[failure]]
    got = await service.txt2img({}, f"?answer={how}")
    document = assert_ours(got, 502, upstream)
    assert document["error"] == UNAVAILABLE
    assert document["detail"] == "It hung up before the answer was complete"
    assert len(upstream.generations) == 1


@pytest.mark.parametrize("how", ["frame", "original"])
@pytest.mark.parametrize("failure", NO_HTTP)
async def test_check_40_and_53_no_http_is_a_502_and_never_tried_again(
    service: Service, upstream: ScriptedA1111, failure: str, how: str
) -> None:
    upstream.script = [NO_HTTP[failure]]
    assert assert_ours(await service.txt2img({}, f"?answer={how}"), 502, upstream)["error"] == UNAVAILABLE
    assert len(upstream.generations) == 1


@pytest.mark.parametrize("how", ["frame", "original"])
@pytest.mark.parametrize("failure", SLOW)
async def test_check_40_and_53_too_slow_is_a_504_and_never_tried_again(
    impatient: Service, upstream: ScriptedA1111, failure: str, how: str
) -> None:
    upstream.script = [SLOW[failure]()]
    got = await impatient.txt2img({}, f"?answer={how}")
    assert assert_ours(got, 504, upstream)["error"] == "The upstream A1111 service did not answer in time"
    assert len(upstream.generations) == 1
    # And the place is free again, as soon as the upstream has said that it is idle.
    for _ in range(500):
        if not (await impatient.health())["queue"]["in_flight"]:
            return
    pytest.fail("The place is not free again")


@pytest.mark.parametrize("how", ALL)
async def test_check_40_upstream_down(nobody: Service, how: str) -> None:
    document = assert_ours(await nobody.txt2img({}, f"?answer={how}"), 502)
    assert document == {"error": UNAVAILABLE, "code": 502, "detail": "It refuses connections: is it running?"}


@pytest.mark.parametrize("how", ALL)
async def test_check_40_upstream_that_takes_no_connection(full: Service, how: str) -> None:
    assert_ours(await full.txt2img({}, f"?answer={how}"), 504)


@pytest.fixture(scope="module")
async def nobody() -> Any:
    with closed_port() as url:
        async with open_service(a1111_base_url=url) as service:
            yield service


@pytest.fixture(scope="module")
async def full() -> Any:
    with full_backlog() as url:
        async with open_service(a1111_base_url=url, a1111_timeout=0.2) as service:
            yield service


@pytest.mark.parametrize("how", OURS)
@pytest.mark.parametrize("failure", NONSENSE)
async def test_check_34_an_answer_without_pictures_is_a_502(
    service: Service, upstream: ScriptedA1111, failure: str, how: str
) -> None:
    upstream.script = [NONSENSE[failure]]
    document = assert_ours(await service.txt2img({}, f"?answer={how}"), 502, upstream)
    assert "upstream" in document["error"].lower()
    assert len(upstream.generations) == 1


@pytest.mark.parametrize("failure", NONSENSE)
async def test_an_answer_without_pictures_passes_as_original(
    service: Service, upstream: ScriptedA1111, failure: str
) -> None:
    reply = NONSENSE[failure]
    upstream.script = [reply]
    got = await service.txt2img({}, "?answer=original")
    assert (got.status, got.body) == (reply.status, reply.body)


@pytest.mark.parametrize("how", OURS)
@pytest.mark.parametrize("failure", UNREADABLE)
async def test_check_34_a_picture_that_cannot_be_read_is_a_422(
    service: Service, upstream: ScriptedA1111, failure: str, how: str
) -> None:
    upstream.script = [UNREADABLE[failure]]
    document = assert_ours(await service.txt2img({}, f"?answer={how}"), 422, upstream)
    assert document["error"].startswith("Failed to process image: ")
    assert len(upstream.generations) == 1


async def test_check_34_a_good_picture_beside_a_bad_one(service: Service, upstream: ScriptedA1111) -> None:
    bad = png()[:50]
    upstream.standing = answer(bad, png())
    assert (await service.frame()).status == 422
    assert (await service.frame(query="?index=1")).status == 200


@pytest.mark.parametrize("failure", REJECTED)
async def test_check_38_and_39_a_refusal_is_relayed(service: Service, upstream: ScriptedA1111, failure: str) -> None:
    reply, words = REJECTED[failure]
    upstream.standing = reply
    for how in ("original", "json"):
        got = await service.txt2img({}, f"?answer={how}")
        assert (got.status, got.body) == (reply.status, reply.body)
        assert got.headers.get("Content-Type") == dict(reply.headers).get("content-type")
        assert got.headers.get("Retry-After") == dict(reply.headers).get("retry-after")
    for how in ("frame", "preview"):
        got = await service.txt2img({}, f"?answer={how}")
        assert assert_ours(got, reply.status, upstream)["error"] == words
        assert got.headers.get("Retry-After") == dict(reply.headers).get("retry-after")
    assert len(upstream.generations) == 4


@pytest.mark.parametrize("detail", STRANGE_DETAILS, ids=repr)
@pytest.mark.parametrize("key", ["detail", "message", "error"])
async def test_check_36_strange_words_are_not_repeated(
    service: Service, upstream: ScriptedA1111, key: str, detail: Any
) -> None:
    upstream.standing = said({key: detail}, 404)
    document = assert_ours(await service.frame(), 404, upstream)
    assert document["error"].startswith("Upstream A1111 answered 404")
    for word in ("None", "lines", "busy", "True", "{"):
        assert word not in document["error"]


@pytest.mark.parametrize("character", ["x", "é", "熊", "🐻", '"', "\\", "'"])
@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
async def test_check_36_huge_words_stay_small(
    service: Service, upstream: ScriptedA1111, character: str, status: int
) -> None:
    upstream.standing = said({"error": character * 20000, "detail": character * 300, "errors": "x"}, status)
    assert_ours(await service.frame(), 502 if status >= 500 else status, upstream)
    upstream.standing = said({"detail": [{"loc": ["body", character * 500], "msg": character * 500}]}, status)
    assert_ours(await service.frame(), 502 if status >= 500 else status, upstream)


@pytest.mark.parametrize("failure", IN_TROUBLE)
async def test_check_38_39_and_41_a_5xx_is_our_502_and_relayed_as_original(
    service: Service, upstream: ScriptedA1111, failure: str
) -> None:
    reply = IN_TROUBLE[failure]
    upstream.standing = reply
    for how in OURS:
        got = await service.txt2img({}, f"?answer={how}")
        document = assert_ours(got, 502, upstream)
        assert document["error"] == UNAVAILABLE
        assert document["detail"].startswith(f"It answered {reply.status}")
        assert got.headers.get("Retry-After") == dict(reply.headers).get("retry-after")
    got = await service.txt2img({}, "?answer=original")
    assert (got.status, got.body) == (reply.status, reply.body)
    assert got.headers.get("Content-Type") == dict(reply.headers).get("content-type")
    assert got.headers.get("Retry-After") == dict(reply.headers).get("retry-after")
    assert len(upstream.generations) == 4


async def test_the_name_of_the_exception_helps(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = IN_TROUBLE["Forge crashed"]
    assert (await service.frame()).json()["detail"] == "It answered 500 (OutOfMemoryError)"


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_is_neither_followed_nor_shown(
    service: Service, upstream: ScriptedA1111, status: str, how: str
) -> None:
    upstream.script = [REDIRECTS[status]]
    got = await service.txt2img({}, f"?answer={how}")
    assert assert_ours(got, 502, upstream)["detail"] == "It redirects elsewhere: check A1111_BASE_URL"
    assert "Location" not in got.headers
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("how", OURS)
async def test_refused_credentials_are_a_401(service: Service, upstream: ScriptedA1111, how: str) -> None:
    upstream.standing = UNAUTHORIZED
    document = assert_ours(await service.txt2img({}, f"?answer={how}"), 401, upstream)
    assert document["error"] == "Invalid A1111 credentials"


async def test_refused_credentials_as_original(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = UNAUTHORIZED
    got = await service.txt2img({}, "?answer=original")
    assert (got.status, got.body) == (401, UNAUTHORIZED.body)


@pytest.mark.parametrize("how", ALL)
async def test_odd_statuses_do_no_harm(service: Service, upstream: ScriptedA1111, how: str) -> None:
    for line in ("101 Switching Protocols", "299 Odd", "304 Not Modified", "600 Odd", "999 Odd"):
        upstream.script = [Reply(raw=f"HTTP/1.1 {line}\r\nconnection: close\r\n\r\n".encode())]
        got = await service.txt2img({}, f"?answer={how}")
        assert got.status == 502 or (how == "original" and got.status == int(line[:3]))


async def test_other_content_types_are_read_all_the_same(service: Service, upstream: ScriptedA1111) -> None:
    for headers in (
        (),
        (HTML,),
        (("content-type", "application/octet-stream"),),
        (("content-type", "application/json; charset=latin-1"),),
    ):
        upstream.standing = Reply(body=answer(png()).body, headers=headers)
        assert (await service.frame()).status == 200
