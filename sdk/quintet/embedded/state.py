"""The state directory: what `quintet up` keeps from one run to the next, and where others find it."""

import fcntl
import json
import os
import secrets
import signal
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quintet.embedded.errors import CannotRun

SOCKET_PATH_MAX = 100
"""Bytes of a Unix socket's path; Linux allows 107, macOS 103."""


def default_directory() -> Path:
    """$XDG_STATE_HOME/quintet, else ~/.local/state/quintet (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "quintet"


@contextmanager
def passing_directory() -> Iterator[Path]:
    """One that is gone afterwards, also where SIGTERM ends the process before it knows better."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        with tempfile.TemporaryDirectory(prefix="quintet-") as directory:
            yield Path(directory)
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class Identity:
    """What sets an object apart from an earlier one of its name."""

    uid: str
    created: str
    """As in Kubernetes: 2026-11-24T18:00:00Z."""


class State:
    """The files of a state directory, readable by their owner alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.ready_file = self.directory / "ready.json"
        self.redis = self.directory / "redis"
        self.logs = self.directory / "logs"
        self.manifests = self.directory / "manifests"
        """What `quintet apply` left here: a file an object."""
        self.master_key_file = self.directory / "master-key"
        self.admin_token_file = self.directory / "admin-token"
        self._objects = self.directory / "objects.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Own the directory, made where it is not there. Raises CannotRun where another process owns it."""
        try:
            for directory in (self.directory, self.redis, self.logs, self.manifests):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotRun(f"the state directory {self.directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRun(
                f"quintet up is running on {self.directory} already: stop it, or choose another --state-dir"
            ) from error
        try:
            self.ready_file.unlink(missing_ok=True)
            yield
        finally:
            self.ready_file.unlink(missing_ok=True)
            os.close(lock)

    def make_secrets(self) -> None:
        """The pool's master key and the token of its admin port, once."""
        for file in (self.master_key_file, self.admin_token_file):
            if not file.exists():
                write(file, secrets.token_hex(32) + "\n")

    @property
    def master_key(self) -> bytes:
        return self.master_key_file.read_bytes().strip()

    @property
    def admin_token(self) -> str:
        return self.admin_token_file.read_text().strip()

    @contextmanager
    def sockets(self) -> Iterator[Path]:
        """A directory whose path is short enough for Unix sockets: this one, or one for this run."""
        if len(os.fsencode(self.directory / "control.sock")) <= SOCKET_PATH_MAX:
            yield self.directory
        else:
            with tempfile.TemporaryDirectory(prefix="quintet-") as directory:
                yield Path(directory)

    def identities(self, objects: Iterable[str]) -> dict[str, Identity]:
        """Those of the objects (`Queue/orders`): kept ones, and new ones for what was not there last."""
        kept = json.loads(self._objects.read_text()) if self._objects.exists() else {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {name: Identity(**kept[name]) if name in kept else Identity(str(uuid.uuid4()), now) for name in objects}

    def keep_identities(self, identities: dict[str, Identity]) -> None:
        """What is not among them is forgotten: an object that returns is another one."""
        write_json(self._objects, {name: vars(identity) for name, identity in identities.items()})


def write_json(file: Path, value: Any) -> None:
    write(file, json.dumps(value, indent=2) + "\n")


def write(file: Path, text: str) -> None:
    """All of it or nothing, readable by its owner alone. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
