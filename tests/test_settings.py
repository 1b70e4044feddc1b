"""The settings: read as people write them, and everything that is wrong told at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from pico_a1111_proxy.settings import Settings, SettingsError, read_settings

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our names comes from whoever runs the tests."""
    for name in os.environ:
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)


@pytest.fixture
def dotenv(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Writes a .env and gives its name."""
    file = tmp_path / ".env"

    def write(text: str | bytes) -> str:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    return write


def fault(env_file: str | None = None, **given: Any) -> str:
    """The message that these settings are refused with."""
    with pytest.raises(SettingsError) as caught:
        read_settings(env_file=env_file, **given)
    return str(caught.value)


def faults(env_file: str | None = None, **given: Any) -> list[str]:
    """The lines of the message below its first."""
    first, *lines = fault(env_file, **given).split("\n  ")
    assert first == f"{len(lines)} wrong setting{'s' * (len(lines) > 1)}:"
    return lines


def test_without_anything_the_plans_values_hold() -> None:
    settings = read_settings(env_file=None)

    assert (settings.a1111_base_url, settings.a1111_timeout) == ("demo:", 60)
    assert (settings.a1111_username, settings.a1111_password, settings.api_keys) == (None, None, ())
    assert (settings.service_host, settings.service_port, settings.debug_mode) == ("0.0.0.0", 8080, False)
    assert (settings.target_width, settings.target_height, settings.luminance_invert) == (240, 240, True)
    assert (settings.max_workers, settings.queue_size, settings.max_body_mb) == (4, 10, 10)
    assert (settings.enable_caching, settings.cache_dir, settings.json_images) == (True, "/tmp/pico_images", "frame")


def test_every_name_of_the_interface_is_there() -> None:
    names = """
        A1111_BASE_URL A1111_USERNAME A1111_PASSWORD A1111_TIMEOUT SERVICE_HOST SERVICE_PORT DEBUG_MODE TARGET_WIDTH
        TARGET_HEIGHT LUMINANCE_INVERT ENABLE_CACHING CACHE_DIR MAX_WORKERS QUEUE_SIZE SERVICE_API_KEY RATE_LIMIT
        MAX_BODY_MB CACHE_MAX_MB JSON_IMAGES DISPLAYS_FILE RELAY RELAY_PREFIXES RELAY_SERVER_CONTROL ALLOW_IMAGE_URLS
        CACHE_TTL CACHE_RANDOM JOB_TTL DRAIN_SECONDS TRUSTED_PROXIES CORS_ORIGINS REDIS_URL FLEET LOG_FORMAT
    """
    beyond = {"BACKGROUND_KEYS"}
    assert {name.upper() for name in Settings.model_fields} == set(names.split()) | beyond
    assert all(field.description for field in Settings.model_fields.values())


def test_the_environment_goes_before_the_file_and_an_argument_before_both(
    monkeypatch: pytest.MonkeyPatch, dotenv: Callable[[str], str]
) -> None:
    file = dotenv("TARGET_WIDTH=1\nTARGET_HEIGHT=1\nMAX_WORKERS=1\n")
    monkeypatch.setenv("TARGET_HEIGHT", "2")
    monkeypatch.setenv("MAX_WORKERS", "2")
    monkeypatch.setenv("target_width", "")  # empty: as if it were not there

    settings = read_settings(file, max_workers=3)

    assert (settings.target_width, settings.target_height, settings.max_workers) == (1, 2, 3)


def test_an_empty_value_is_no_value(dotenv: Callable[[str], str]) -> None:
    file = dotenv('A1111_BASE_URL=\nA1111_USERNAME=""\nA1111_PASSWORD=\nTARGET_WIDTH=\nSERVICE_API_KEY=\nRATE_LIMIT\n')

    assert read_settings(file) == read_settings(env_file=None)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_file_as_people_write_it(dotenv: Callable[[str], str], newline: str, mark: str) -> None:
    lines = [
        "A1111_BASE_URL=http://192.168.1.5:7860/  # the big one",
        "# a comment",
        "",
        "export A1111_USERNAME='ann'",
        f'a1111_password = "{SECRET} # : é"',
        "  TARGET_WIDTH = 128",
        "PATH_OF_SOMETHING_ELSE=x",
    ]
    settings = read_settings(dotenv(mark + newline.join(lines)))

    assert settings.a1111_base_url == "http://192.168.1.5:7860"
    assert settings.a1111_username == "ann"
    assert settings.a1111_password is not None
    assert settings.a1111_password.get_secret_value() == f"{SECRET} # : é"
    assert settings.target_width == 128


def test_no_file_and_a_folder_of_that_name_are_no_file(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()  # `python -m venv .env` makes one

    assert read_settings(str(tmp_path / ".env")) == read_settings(str(tmp_path / "none")) == read_settings(None)


def test_a_file_that_is_no_text_is_named_beside_all_other_faults(dotenv: Callable[[bytes], str]) -> None:
    file = dotenv(b"A1111_PASSWORD=\xff" + SECRET.encode())

    assert faults(file, target_width=0) == [
        f"{file} can't be read: it is not UTF-8 text",
        "TARGET_WIDTH: is at least 1",
    ]


def test_every_fault_is_in_the_one_message(dotenv: Callable[[str], str]) -> None:
    file = dotenv(
        "A1111_BASE_URL=ftp://x\nA1111_USERNAME=ann\nTARGET_WIDTH=0\nDEBUG_MODE=maybe\nMAX_WORKER=4\n"
        "MAX_BODY_MB=ten\nJSON_IMAGES=both\nthis is: no line\nSERVICE_API_KEY=,\nQUEUE_SIZE=1.5\n"
    )
    assert sorted(faults(file)) == [
        f"{file}, line 8: is not NAME=value",
        "A1111_BASE_URL: starts with http:// or https://",
        "A1111_PASSWORD: goes together with A1111_USERNAME",
        "DEBUG_MODE: is true or false",
        "JSON_IMAGES: is 'frame' or 'original'",
        "MAX_BODY_MB: is a number",
        "MAX_WORKER: no such setting; MAX_WORKERS may be meant",
        "QUEUE_SIZE: is a whole number",
        "SERVICE_API_KEY: holds no key",
        "TARGET_WIDTH: is at least 1",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("A1111_BASEURL", "A1111_BASE_URL"), ("TARGET_WIDHT", "TARGET_WIDTH"), ("Service_Prot", "SERVICE_PORT")],
)
def test_a_near_miss_in_the_file_is_told(dotenv: Callable[[str], str], name: str, meant: str) -> None:
    assert faults(dotenv(f"{name}=1")) == [f"{name}: no such setting; {meant} may be meant"]


def test_names_of_other_programs_are_left_alone(dotenv: Callable[[str], str]) -> None:
    read_settings(dotenv("HOME=/x\nPORT=1\nWEB_SERVICE_PORT_80_TCP=1\nAWS_SECRET_ACCESS_KEY=x\nCOMPOSE_PROJECT_NAME=y"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://192.168.1.100:7860", "http://192.168.1.100:7860"),
        ("http://gpu.local:7860/", "http://gpu.local:7860"),
        ("https://example.org/sd/a1111//", "https://example.org/sd/a1111"),
        ("HTTP://gpu", "HTTP://gpu"),
        ("http://[::1]:7860/", "http://[::1]:7860"),
        (" http://gpu:7860 ", "http://gpu:7860"),
        ("demo:", "demo:"),
        ("Demo", "demo:"),
    ],
)
def test_addresses_of_a_web_ui(written: str, read: str) -> None:
    assert read_settings(None, a1111_base_url=written).a1111_base_url == read


WITHOUT_HTTP = "starts with http:// or https://"
NO_HOST = "names a host and perhaps a port, as in http://192.168.1.100:7860"
CREDENTIALS = "holds no credentials: they go into A1111_USERNAME and A1111_PASSWORD"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("192.168.1.5:7860", WITHOUT_HTTP + ", as in http://192.168.1.5:7860"),
        ("//gpu", WITHOUT_HTTP + ", as in http://gpu"),
        ("ftp://gpu", WITHOUT_HTTP),
        ("http://", NO_HOST),
        ("http:///sd", NO_HOST),
        ("http://g pu", NO_HOST),
        ("http://gpu:99999", NO_HOST),
        ("http://gpu:0", NO_HOST),
        ("http://gpu:port", NO_HOST),
        ("http://[::1", NO_HOST),
        ("http://gpu\u2100", NO_HOST),
        ("http://192.168..5:7860", NO_HOST),
        ("http://gpu?", "ends before any ? or #"),
        ("http://gpu/#a", "ends before any ? or #"),
        ("http://a,http://b/,http://a/", "lists the same upstream twice"),
        ("http://a, demo:", "lists web UIs, or is demo:"),
        ("http://a,b:7860", "starts with http:// or https://, as in http://b:7860"),
        (f"http://ann:{SECRET}@gpu", CREDENTIALS),
        (f"ann:{SECRET}@gpu:7860", CREDENTIALS),
        (f"http://ann:{SECRET}/x@gpu", CREDENTIALS),
        (f"http://ann:{SECRET}\u2100@gpu", CREDENTIALS),
    ],
)
def test_what_is_no_address_of_a_web_ui(written: str, told: str) -> None:
    assert faults(a1111_base_url=written) == [f"A1111_BASE_URL: {told}"]


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=st.text(max_size=12), after=st.text(max_size=12))
def test_no_message_shows_a_secret(before: str, after: str) -> None:
    wrong = {"target_width": "wide", "debug_mode": "maybe", "a1111_username": "a:b", "service_api_key": f" ,{SECRET}"}
    message = fault(a1111_base_url=f"{before}ann:{SECRET}{after}@gpu", a1111_password=SECRET, **wrong)

    assert SECRET not in message
    assert "TARGET_WIDTH" in message


def test_a_settings_object_shows_no_secret() -> None:
    settings = read_settings(None, a1111_username="ann", a1111_password=SECRET, service_api_key=SECRET)

    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump())


@pytest.mark.parametrize("given", [{"a1111_username": "ann"}, {"a1111_password": SECRET}])
def test_one_half_of_the_credentials_is_told(given: dict[str, str]) -> None:
    assert faults(**given) == ["A1111_PASSWORD: goes together with A1111_USERNAME"]


def test_a_password_may_hold_a_colon_and_a_user_may_not() -> None:
    assert read_settings(None, a1111_username="ann", a1111_password="a:b").a1111_password is not None
    assert faults(a1111_username="a:b", a1111_password="x") == ["A1111_USERNAME: can't hold a colon"]


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "ON", "y", " t "])
def test_yes_as_people_write_it(text: str) -> None:
    assert read_settings(None, debug_mode=text.strip()).debug_mode is True


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "No", "off", "n", "f"])
def test_no_as_people_write_it(text: str) -> None:
    assert read_settings(None, luminance_invert=text).luminance_invert is False


@pytest.mark.parametrize(("text", "number"), [("128", 128), (" 128 ", 128), ("128.0", 128), (128, 128)])
def test_numbers_as_people_write_them(text: Any, number: int) -> None:
    assert read_settings(None, target_width=text).target_width == number


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("target_height", "1025", "is at most 1024"),
        ("target_height", "240px", "is a whole number"),
        ("service_port", "65536", "is at most 65535"),
        ("service_port", "-1", "is at least 0"),
        ("a1111_timeout", "0", "is more than 0"),
        ("a1111_timeout", "60s", "is a number"),
        ("a1111_timeout", "inf", "is at most 86400"),
        ("max_body_mb", "-1", "is more than 0"),
        ("max_workers", "0", "is at least 1"),
        ("log_format", "xml", "is 'console' or 'json'"),
        ("relay", "maybe", "is 'on' or 'off'"),
        ("service_api_key", " , ,", "holds no key"),
    ],
)
def test_each_limit_is_told_in_plain_words(name: str, value: str, told: str) -> None:
    assert faults(**{name: value}) == [f"{name.upper()}: {told}"]


@pytest.mark.parametrize(("value", "read"), [("Off", "off"), (False, "off"), (True, "on"), ("ON", "on")])
def test_a_switch_that_is_a_word(value: Any, read: str) -> None:
    assert read_settings(None, relay=value).relay == read


def test_several_keys_of_ours() -> None:
    assert read_settings(None, service_api_key=" one, two ,,three").api_keys == ("one", "two", "three")


def test_several_upstreams() -> None:
    settings = read_settings(None, a1111_base_url=" http://a:7860/ ,, https://b/sd,")
    assert settings.base_urls == ("http://a:7860", "https://b/sd")
    assert not settings.draws_itself
