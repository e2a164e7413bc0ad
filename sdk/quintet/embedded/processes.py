"""A program that is kept running."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from quintet.embedded.errors import CannotRun

STARTS_WITHIN = 60.0
"""Seconds until it must serve; loading a large log takes Redis a while."""
STOPS_WITHIN = 10.0
"""Seconds until it is killed."""
PROBE_EVERY = 0.01
"""Seconds."""
BACKOFF_LEAST = 0.02
BACKOFF_MOST = 5.0
"""Seconds between two starts."""
SHORT_RUN = 10.0
"""Seconds: after one that ended sooner, the next start waits longer."""
STARTS_IN_VAIN = 3
"""Starts in a row that came to nothing, after which it is given up."""
LAST_LINES = 10
_PR_SET_PDEATHSIG = 1


class Process:
    """One program, its output in a file of `logs`; `is_up` tells whether it serves."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: dict[str, str],
        logs: Path,
        is_up: Callable[[], Awaitable[bool]],
    ) -> None:
        self.name = name
        self._command = command
        self._environment = os.environ | environment
        self._log = logs / f"{name}.log"
        self._is_up = is_up
        self._process: asyncio.subprocess.Process | None = None
        if self._log.exists():
            self._log.replace(logs / f"{name}.log.1")

    async def start(self) -> None:
        """Start it and wait until it serves. Raises CannotRun with the last lines of its log."""
        try:
            self._process = await self._spawn()
        except OSError as error:
            raise CannotRun(f"{self.name} cannot be started: {self._command[0]}: {error.strerror}") from error
        deadline = time.monotonic() + STARTS_WITHIN
        while not await self._is_up():
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise CannotRun(f"{self.name} does not start; the end of {self._log}:\n{self._last_lines()}")
            await asyncio.sleep(PROBE_EVERY)

    async def _spawn(self) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A terminal's Ctrl-C must not reach it: the order of stopping is ours.
                start_new_session=True,
                preexec_fn=partial(_die_with, os.getpid()) if sys.platform == "linux" else None,
            )

    async def keep(self, tell: Callable[[str], None]) -> None:
        """Start it again whenever it ended, until cancelled. Raises CannotRun when that is in vain."""
        short_runs = 0
        while True:
            began = time.monotonic()
            assert self._process is not None
            reason = _reason(await self._process.wait())
            short_runs = min(short_runs + 1, STARTS_IN_VAIN) if time.monotonic() - began < SHORT_RUN else 0
            tell(f"{self.name} ended ({reason}): starting it again")
            await self._start_again(short_runs)
            tell(f"{self.name} is back")

    async def _start_again(self, short_runs: int) -> None:
        for attempt in range(STARTS_IN_VAIN):
            await asyncio.sleep(min(BACKOFF_LEAST * 4 ** (short_runs + attempt), BACKOFF_MOST))
            try:
                return await self.start()
            except CannotRun as error:
                last = error
                await self.stop()
        raise last

    async def stop(self) -> None:
        """In order by SIGTERM, by SIGKILL where that takes too long."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOPS_WITHIN)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _last_lines(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
