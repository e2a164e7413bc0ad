"""What this machine's pip was told, as a folder that the build of an image takes in.

So a build finds packages where the machine does: another index, a proxy's certificate. The folder enters the first
stage of the build alone. Folders of wheels on this machine are left out, since a build cannot see them.
"""

import ast
import os
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

CARRIED = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout", "timeout", "retries")
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
IN_BUILD = "/build/pip"
"""Where the Dockerfiles put it."""


def write(folder: Path) -> None:
    """Anew; nothing but an empty file where pip was told nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    told = settings()
    carried = {name: told[name] for name in CARRIED if name in told}
    if certificate := _certificate(told):
        shutil.copyfile(certificate, folder / "ca.crt")
        carried["cert"] = f"{IN_BUILD}/ca.crt"
    parser = RawConfigParser()
    parser["global"] = carried
    with (folder / "pip.conf").open("w", encoding="utf-8") as file:
        parser.write(file)


def settings() -> dict[str, str]:
    """By their long names; what stands later in pip's own list wins."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = sorted(listed.splitlines(), key=lambda line: line.startswith(":env:"))
    return dict(_setting(line) for line in lines if "=" in line)


def _setting(line: str) -> tuple[str, str]:
    """`global.cert='/path'`; lists have line breaks in them, which pip reads as it does spaces."""
    key, _, value = line.partition("=")
    return key.rpartition(".")[2], " ".join(str(ast.literal_eval(value)).split())


def _certificate(told: dict[str, str]) -> Path | None:
    named = (told.get("cert"), *(os.environ.get(name) for name in CERTIFICATES))
    return next((Path(name) for name in named if name and Path(name).is_file()), None)
