"""deploy/: what its files name exists, what they say fits together, and what can be run is run."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import yaml

from fakes.nginx import PROXIES, free_port
from fakes.redis import open_redis
from pico_a1111_proxy.cli import main
from pico_a1111_proxy.settings import Settings, read_settings
from service import Service

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["proxy-1", "proxy-2", "worker-1", "worker-2"]
OF_COMPOSE = {"REDIS_PASSWORD", "PORT", "WEBUI_1", "WEBUI_2", "METRICS_KEY"}  # its variables that are no settings
SETTINGS = {name.upper() for name in Settings.model_fields}
PROMETHEUS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
UNIT_FILE = DEPLOY / "pico-a1111-worker@.service"
UNIT = UNIT_FILE.read_text("utf-8")

# What of systemd.unit, systemd.service, systemd.exec, systemd.kill, systemd.resource-control is used.
KNOWN = {
    "Unit": {"Description", "After", "Wants", "StartLimitIntervalSec"},
    "Service": {
        *("EnvironmentFile", "Environment", "ExecStart", "Restart", "RestartSec", "KillSignal", "KillMode"),
        *("TimeoutStopSec", "DynamicUser", "WorkingDirectory", "UMask", "CapabilityBoundingSet", "AmbientCapabilities"),
        *("LockPersonality", "NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProcSubset", "ProtectClock"),
        *("ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
        *("ProtectKernelTunables", "ProtectProc", "ProtectSystem", "RestrictAddressFamilies", "RestrictNamespaces"),
        *("RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures", "SystemCallFilter", "MemoryMax"),
    },
    "Install": {"WantedBy"},
}


def understand(words: list[str]) -> None:
    """Fail unless our command line takes them; a variable stands for the demo painter."""
    name, *arguments = [re.sub(r"^\$\{\w+(:-[^}]*)?\}$", "demo:", word) for word in words]
    main.commands[name].make_context(name, arguments)


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


# --- compose.yaml -------------------------------------------------------------------------------------------------


def test_the_services_are_those_of_a_fleet() -> None:
    assert sorted(SERVICES) == sorted([*OURS, "nginx", "redis", "prometheus"])


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists_and_is_good(name: str) -> None:
    given = SERVICES[name]["environment"]
    assert given.keys() <= SETTINGS
    values = {key.lower(): re.sub(r"\$\{[^}]*\}", "secret", value) for key, value in given.items()}
    settings = read_settings(None, **values)
    assert settings.redis_url is not None
    assert (settings.fleet == "celery") == name.startswith("proxy")


@pytest.mark.parametrize("name", OURS)
def test_its_command_is_understood(name: str) -> None:
    understand(SERVICES[name]["command"])


def test_it_asks_for_no_variable_that_its_remarks_do_not_tell() -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    remarks = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    asked = set(re.findall(r"\$\{(\w+)", text)) | {secret["environment"] for secret in COMPOSE["secrets"].values()}
    assert asked == OF_COMPOSE
    assert [name for name in OF_COMPOSE if name not in remarks] == []


def test_every_image_is_pinned() -> None:
    assert [one["image"] for one in SERVICES.values() if not re.search(r":v?\d+\.\d+\.\d+(-\w+)?$", one["image"])] == []


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_has_to_be_root_or_loses_files(name: str) -> None:
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file()


def test_only_nginx_is_reached_from_outside() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {"nginx": ["${PORT:-8080}:8080"], "prometheus": ["127.0.0.1:9090:9090"]}


def test_everybody_is_watched_but_workers_who_listen_nowhere() -> None:
    watched = {name for name, one in SERVICES.items() if "test" in one.get("healthcheck", {})}
    assert watched == {"nginx", "redis", "prometheus"}  # the proxies' is the image's own
    assert [name for name in OURS if SERVICES[name].get("healthcheck") == {"disable": True}] == OURS[2:]


def test_what_is_in_hand_is_finished() -> None:
    usual = read_settings(None)
    for name in OURS:
        needed = usual.a1111_timeout if name.startswith("worker") else usual.drain_seconds
        assert seconds(SERVICES[name]["stop_grace_period"]) > needed


def test_nginx_knows_the_proxies_and_they_know_nginx() -> None:
    told = {f"{name}:{address}" for name, address in (entry.split(":") for entry in SERVICES["nginx"]["extra_hosts"])}
    addresses = {name: one["networks"]["fleet"]["ipv4_address"] for name, one in SERVICES.items() if name in OURS[:2]}
    assert told == {f"{name}:{address}" for name, address in addresses.items()}
    assert [f"{name}:8080" for name in addresses] == list(PROXIES)
    for name in addresses:
        assert (
            SERVICES[name]["environment"]["TRUSTED_PROXIES"] == SERVICES["nginx"]["networks"]["fleet"]["ipv4_address"]
        )
        assert SERVICES[name]["environment"]["SERVICE_PORT"] == "8080"


# --- prometheus.yml and redis.conf --------------------------------------------------------------------------------


def test_prometheus_asks_each_proxy() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    (static,) = job["static_configs"]
    assert static["targets"] == list(PROXIES)
    secret = Path(job["authorization"]["credentials_file"])
    assert secret.parent == Path("/run/secrets")
    assert secret.name in SERVICES["prometheus"]["secrets"]
    assert secret.name in COMPOSE["secrets"]


async def test_a_redis_takes_its_file(tmp_path: Path) -> None:
    text = (DEPLOY / "redis.conf").read_text("utf-8")
    assert "\ndir /data\n" in text
    rendered = tmp_path / "redis.conf"
    rendered.write_text(text.replace("\ndir /data\n", f"\ndir {tmp_path}\n"), encoding="utf-8")
    async with (
        open_redis(tmp_path, "--include", str(rendered)) as server,
        redis.asyncio.from_url(server.url, decode_responses=True) as client,
    ):
        told = await client.config_get("maxmemory*", "appendonly", "save")
        assert told["maxmemory-policy"] == "noeviction"
        assert told["appendonly"] == "yes"
        assert int(told["maxmemory"]) > Settings.model_fields["cache_max_mb"].default * 1e6
        with pytest.raises(redis.exceptions.ResponseError, match="unknown command"):
            await client.flushall()


# --- Dockerfile ---------------------------------------------------------------------------------------------------


def test_what_is_copied_is_there_and_not_left_out() -> None:
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    }
    assert copied >= {"requirements.txt", "pyproject.toml", "src", "device"}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in kept if line.startswith("!")} == copied


def test_it_is_not_root_and_has_one_python() -> None:
    pythons = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(pythons) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", *pythons)
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001"]
    understand(json.loads(re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)[-1]))


async def test_its_health_check_tells_whether_the_service_answers(service: Service) -> None:
    (shown,) = re.findall(r"^HEALTHCHECK .*\\\n\s+(\[.+\])$", DOCKERFILE, re.MULTILINE)
    program, *arguments = json.loads(shown)
    assert program == "python"
    for port, good in ((service.port, True), (free_port(), False)):
        checking = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env={"SERVICE_PORT": str(port)}, stderr=asyncio.subprocess.DEVNULL
        )
        assert (await checking.wait() == 0) == good


# --- pico-a1111-worker@.service -----------------------------------------------------------------------------------


def unit() -> dict[str, dict[str, str]]:
    """The values by section and key."""
    sections: dict[str, dict[str, str]] = {}
    for line in UNIT.splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            keys = sections.setdefault(found[1], {})
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals
            keys[name] = value
    return sections


def test_the_unit_has_no_unknown_keys() -> None:
    assert {section: keys.keys() - KNOWN[section] for section, keys in unit().items()} == {
        name: set() for name in KNOWN
    }


def test_the_unit_starts_a_worker_that_finishes_its_picture() -> None:
    service = unit()["Service"]
    program, *words = service["ExecStart"].split()
    assert program.endswith("/bin/pico-a1111-proxy")
    understand(words)
    assert (service["Restart"], service["KillSignal"]) == ("always", "SIGTERM")
    assert seconds(service["TimeoutStopSec"]) > read_settings(None).a1111_timeout
    assert service["EnvironmentFile"] == "/etc/pico-a1111/worker-%i.env"


def test_the_units_settings_exist() -> None:
    told = re.findall(r"^#\s+([A-Z][A-Z0-9_]+)=", UNIT, re.MULTILINE)
    assert told == ["UPSTREAM", "REDIS_URL", "A1111_TIMEOUT"]
    given = [word.partition("=")[0] for word in unit()["Service"]["Environment"].split()]
    assert set(told[1:]) | set(given) <= SETTINGS | {"PYTHONUNBUFFERED"}


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / "pico-a1111-worker@left.service"
    copy.write_text(re.sub(r"/opt/\S+/bin/pico-a1111-proxy worker", "/bin/true worker", UNIT))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
