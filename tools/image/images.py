"""The images of this repository, each with how it is made."""

import subprocess
import tomllib
from pathlib import Path

from tools.image import debian, pip_settings
from tools.image.builder import Builder
from tools.shell import Failed

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLIC_BASE = "python:3.13-slim"
PUBLIC_REDIS = "redis:7.2"
"""As in the chart's values."""
OWN_REDIS = "quintet-redis:7"
PULL_WITHIN = 120.0
"""Seconds. Where there is no way to a registry, that is mostly known at once."""


def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


class Images:
    """Made by one builder, on one base."""

    def __init__(self, builder: Builder, base: str = "") -> None:
        """`base`: an image with Python; else the public one, or where that cannot be had one of Debian's packages."""
        self._builder = builder
        self._wanted_base = base
        self._found: dict[str, bool] = {}
        """What was looked for, and whether it is there."""

    def quintet(self) -> str:
        """Broker and operator. Returns the image's name, as each verb does; raises Failed, as each verb does."""
        return self._built("broker_image/Dockerfile", f"quintet:{version()}")

    def client(self) -> str:
        """With what the tests run in a cluster: boto3, our client, the prober, the examples."""
        return self._built("tests/cluster/client/Dockerfile", f"quintet-client:{version()}")

    def redis(self) -> str:
        """The chart's default, or where that cannot be had one of Debian's packages."""
        if self._there(PUBLIC_REDIS):
            return PUBLIC_REDIS
        self._builder.tag(debian.image(self._builder, debian.REDIS), OWN_REDIS)
        return OWN_REDIS

    def base(self) -> str:
        if self._wanted_base:
            if not self._there(self._wanted_base):
                raise Failed(f"the base image {self._wanted_base} is not here and cannot be pulled")
            return self._wanted_base
        if self._there(PUBLIC_BASE):
            return PUBLIC_BASE
        return debian.image(self._builder, debian.PYTHON)

    def _built(self, dockerfile: str, tag: str) -> str:
        pip_settings.write(ROOT / "build" / "pip")
        arguments = {"BASE_IMAGE": self.base(), "VERSION": version(), "REVISION": _revision()}
        self._builder.build(ROOT / dockerfile, tag, ROOT, arguments)
        return tag

    def _there(self, tag: str) -> bool:
        if tag not in self._found:
            self._found[tag] = self._builder.has(tag) or self._pulled(tag)
        return self._found[tag]

    def _pulled(self, tag: str) -> bool:
        why_not = self._builder.pull(tag, PULL_WITHIN)
        if why_not:
            print(f"image: {tag} cannot be pulled: {why_not}", flush=True)
        return not why_not


def _revision() -> str:
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
