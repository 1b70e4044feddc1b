"""The settings of a fleet, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from pico_a1111_proxy.settings import SettingsError, read_settings

SECRET = "hunter2"


@pytest.mark.parametrize("url", ["redis://h", "rediss://:p@h:6380/2", "redis://user:p%2F@[::1]:6379"])
def test_the_address_of_a_redis(url: str) -> None:
    settings = read_settings(None, redis_url=url, fleet="celery")
    assert settings.redis_url
    assert settings.redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["r", "http://h", "redis://", "redis://h/x", "redis://h:0", "redis://h:x", "unix:///s", "redis://h?x=1"]
)
def test_what_is_no_address_of_a_redis(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: is an address such as"):
        read_settings(None, redis_url=url)


def test_a_wrong_address_does_not_show_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(None, redis_url=f"http://:{SECRET}@h", fleet="celery")
    assert SECRET not in str(caught.value)
    assert "FLEET" not in str(caught.value)  # which is right, once the address is


def test_a_fleet_needs_a_redis() -> None:
    with pytest.raises(SettingsError, match="FLEET: goes together with REDIS_URL"):
        read_settings(None, fleet="celery")


def test_keys_of_background_jobs_are_keys() -> None:
    assert read_settings(None, service_api_key="a, b", background_keys="b").background_api_keys == ("b",)
    with pytest.raises(SettingsError, match="BACKGROUND_KEYS: lists keys that are in SERVICE_API_KEY") as caught:
        read_settings(None, service_api_key="a", background_keys=SECRET)
    assert SECRET not in str(caught.value)
