"""Which program makes images, and what it is told; the programs here are scripts that note their arguments."""

import os
from pathlib import Path

import pytest

from tools.image.builder import choose
from tools.shell import Failed


class Programs:
    """A folder with programs, the only ones on the PATH beside the shell's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"

    def add(self, name: str, exit_code: int = 0, says: str = "") -> None:
        program = self._folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{self._calls}\necho "{says}"\nexit {exit_code}\n')
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return Programs(tmp_path)


def test_the_first_that_works_is_taken(programs: Programs) -> None:
    programs.add("docker", exit_code=1, says="no daemon")
    programs.add("buildah")
    assert choose().name == "buildah"
    programs.add("podman")
    assert choose().name == "podman"
    programs.add("docker")
    assert choose().name == "docker"


def test_the_one_that_is_asked_for_is_taken_or_none(programs: Programs) -> None:
    programs.add("docker")
    programs.add("podman")
    assert choose("podman").name == "podman"
    with pytest.raises(Failed, match="buildah: not installed"):
        choose("buildah")
    with pytest.raises(Failed, match="no builder kaniko"):
        choose("kaniko")


def test_where_none_works_each_one_says_why(programs: Programs) -> None:
    programs.add("docker", exit_code=1, says="no daemon")
    with pytest.raises(Failed) as failed:
        choose()
    assert "docker: no daemon" in str(failed.value)
    assert "podman: not installed" in str(failed.value)


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_an_image_has_the_name_that_a_node_looks_for(programs: Programs, name: str) -> None:
    programs.add(name)
    builder = choose(name)
    for tag, full in {
        "quintet:1": "docker.io/library/quintet:1",
        "team/quintet:1": "docker.io/team/quintet:1",
        "localhost/quintet:1": "localhost/quintet:1",
        "example.org/quintet:1": "example.org/quintet:1",
        "example:5000/quintet:1": "example:5000/quintet:1",
    }.items():
        builder.has(tag)
        assert programs.calls[-1].split()[-1] == full


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_a_build_has_the_machines_network_and_proxy(
    programs: Programs, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add(name)
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    choose(name).build(tmp_path / "Dockerfile", "quintet:1", tmp_path, {"BASE_IMAGE": "base:1"})
    words = programs.calls[-1].split()
    assert "--network=host" in words
    assert "--build-arg=BASE_IMAGE=base:1" in words
    assert "--build-arg=https_proxy" in words


def test_why_a_pull_failed_is_told(programs: Programs) -> None:
    programs.add("podman")
    builder = choose("podman")
    assert builder.pull("python:3", within=5) == ""
    programs.add("podman", exit_code=1, says="no such host")
    assert builder.pull("python:3", within=5) == "no such host"
