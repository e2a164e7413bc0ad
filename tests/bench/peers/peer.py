"""A server of another project as a process of ours, and what its whole tree of processes computes and holds."""

import itertools
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil

from tests.processes import Process
from tools.shell import Failed


class Peer(Process):
    """One server, its data in a folder that goes with it."""

    title = ""
    """As tables name it."""
    promises: ClassVar[dict[str, str]] = {}
    """What its confirm means, by the durability of ours that it stands beside."""

    def __init__(self, durability: str) -> None:
        self.durability = durability
        self.directory = Path(tempfile.mkdtemp(prefix="quintet-bench-"))
        super().__init__(self.directory, self.title)
        self._names = (f"bench{number}" for number in itertools.count())

    def wait_until_up(self) -> None:
        """Raises Failed."""
        try:
            super().wait_until_up()
        except RuntimeError as error:
            raise Failed(str(error)) from error

    def new_name(self) -> str:
        """Of a queue that no run used before."""
        return next(self._names)

    def cpu(self) -> dict[str, float]:
        """Seconds computed so far, by process."""
        return {self.title: tree_cpu(self.pid)}

    def memory(self) -> dict[str, float]:
        """MB held, by process."""
        return {self.title: sum(process.memory_info().rss for process in tree(self.pid)) / 1e6}

    def close(self) -> None:
        """End it, and remove what it left."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def tree_cpu(pid: int) -> float:
    """Seconds of a process and its children, those included that ended."""
    total = 0.0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
