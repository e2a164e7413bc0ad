"""What was measured, as Markdown and as JSON."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from tests.bench.runner import Line, Results


def table(results: Results) -> str:
    """Medians, with the lowest and the highest rate; CPU in seconds for 10,000 messages."""
    figures = list(dict.fromkeys(name for line in results.lines for run in line.runs for name in run.figures))
    heads = ["", "durability", "messages/s", "lowest - highest", *figures, "server CPU s / 10,000", "clients'"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(_cells(line, figures))} |" for line in results.lines]
    return "\n".join([f"### {results.row.title}", "", *lines, *(f"\nLeft out: {one}" for one in results.left_out)])


def _cells(line: Line, figures: Sequence[str]) -> list[str]:
    rates = [run.rate for run in line.runs]
    servers = [name for name in line.runs[0].cpu if name != "clients"]
    return [
        line.contender,
        line.durability,
        f"{statistics.median(rates):,.0f}",
        f"{min(rates):,.0f} - {max(rates):,.0f}",
        *(_figure(run.figures.get(name) for run in line.runs) for name in figures),
        " + ".join(f"{statistics.median(run.cpu[name] for run in line.runs):.2f}" for name in servers),
        f"{statistics.median(run.cpu['clients'] for run in line.runs):.2f}",
    ]


def _figure(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    median = statistics.median(known)
    return f"{median:,.0f}" if median >= 100 else f"{median:.2f}"


def promises(all_results: Iterable[Results]) -> str:
    """Which durability of each server stands beside which of ours."""
    told = {(line.server, line.durability): line.promise for results in all_results for line in results.lines}
    lines = [f"| {server} | {durability} | {promise} |" for (server, durability), promise in sorted(told.items())]
    return "\n".join(["| | stands as | its confirm means |", "|---|---|---|", *lines])


def document(name: str, results: Results) -> dict[str, Any]:
    """All runs of a row, for JSON."""
    lines = [
        {
            "contender": line.contender,
            "server": line.server,
            "durability": line.durability,
            "promise": line.promise,
            "messages": line.messages,
            "messages_per_second": [round(run.rate, 1) for run in line.runs],
            "cpu_seconds_per_10000": [run.cpu for run in line.runs],
            "figures": [run.figures for run in line.runs],
        }
        for line in results.lines
    ]
    return {"row": name, "title": results.row.title, "lines": lines, "left_out": results.left_out}
