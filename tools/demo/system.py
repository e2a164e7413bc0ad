"""The system that the demo runs against: `quintet up` on the example's manifests, with a state of its own."""

import ctypes
import fcntl
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFESTS = ROOT / "examples" / "orders"
STATE = ROOT / "build" / "demo"
LOCK = ROOT / "build" / "demo.lock"
"""Held while a demo runs; it has the process of the `quintet up` that ran last."""
COMMAND = Path(sys.executable).parent / "quintet"
PORTS = (9400, 9401)
"""Of clients and of probes, where they are free."""
WITHIN = 30.0
"""Seconds to start, and to stop."""
_PR_SET_PDEATHSIG = 1


class System:
    """One `quintet up`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.ready: dict[str, Any] = {}

    def wait_until_ready(self) -> None:
        """Raises SystemExit with its log where it does not start."""
        ready, deadline = STATE / "ready.json", time.monotonic() + WITHIN
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"quintet up did not start:\n{(STATE / 'up.log').read_text()}")
            time.sleep(0.01)
        self.ready = json.loads(ready.read_text())

    @property
    def url(self) -> str:
        return str(self.ready["endpoints"]["http"])

    def broker(self) -> psutil.Process | None:
        """The broker's process, if there is one now."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if "quintet_broker" in child.cmdline():
                    return child
        return None


@contextmanager
def running(keep: bool) -> Iterator[System]:
    """A system that is being started; it ends with the context, unless it is to be kept and nothing was raised."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("make demo is running here already: wait for its end") from None
        lock.seek(0)
        _end_kept(lock.read())
        shutil.rmtree(STATE, ignore_errors=True)
        STATE.mkdir()
        process = _start(keep)
        lock.truncate(0)
        lock.write(str(process.pid))
        lock.flush()
        try:
            yield System(process)
        except BaseException:
            keep = False
            raise
        finally:
            if not keep:
                _stop(process)


def _start(keep: bool) -> subprocess.Popen[bytes]:
    http, admin = PORTS if all(map(_is_free, PORTS)) else (_free_port(), _free_port())
    command = [str(COMMAND), "up", "-f", str(MANIFESTS), "--state-dir", str(STATE)]
    with (STATE / "up.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--http-port", str(http), "--admin-port", str(admin)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A terminal's Ctrl-C reaches the demo alone, which ends it in order.
            start_new_session=True,
            preexec_fn=None if keep or sys.platform != "linux" else _end_with_parent,
        )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()


def _end_kept(process_id: str) -> None:
    """An earlier demo's system that was left running: this one takes its place."""
    with suppress(psutil.NoSuchProcess, ValueError):
        kept = psutil.Process(int(process_id))
        if str(STATE) in kept.cmdline():
            kept.terminate()
            kept.wait(WITHIN)
            print(f"Ended the system that an earlier demo left running (process {process_id}).\n", flush=True)


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
