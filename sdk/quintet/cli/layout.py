"""How tables and times are written. Pure."""

from collections.abc import Sequence

UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Cells below each other; with `numbers` all but the first of a row stand to the right, and closer."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if numbers else "   "
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if numbers:
            cells[1:] = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(gap.join(cells).rstrip())
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """In the largest whole unit: `5s`, `3m`, `2h`, `4d`."""
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(int(seconds), 0)}s"
