"""A root file system is made once; one that was interrupted does not count."""

from dataclasses import replace
from pathlib import Path

import pytest

from tools.image import debian


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was made, in a cache of the test's own, of one file each."""
    names: list[str] = []

    def make(recipe: debian.Recipe, root: Path) -> None:
        names.append(recipe.name)
        root.mkdir()
        (root / "file").write_text(recipe.name)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(debian, "_make", make)
    return names


def test_it_is_made_once(made: list[str]) -> None:
    first = debian.root_archive(debian.PYTHON)
    assert debian.root_archive(debian.PYTHON) == first
    assert made == ["quintet-base"]
    assert first.exists()


def test_another_recipe_is_another_image(made: list[str]) -> None:
    other = replace(debian.PYTHON, packages=("python3",))
    assert debian.root_archive(other) != debian.root_archive(debian.PYTHON)
    assert len(made) == 2
    tags = {recipe.tag for recipe in (debian.PYTHON, other, replace(other, suite="trixie"), replace(other, form=2))}
    assert len(tags) == 4


def test_what_was_interrupted_leaves_nothing(made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = debian._make

    def half(recipe: debian.Recipe, root: Path) -> None:
        make(recipe, root)
        raise KeyboardInterrupt

    monkeypatch.setattr(debian, "_make", half)
    with pytest.raises(KeyboardInterrupt):
        debian.root_archive(debian.REDIS)
    assert list((tmp_path / "quintet/images").iterdir()) == []
    monkeypatch.setattr(debian, "_make", make)
    assert debian.root_archive(debian.REDIS).exists()
    assert len(made) == 2
