"""Several processes of one worker, under one that keeps them running."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

PAUSE = 1.0
"""Seconds until a process that ended by itself is started again."""
REFUSED = 2
"""The exit code of a process that could not begin: starting it again would not help."""

logger = logging.getLogger("quintet.worker")


class Processes:
    """Started again where they end by themselves, until a signal stops them all."""

    def __init__(self, arguments: Sequence[str], count: int) -> None:
        """`arguments`: of `python -m quintet.worker`."""
        self._command = [sys.executable, "-m", "quintet.worker", *arguments, "--parent", str(os.getpid())]
        self._count = count
        self._processes: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        """The exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        await asyncio.gather(*(self._keep() for _ in range(self._count)))
        return self._code

    def _stop(self) -> None:
        """Ask all to stop; again, so that they end without grace."""
        self._stopping.set()
        for process in self._processes:
            _stop(process)

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            # A terminal's Ctrl-C must not reach it beside our own signal: that would be the second one.
            process = await asyncio.create_subprocess_exec(*self._command, start_new_session=True)
            self._processes.add(process)
            if self._stopping.is_set():
                _stop(process)
            code = await process.wait()
            self._processes.discard(process)
            if self._stopping.is_set():
                self._code = self._code or abs(code)
            elif code == REFUSED:
                self._code = code
                self._stop()
            else:
                logger.error("process %d ended with %d: another one takes its place", process.pid, code)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), PAUSE)


def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
