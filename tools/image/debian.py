"""Images of Debian's own packages, by debootstrap, for where no image registry can be reached.

A root file system is made once and kept as a tar file, under a name that tells what it was made of.
"""

import os
import platform
import shutil
from dataclasses import astuple, dataclass
from pathlib import Path

from tools.cache import beside, digest, home
from tools.image.builder import Builder
from tools.shell import Failed, run, say

SUITE = "bookworm"
LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/locale", "usr/share/man", "usr/share/info")
FORM = 1
"""Changes with what this file does to a root file system."""


@dataclass(frozen=True)
class Recipe:
    """What an image is made of."""

    name: str
    packages: tuple[str, ...]
    folders: tuple[str, ...] = ()
    """That belong to the user of our images."""
    changes: tuple[str, ...] = ()
    """Lines of a Dockerfile."""
    suite: str = SUITE
    form: int = FORM

    @property
    def tag(self) -> str:
        return f"{self.name}:{digest([repr(astuple(self)), platform.machine()])}"


PYTHON = Recipe("quintet-base", ("python3", "python3-venv", "ca-certificates"))
REDIS = Recipe(
    "quintet-redis",
    ("redis-server", "ca-certificates"),
    folders=("data",),
    changes=("USER 10001:10001", "WORKDIR /data", 'CMD ["redis-server"]'),
)
USER = 10001


def image(builder: Builder, recipe: Recipe) -> str:
    """The name of the image, made if it is not there. Raises Failed."""
    if not builder.has(recipe.tag):
        builder.import_root(root_archive(recipe), recipe.tag, recipe.changes)
    return recipe.tag


def root_archive(recipe: Recipe) -> Path:
    """The root file system, made if it is not there. Raises Failed."""
    archive = home() / "images" / f"{recipe.tag.replace(':', '-')}.tar"
    if not archive.exists():
        with beside(archive) as work:
            root, partial = Path(work, "root"), Path(work, "root.tar")
            _make(recipe, root)
            run("tar", "--directory", str(root), "--numeric-owner", "--create", "--file", str(partial), ".")
            partial.replace(archive)
    return archive


def _make(recipe: Recipe, root: Path) -> None:
    if shutil.which("debootstrap", path=f"{os.environ.get('PATH')}:/usr/sbin") is None or os.geteuid() != 0:
        raise Failed(f"{recipe.name} is made by debootstrap, as root; or name an image that is there by BASE_IMAGE")
    say("image", f"making {recipe.name} of Debian's packages (once; a minute or two)")
    # What it mounts, and all that it runs, goes with it where it is killed.
    command = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "debootstrap", "--variant=minbase")
    packages = f"--include={','.join(recipe.packages)}"
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    run(*command, packages, recipe.suite, str(root), environment=environment)
    for folder in LEFT_OUT:
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir()
    for page in (root / "usr/share/doc").rglob("*"):
        if page.is_file() and page.name != "copyright":
            page.unlink()
    for folder in recipe.folders:
        (root / folder).mkdir()
        os.chown(root / folder, USER, USER)
