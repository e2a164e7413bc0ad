"""What Maven Central has, fetched once into the cache."""

import os
import zipfile
from pathlib import Path

from tools.cache import beside, home
from tools.shell import Failed, run, say

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bench</groupId><artifactId>bench</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
  </dependency></dependencies>
</project>
"""
WITHIN = 600.0
"""Seconds."""


def unpacked(artifact: str) -> Path:
    """The one folder in the archive `group:name:version:zip:classifier`. Raises Failed."""
    _, name, version, *_ = artifact.split(":")
    made = home() / f"{name}-{version}"
    if not made.exists():
        with beside(made) as work:
            _maven("dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={work}")
            [archive] = Path(work).glob("*.zip")
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(work)
            archive.unlink()
            [folder] = Path(work).iterdir()
            # Zip files as Python unpacks them lose what may be run.
            for program in (folder / "bin").iterdir():
                program.chmod(0o755)
            folder.replace(made)
    return _beside_java(made)


def jars(artifact: str) -> Path:
    """A folder with `group:name:version` and all that it needs. Raises Failed."""
    group, name, version = artifact.split(":")
    made = home() / f"{name}-{version}"
    if not made.exists():
        with beside(made) as work:
            pom, folder = Path(work, "pom.xml"), Path(work, "jars")
            pom.write_text(POM.format(group, name, version))
            _maven("-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}")
            folder.replace(made)
    return _beside_java(made)


def _maven(*words: str) -> None:
    say("bench", f"fetching by Maven: {words[-2]} (once)")
    run("mvn", "--batch-mode", "--quiet", *words, within=WITHIN)


def _beside_java(made: Path) -> Path:
    if not any(os.access(Path(folder, "java"), os.X_OK) for folder in os.get_exec_path()):
        raise Failed("java is not installed")
    return made
