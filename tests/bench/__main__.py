"""`python -m tests.bench`: the queue beside others of its kind, in turns on one machine; figures, never gates."""

import argparse
import json
import os
import platform
from pathlib import Path

from tests.bench.rows.table import rows
from tests.bench.runner import BOTH, MEMORY, run
from tests.bench.tables import document, promises, table

SMOKE_MESSAGES = 300


def machine() -> str:
    """What the figures depend on."""
    model = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}"


def names(text: str) -> list[str]:
    return text.split(",")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", type=names, help=f"some of {','.join(rows(0))}; all if not given")
    parser.add_argument("--peers", type=names, help="others that take part, by the begin of a name; all if not given")
    parser.add_argument("--durabilities", type=names, default=BOTH, help="some of Memory,Fsync")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, help="a round at most; if not given, each row has its own number")
    parser.add_argument("--minutes", type=float, default=0.5, help="of each contender of the row fifo")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--smoke", action="store_true", help="one tiny round without peers, to see that it runs")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.peers, arguments.durabilities, arguments.minutes = [], MEMORY, 0.0
        arguments.rounds, arguments.messages = 1, SMOKE_MESSAGES
    return arguments


def main() -> None:
    arguments, all_results = read_arguments(), {}
    print(f"{machine()}; medians of {arguments.rounds} rounds\n")
    known = rows(arguments.minutes)
    for name in arguments.rows or known:
        results = run(known[name], arguments.rounds, arguments.messages, arguments.peers, arguments.durabilities)
        all_results[name] = results
        print(table(results), end="\n\n", flush=True)
    print(promises(all_results.values()))
    if arguments.json:
        told = {"machine": machine(), "rounds": arguments.rounds}
        lines = [document(name, results) for name, results in all_results.items()]
        arguments.json.write_text(json.dumps(told | {"rows": lines}, indent=1))


if __name__ == "__main__":
    main()
