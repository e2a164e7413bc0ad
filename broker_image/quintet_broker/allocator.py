"""Allocator: how glibc's malloc treats large blocks."""

import contextlib
import ctypes

LARGE = 4 * 1024 * 1024
"""Bytes. Blocks from there on are mapped, and given back when they are freed."""
KEPT = 16 * 1024 * 1024
"""Bytes that are free at the end of the heap and not given back."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""


def keep_freed() -> None:
    """Let what batches are copied to come from memory that is there.

    By default each block of 128 KiB and more is mapped anew, and the kernel clears its pages one by one, which takes
    ten times as long as the copy. Another libc is left alone.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, LARGE)
        mallopt(_TRIM_THRESHOLD, KEPT)
