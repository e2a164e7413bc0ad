"""Which base an image gets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tools.image import debian, pip_settings
from tools.image.images import OWN_REDIS, PUBLIC_BASE, PUBLIC_REDIS, Images, version
from tools.shell import Failed


class Notes:
    """A builder that makes nothing and knows what it was told."""

    name = "notes"

    def __init__(self, here: Sequence[str] = (), in_registry: Sequence[str] = ()) -> None:
        self.here = set(here)
        self.pulled: list[str] = []
        self.bases: list[str] = []
        self._in_registry = in_registry

    def has(self, tag: str) -> bool:
        return tag in self.here

    def pull(self, tag: str, within: float) -> str:
        self.pulled.append(tag)
        return "" if tag in self._in_registry else "no such host"

    def build(self, dockerfile: Path, tag: str, context: Path, arguments: Mapping[str, str]) -> None:
        assert dockerfile.is_file()
        self.here.add(tag)
        self.bases.append(arguments["BASE_IMAGE"])

    def import_root(self, archive: Path, tag: str, changes: Sequence[str]) -> None:
        self.here.add(tag)

    def tag(self, tag: str, other: str) -> None:
        assert tag in self.here
        self.here.add(other)

    def save(self, tag: str, archive: Path) -> None:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def nothing_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "root_archive", lambda recipe: Path("root.tar"))
    monkeypatch.setattr(pip_settings, "write", lambda folder: None)


def test_the_public_base_is_taken_where_it_can_be_had() -> None:
    builder = Notes(in_registry=[PUBLIC_BASE, PUBLIC_REDIS])
    images = Images(builder)
    assert images.quintet() == f"quintet:{version()}"
    assert images.redis() == PUBLIC_REDIS
    assert builder.bases == [PUBLIC_BASE]


def test_else_one_of_debians_packages_and_a_registry_is_asked_once(capsys: pytest.CaptureFixture[str]) -> None:
    builder = Notes()
    images = Images(builder)
    images.quintet()
    images.client()
    assert builder.bases == [debian.PYTHON.tag] * 2
    assert builder.pulled == [PUBLIC_BASE]
    assert "python:3.13-slim cannot be pulled: no such host" in capsys.readouterr().out
    assert images.redis() == OWN_REDIS
    assert OWN_REDIS in builder.here


def test_the_base_that_is_asked_for_is_taken_or_none() -> None:
    builder = Notes(here=["mine:1"])
    Images(builder, "mine:1").quintet()
    assert builder.bases == ["mine:1"]
    with pytest.raises(Failed, match="mine:2"):
        Images(builder, "mine:2").quintet()
