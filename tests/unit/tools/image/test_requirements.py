"""What the image installs before it needs the source."""

import subprocess
import sys

import pytest

from tests.processes import ROOT


def required(*parts: str) -> list[str]:
    command = [sys.executable, "broker_image/requirements.py", *parts]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def names(requirements: list[str]) -> list[str]:
    return [requirement.partition(">")[0] for requirement in requirements]


def test_an_extra_has_what_the_extras_in_it_have() -> None:
    found = names(required("dependencies", "broker", "operator"))
    assert {"aiohttp", "pydantic", "redis[hiredis]", "kopf", "kubernetes"} <= set(found)
    assert not any(name.startswith("quintet") for name in found)
    assert len(found) == len(set(found))
    assert "pytest" not in found


def test_the_build_needs_its_backend() -> None:
    assert names(required("build-system")) == ["hatchling"]


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        required("brokers")
