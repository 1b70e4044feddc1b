"""The error table, and the shape in which clients see what is in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pico_a1111_proxy import errors
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.web.errors import STATUSES, error_response, respond_to, status_of
from service import RAW, Service


def below(kind: type[errors.ProxyError]) -> Iterator[type[errors.ProxyError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


# That every error has a row at all is the house's own test.
RAISED = [kind for kind in below(errors.ProxyError) if not kind.__subclasses__()]


def test_all_of_them_are_bad_news() -> None:
    assert all(400 <= status < 600 for status in STATUSES.values())


def test_the_rows_are_those_of_the_interface() -> None:
    rows = {kind.__name__: STATUSES[kind] for kind in RAISED}
    assert rows == {
        "BadRequest": 422,
        "BodyTooLarge": 413,
        "FleetUnavailable": 503,
        "PictureError": 422,
        "QueueFull": 503,
        "ShuttingDown": 503,
        "UpstreamNonsense": 502,
        "UpstreamRejected": 422,
        "UpstreamTimeout": 504,
        "UpstreamUnauthorized": 401,
        "UpstreamUnavailable": 502,
    }


def test_a_refusal_keeps_the_upstreams_status() -> None:
    for status in (400, 404, 422, 429):
        assert status_of(errors.UpstreamRejected("no", answer=Answer(status, (), b""))) == status


@pytest.mark.parametrize(
    "error",
    [errors.QueueFull("full", 17), errors.ShuttingDown(17), errors.FleetUnavailable("gone", "", 17)],
    ids=["full", "stopping", "fleet"],
)
def test_who_is_sent_away_is_told_when_to_come_back(error: errors.ProxyError) -> None:
    assert respond_to(error).headers["retry-after"] == "17"


@pytest.mark.parametrize("character", ["x", '"', "\\", "\n", "\x01", "\x7f", "é", "熊", "🐻", "\ud800", "\udfff\x00"])
def test_whatever_the_words_are_an_error_is_under_a_kilobyte(character: str) -> None:
    answer = error_response(422, character * 5000, character * 4000)
    assert len(answer.body) < 1000
    assert answer.headers["content-length"] == str(len(answer.body))


def test_a_plain_sentence_is_kept_whole() -> None:
    sentence = "format: 'rgb999' is not one of " + ", ".join(["rgb565-be"] * 25)
    assert sentence.encode() in bytes(error_response(422, sentence).body)
    assert "…".encode() in bytes(error_response(422, "Zu groß … und so weiter").body)


async def test_no_such_route(service: Service) -> None:
    for method, path in (("GET", "/sdapi"), ("POST", "/nothing"), ("PUT", "/a/b"), ("GET", "/config")):
        got = await service.ask(method, path)
        assert got.status == 404
        assert got.json() == {"error": "Not Found", "code": 404, "detail": "Not Found"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_check_05_no_such_method(service: Service, method: str) -> None:
    got = await service.ask(method, "/sdapi/v1/txt2img", accept=RAW)
    assert got.status == got.json()["code"] == 405
    assert got.headers["Allow"] == "POST"
