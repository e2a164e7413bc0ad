"""The programs that make images: docker, podman or buildah, behind the same few verbs.

An image has the name that a node of a cluster knows it by: `quintet:0.1.0` is `docker.io/library/quintet:0.1.0`,
which podman and buildah would else put under `localhost/`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tools.shell import Failed, run, succeeds

ANSWERS_WITHIN = 30.0
"""Seconds, for a program to tell whether it works."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Builder(Protocol):
    name: str

    def has(self, tag: str) -> bool:
        """Whether the image is on this machine."""
        ...

    def pull(self, tag: str, within: float) -> str:
        """Fetch it from its registry, in so many seconds. Returns why not; empty: it is here."""
        ...

    def build(self, dockerfile: Path, tag: str, context: Path, arguments: Mapping[str, str]) -> None: ...

    def import_root(self, archive: Path, tag: str, changes: Sequence[str]) -> None:
        """An image of one layer, a tar file; `changes` are lines of a Dockerfile."""
        ...

    def tag(self, tag: str, other: str) -> None: ...

    def save(self, tag: str, archive: Path) -> None:
        """As docker-archive, which docker, podman, kind and containerd load."""
        ...


def choose(wanted: str = "") -> Builder:
    """The one that is asked for, else the first that works. Raises Failed with what each one said."""
    said = []
    for builder in (Docker("docker"), Docker("podman"), Buildah()):
        if wanted in ("", builder.name):
            why_not = _why_not(builder.name)
            if not why_not:
                return builder
            said.append(f"  {builder.name}: {why_not}")
    raise Failed("\n".join(["no program that makes images works here:", *said]) if said else f"no builder {wanted}")


def _why_not(program: str) -> str:
    if shutil.which(program) is None:
        return "not installed"
    try:
        run(program, "info", within=ANSWERS_WITHIN)
    except Failed as failed:
        return str(failed).splitlines()[-1]
    return ""


def _full(tag: str) -> str:
    first, slash, _ = tag.partition("/")
    if not slash:
        return f"docker.io/library/{tag}"
    return tag if "." in first or ":" in first or first == "localhost" else f"docker.io/{tag}"


def _arguments(arguments: Mapping[str, str]) -> list[str]:
    """For the build to reach the package index as this machine does: its network, and its proxy."""
    given = [*(f"{name}={value}" for name, value in arguments.items()), *(p for p in PROXIES if p in os.environ)]
    return ["--network=host", *(f"--build-arg={each}" for each in given)]


def _pulled(within: float, *command: str) -> str:
    try:
        run(*command, within=within)
    except Failed as failed:
        return str(failed).splitlines()[-1]
    return ""


class Docker:
    """docker, and podman, which has the same words."""

    def __init__(self, name: str) -> None:
        self.name = name

    def has(self, tag: str) -> bool:
        return succeeds(self.name, "image", "inspect", _full(tag))

    def pull(self, tag: str, within: float) -> str:
        return _pulled(within, self.name, "pull", "--quiet", _full(tag))

    def build(self, dockerfile: Path, tag: str, context: Path, arguments: Mapping[str, str]) -> None:
        where = ["--file", str(dockerfile), "--tag", _full(tag), str(context)]
        run(self.name, "build", *_arguments(arguments), *where)

    def import_root(self, archive: Path, tag: str, changes: Sequence[str]) -> None:
        run(self.name, "import", *(f"--change={each}" for each in changes), str(archive), _full(tag))

    def tag(self, tag: str, other: str) -> None:
        run(self.name, "tag", _full(tag), _full(other))

    def save(self, tag: str, archive: Path) -> None:
        run(self.name, "save", "--output", str(archive), _full(tag))


class Buildah:
    """buildah, which needs no daemon."""

    name = "buildah"

    def has(self, tag: str) -> bool:
        return succeeds("buildah", "inspect", "--type", "image", _full(tag))

    def pull(self, tag: str, within: float) -> str:
        return _pulled(within, "buildah", "pull", "--quiet", _full(tag))

    def build(self, dockerfile: Path, tag: str, context: Path, arguments: Mapping[str, str]) -> None:
        where = ["--file", str(dockerfile), "--tag", _full(tag), str(context)]
        run("buildah", "build", "--layers", "--format=docker", *_arguments(arguments), *where)

    def import_root(self, archive: Path, tag: str, changes: Sequence[str]) -> None:
        """By a Dockerfile, which unpacks a tar file that it adds."""
        lines = ["FROM scratch", f"ADD {archive.name} /", *changes]
        command = ["buildah", "build", "--format=docker", "--tag", _full(tag), "--file", "-", str(archive.parent)]
        run(*command, text="\n".join(lines))

    def tag(self, tag: str, other: str) -> None:
        run("buildah", "tag", _full(tag), _full(other))

    def save(self, tag: str, archive: Path) -> None:
        archive.unlink(missing_ok=True)
        run("buildah", "push", "--quiet", _full(tag), f"docker-archive:{archive}:{_full(tag)}")
