"""The system that the demo runs against: `quintet up` on the example's manifests, with a state of its own."""

import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFESTS = ROOT / "examples" / "orders"
STATE = ROOT / "build" / "demo"
COMMAND = Path(sys.executable).parent / "quintet"
PORTS = (9400, 9401)
"""Of clients and of probes, where they are free."""
STARTS_WITHIN = 30.0
"""Seconds."""


class System:
    """Runs from `start` to `stop`."""

    def start(self) -> float:
        """Start it; return the seconds until it was ready. Raises SystemExit with its log where it is not."""
        _end_those_left_running()
        shutil.rmtree(STATE, ignore_errors=True)
        STATE.mkdir(parents=True)
        log = STATE / "up.log"
        began = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        ready = STATE / "ready.json"
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > began + STARTS_WITHIN:
                self.stop()
                raise SystemExit(f"quintet up did not start:\n{log.read_text()}")
            time.sleep(0.01)
        self.ready: dict[str, Any] = json.loads(ready.read_text())
        return time.monotonic() - began

    def _command(self) -> list[str]:
        http, admin = PORTS if all(map(_is_free, PORTS)) else (_free_port(), _free_port())
        ports = ["--http-port", str(http), "--admin-port", str(admin)]
        return [str(COMMAND), "up", "-f", str(MANIFESTS), "--state-dir", str(STATE), *ports]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(STARTS_WITHIN)

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


def _end_those_left_running() -> None:
    """Earlier demos whose state this one is about to use."""
    left = [found for found in psutil.process_iter(["cmdline"]) if str(STATE) in (found.info["cmdline"] or ())]
    for found in left:
        found.terminate()
    psutil.wait_procs(left, STARTS_WITHIN)


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
