"""Redis and brokers as real processes on loopback, to be started, killed and started again."""

import atexit
import ctypes
import http.client
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

from quintet.embedded import redis_server
from quintet_api.environment import variable

ROOT = Path(__file__).parent.parent
STARTS_WITHIN = 60.0
"""Seconds."""
LISTENED = range(10_000, 32_768)
"""Ports below those that Linux gives to outgoing connections."""
_PR_SET_PDEATHSIG = 1


_held: list[socket.socket] = []
"""Bound to the ports that were given, for as long as this process runs."""


def free_port(second: int = 0) -> int:
    """One that nobody else gets, neither for a connection's own end nor from here in another process: so it stays free
    while the program that listens there is down. That program says SO_REUSEADDR, as servers do.

    With `second`, the port so far above it is as free.
    """
    while True:
        port = random.choice(LISTENED)
        found = [_hold(one) for one in sorted({port, port + second})]
        held = [one for one in found if one]
        if len(held) == len(found):
            _held.extend(held)
            return port
        for one in held:
            one.close()


def _hold(port: int) -> socket.socket | None:
    """Who binds without SO_REUSEADDR finds out whether anybody has the port; set from then on, a server may have it."""
    if port not in LISTENED:
        return None
    holding = socket.socket()
    try:
        holding.bind(("127.0.0.1", port))
    except OSError:
        holding.close()
        return None
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holding


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program, its log in a file."""

    def __init__(self, directory: Path, name: str) -> None:
        self.log = directory / f"{name}.log"
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.kill)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def is_up(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.launch()
        self.wait_until_up()

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,
            )

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while not self.is_up():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._name} did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.01)

    def stop(self) -> int:
        """End it in order; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(STARTS_WITHIN)
        self._process = None
        return code


class RedisServer(Process):
    """A Redis on a Unix socket, with its data in `directory`, as `quintet up` runs it."""

    def __init__(self, directory: Path, durability: str = "Fsync") -> None:
        super().__init__(directory, "redis")
        self.directory = directory
        self.durability = durability
        # A socket's path is at most 107 bytes long.
        self._sockets = Path(tempfile.mkdtemp(prefix="quintet-"))
        atexit.register(shutil.rmtree, self._sockets, ignore_errors=True)
        self.socket = self._sockets / "redis.sock"
        self.url = f"unix://{self.socket}"

    @property
    def version(self) -> tuple[int, ...]:
        """(7, 0, 15)."""
        told = subprocess.run([redis_server.find(), "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"v=([0-9.]+)", told)
        assert found, told
        return tuple(map(int, found[1].split(".")))

    def command(self) -> list[str]:
        return redis_server.command(redis_server.find(), self.directory, self.socket, self.durability)

    def is_up(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


class Broker(Process):
    """A broker on free ports of loopback. `settings` are fields of the broker's Settings.

    Brokers with the same directory have the same keys, and need a `pod_name` each.
    """

    def __init__(self, directory: Path, redis_url: str, *, auth: bool = False, **settings: Any) -> None:
        super().__init__(directory, settings.get("pod_name", "broker"))
        key, token = directory / "master-key", directory / "admin-token"
        self.master_key = _made_once(key, lambda: secrets.token_bytes(32).hex())
        self.admin_token = _made_once(token, secrets.token_urlsafe)
        self.settings: dict[str, Any] = {
            "redis_url": redis_url,
            "prefix": "test",
            "http_port": free_port(),
            "admin_port": free_port(),
            "peer_port": free_port(),
            "auth": str(auth).lower(),
            "master_key_file": key,
            "admin_token_file": token,
        } | settings
        self.http_url = f"http://127.0.0.1:{self.settings['http_port']}"
        self.admin_url = f"http://127.0.0.1:{self.settings['admin_port']}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "quintet_broker"]

    def environment(self) -> dict[str, str]:
        settings = {variable(name): str(value) for name, value in self.settings.items()}
        return super().environment() | settings

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.admin_url}/readyz", timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, http.client.HTTPException, OSError):
            return False


def _made_once(file: Path, make: Callable[[], str]) -> str:
    if not file.exists():
        file.write_text(make())
    return file.read_text()


class Pool:
    """A Redis, and `broker-0` and on over it. `settings` are fields of the Settings of every broker."""

    def __init__(self, directory: Path, brokers: int = 3, **settings: Any) -> None:
        self.redis = RedisServer(directory)
        self.brokers: list[Broker] = []
        self._directory = directory
        self._settings = settings
        for _ in range(brokers):
            self.add()

    def add(self) -> Broker:
        """Another broker, not started yet."""
        name = f"broker-{len(self.brokers)}"
        self.brokers.append(Broker(self._directory, self.redis.url, pod_name=name, **self._settings))
        return self.brokers[-1]

    def start(self) -> None:
        """Start them all and wait until they serve."""
        self.redis.start()
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_until_up()

    def kill(self) -> None:
        """End them all by SIGKILL."""
        for process in [*self.brokers, self.redis]:
            process.kill()
