"""requirements.txt and requirements-dev.txt: in step with pyproject.toml, complete, and plain enough for pip alone."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [name for extra in PROJECT["project"]["optional-dependencies"].values() for name in extra]
WANTED = {
    "requirements.txt": PROJECT["project"]["dependencies"] + EXTRAS,
    "requirements-dev.txt": PROJECT["dependency-groups"]["dev"],
}
PYTHONS = ["3.10.0", "3.10.19", "3.11.0", "3.12.0", "3.13.0", "3.14.0"]
MACHINES = ["x86_64", "aarch64"]

both_files = pytest.mark.parametrize("file", WANTED)


def environment(python: str, machine: str) -> dict[str, Any]:
    """The markers' environment of Linux with this Python."""
    short = python.rpartition(".")[0]
    return {
        **default_environment(),
        "python_version": short,
        "python_full_version": python,
        "platform_machine": machine,
        "extra": "",
    }


def applies(requirement: Requirement, where: dict[str, Any]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(where)


def pins(file: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def pinned(file: str, where: dict[str, Any]) -> dict[str, str]:
    """Name to version of the pins that apply there; a name that is pinned twice fails."""
    versions: dict[str, str] = {}
    for pin in pins(file):
        if applies(pin, where):
            name = canonicalize_name(pin.name)
            assert name not in versions, f"{name} has two pins for {where['python_full_version']}"
            (clause,) = pin.specifier
            versions[name] = clause.version
    return versions


@both_files
def test_every_line_is_an_exact_pin_and_nothing_else(file: str) -> None:
    line_form = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; .+)?|\s*#.*")
    wrong = [line for line in (ROOT / file).read_text().splitlines() if not line_form.fullmatch(line)]
    assert wrong == []
    assert "://" not in (ROOT / file).read_text()


@both_files
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_of_pyproject_has_a_pin_that_satisfies_it(file: str, python: str, machine: str) -> None:
    where = environment(python, machine)
    versions = pinned(file, where)
    for requirement in map(Requirement, WANTED[file]):
        if applies(requirement, where):
            version = versions.get(canonicalize_name(requirement.name))
            assert version, f"{requirement} has no pin"
            assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


@pytest.mark.parametrize("python", PYTHONS)
def test_both_files_agree(python: str) -> None:
    where = environment(python, "x86_64")
    ours, dev = (pinned(file, where) for file in WANTED)
    assert {name: dev[name] for name in ours.keys() & dev} == {name: ours[name] for name in ours.keys() & dev}


def test_what_the_dependencies_need_is_pinned_as_well() -> None:
    where: dict[str, Any] = {**default_environment(), "extra": ""}
    versions = {**pinned("requirements-dev.txt", where), **pinned("requirements.txt", where)}
    for name in sorted(versions):
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            pytest.fail(f"{name} is pinned and not installed: scripts/test installs it")
        for need in map(Requirement, needs):
            if applies(need, where):
                assert canonicalize_name(need.name) in versions, f"{name} needs {need.name}, which has no pin"
