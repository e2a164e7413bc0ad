"""Capacity: what this process may hold of what clients can make much of: connections, and deduplication ids."""

import contextlib
import resource
from pathlib import Path

RESERVED_FILES = 512
"""For the store, the other brokers, the admin port and what Python opens."""
CONNECTION_BYTES = 24 * 1024
"""Of memory, for one that is idle: docs/performance.md."""
SHARE = 4
"""Connections that are idle take one part of so many of the memory."""
REMEMBERED_SHARE = 3
"""Deduplication ids take one part of so many of it."""
_MEMORY = Path("/sys/fs/cgroup/memory.max")
"""Bytes that this container may use, or `max`."""


def connections(wanted: int) -> int:
    """As many as are wanted, unless files or memory are scarce.

    From now on the process opens as many files as it is allowed to.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return within(wanted, files, _memory())


def within(wanted: int, files: int, memory: int | None) -> int:
    """As many as are wanted, in a process that may open so many files and use so many bytes (None: any number)."""
    if files != resource.RLIM_INFINITY:
        wanted = min(wanted, max(files - RESERVED_FILES, files // 2))
    if memory is not None:
        wanted = min(wanted, memory // SHARE // CONNECTION_BYTES)
    return wanted


def remembered(wanted: int) -> int:
    """Bytes of deduplication ids: as many as are wanted, unless memory is scarce."""
    memory = _memory()
    return wanted if memory is None else min(wanted, memory // REMEMBERED_SHARE)


def _memory() -> int | None:
    try:
        found = _MEMORY.read_text().strip()
    except OSError:
        return None
    return int(found) if found.isdigit() else None
