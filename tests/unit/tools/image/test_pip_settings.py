"""What pip was told on this machine, pip is told in a build; pip itself reads both here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.image import pip_settings

CONFIGURATION = """
[global]
index-url = https://packages.example.org/simple
find-links = /somewhere/here
timeout = 7
[install]
extra-index-url =
    https://one.example.org/simple
    https://two.example.org/simple
"""


@pytest.fixture(autouse=True)
def told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PIP_") or name in pip_settings.CERTIFICATES:
            monkeypatch.delenv(name)
    # pip's own word for no file at all, the machine's among them.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def read_by_pip(file: Path) -> str:
    """All that pip finds in it, and in nothing else."""
    environment = {"PIP_CONFIG_FILE": str(file), "PATH": os.environ["PATH"], "HOME": str(file.parent)}
    command = [sys.executable, "-m", "pip", "config", "debug"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_an_index_is_carried_and_a_folder_of_this_machine_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text(CONFIGURATION)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    pip_settings.write(tmp_path / "made")
    read = read_by_pip(tmp_path / "made/pip.conf")
    assert "global.index-url: https://packages.example.org/simple" in read
    assert "global.extra-index-url: https://one.example.org/simple https://two.example.org/simple" in read
    assert "global.timeout: 7" in read
    assert "find-links" not in read


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text(CONFIGURATION)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example.org/simple")
    pip_settings.write(tmp_path / "made")
    assert "index-url: https://other.example.org/simple" in read_by_pip(tmp_path / "made/pip.conf")


@pytest.mark.parametrize("name", ["PIP_CERT", "SSL_CERT_FILE"])
def test_a_certificate_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "bundle").write_text("certificates")
    monkeypatch.setenv(name, str(tmp_path / "bundle"))
    pip_settings.write(tmp_path / "made")
    assert (tmp_path / "made/ca.crt").read_text() == "certificates"
    assert "global.cert: /build/pip/ca.crt" in read_by_pip(tmp_path / "made/pip.conf")


def test_what_was_written_before_is_gone(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/ca.crt").write_text("an old one")
    pip_settings.write(tmp_path / "made")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["pip.conf"]
    assert (tmp_path / "made/pip.conf").read_text().split() == ["[global]"]
