"""What of a file is on its disk, as Linux tells it (cachestat, since 6.5)."""

import ctypes
import os
from bisect import bisect_left
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
_CACHESTAT = 451


class _Range(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Stat(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "lately_evicted"))


def unsynced_pages(path: Path, length: int = 0) -> int:
    """How many pages of a file, or of its first `length` bytes, are in memory alone. Raises OSError."""
    found = _Stat()
    with path.open("rb") as file:
        part = ctypes.byref(_Range(0, length))
        if ctypes.CDLL(None, use_errno=True).syscall(_CACHESTAT, file.fileno(), part, ctypes.byref(found), 0):
            raise OSError(ctypes.get_errno(), "cachestat")
    return int(found.dirty + found.writeback)


def can_tell(directory: Path) -> bool:
    """Whether what is synced there is told from what is not: not on an older Linux, nor in a tmpfs."""
    probe = directory / "probe"
    probe.write_bytes(b"x")
    try:
        before = unsynced_pages(probe)
        with probe.open("rb+") as file:
            os.fsync(file.fileno())
        return before == 1 and unsynced_pages(probe) == 0
    except OSError:
        return False


def first_unsynced(path: Path) -> int:
    """Up to here all of a file is on its disk: to the page."""
    size = path.stat().st_size
    ends = range(PAGE, size + PAGE, PAGE)
    synced = bisect_left(ends, 1, key=lambda end: unsynced_pages(path, end))
    return min(synced * PAGE, size)
