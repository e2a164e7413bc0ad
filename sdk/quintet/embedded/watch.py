"""Files and directories, watched for changes of what they hold."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from watchfiles import awatch

LOOK_EVERY = 500
"""Milliseconds after which to look even where no event came: a directory that is made anew sends none."""
GATHER = 100
"""Milliseconds for which changes are gathered, at most."""

Picture = dict[Path, tuple[int, int, int]]
"""Modification time in nanoseconds, size and inode of each file; of a directory, what tells it from a new one."""


def picture(sources: Iterable[Path]) -> Picture:
    """What the sources hold now; those that are not there are left out."""
    found: Picture = {}
    for source in sources:
        for path in [source, *(source.iterdir() if source.is_dir() else ())]:
            try:
                status = path.stat()
            except OSError:
                continue
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


async def changes(sources: Sequence[Path], seen: Picture, due: Callable[[], bool]) -> AsyncIterator[None]:
    """Yields whenever the sources differ from what was seen last, and when it is `due` otherwise, until cancelled."""
    while True:
        watched = _watched(sources)
        events = awatch(
            *watched,
            watch_filter=None,
            recursive=False,
            debounce=GATHER,
            step=20,
            rust_timeout=LOOK_EVERY,
            yield_on_timeout=True,
        )
        try:
            async for _ in events:
                now = picture(sources)
                if now != seen or due():
                    seen = now
                    yield
                if _watched(sources) != watched:
                    break
        except FileNotFoundError:
            continue


def _watched(sources: Iterable[Path]) -> dict[Path, int]:
    """Directories with their inodes: those that hold the sources, since an editor replaces a file, and the sources."""
    found: dict[Path, int] = {}
    for source in sources:
        for path in (source, *source.absolute().parents):
            if path.is_dir():
                found[path] = path.stat().st_ino
                if path != source:
                    break
    return found
