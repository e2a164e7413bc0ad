"""A worker as a process: how it is found, stopped by signals, and ended."""

import asyncio
import importlib
import logging
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.worker.probe import answering

if TYPE_CHECKING:
    from quintet.worker.worker import Worker

LOOK_EVERY = 1.0
"""Seconds between looks at the process that started this one."""

logger = logging.getLogger("quintet.worker")


class NotFound(Exception):
    """There is no such worker."""


def find(name: str) -> "Worker":
    """The worker `module:attribute`, in the working directory or installed. Raises NotFound; what importing raises."""
    from quintet.worker.worker import Worker

    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise NotFound(f"{name!r} names no worker: it looks like module:worker.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        if error.name is None or f"{module}.".startswith(f"{error.name}."):
            raise NotFound(f"There is no module {module} in {Path.cwd()}, and none is installed.") from error
        raise
    if not isinstance(found, Worker):
        raise NotFound(f"{module} has no quintet.Worker {attribute!r}.")
    return found


def run(worker: "Worker", parent: int | None = None, health_port: int | None = None) -> None:
    """Until SIGTERM, SIGINT, or the end of the process that started this one.

    `health_port`: where probes are answered. Raises what Worker.serve raises, and InvalidArgument for a taken port.
    """
    asyncio.run(_serve(worker, parent, health_port))
    if worker.stuck:
        # Python would wait for their threads without end.
        logger.error("handlers that did not let themselves be interrupted: %d; they end by force", worker.stuck)
        logging.shutdown()
        sys.stdout.flush()
        os._exit(1)


async def _serve(worker: "Worker", parent: int | None, health_port: int | None) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    orphaned = asyncio.create_task(_stop_without(parent, worker)) if parent else None
    async with nullcontext() if health_port is None else answering(worker, health_port):
        await worker.serve()
    if orphaned:
        orphaned.cancel()


async def _stop_without(parent: int, worker: "Worker") -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells on every system
        await asyncio.sleep(LOOK_EVERY)
    worker.stop()
