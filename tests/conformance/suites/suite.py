"""One suite of others: how it is pointed at a broker, run in a process of its own, and judged."""

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.suites import packages

HERE = Path(__file__).parent
WITHIN = 270.0
"""Seconds for a whole suite."""
AGAIN = 4
"""How often a test that failed is tried again: these suites measure time, and a busy machine is late."""


@dataclass(frozen=True)
class Suite:
    """Tests of a package; `left_out/<package>.txt` has those that are not run, with the reasons.

    In values of `environment`, {port} is the broker's.
    """

    package: str
    files: tuple[str, ...]
    environment: Mapping[str, str]
    emptied: bool = False
    """Whether the queues of one test are in the way of another."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the broker."""


@dataclass(frozen=True)
class Outcome:
    """What came of a suite: how many tests passed, why the others did not, and what it printed in the end."""

    passed: int
    failed: dict[str, str]
    said: str


def run(suite: Suite, port: int, folder: Path) -> Outcome:
    """Raises Failed where the suite cannot be had."""
    report = folder / "report.xml"
    words = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "selection", "-W", "ignore"]
    options = [
        f"--reruns={AGAIN}",
        "--timeout=60",
        f"--rootdir={packages.source(suite.package)}",
        f"--junitxml={report}",
    ]
    command = [str(packages.python()), "-m", "pytest", *suite.files, *words, *options]
    try:
        done = subprocess.run(
            command,
            cwd=packages.source(suite.package),
            env=_environment(suite, port),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode(errors="replace") if late.stdout else ""
        return Outcome(0, {"the suite": f"did not end within {WITHIN:.0f} s"}, said[-4000:])
    said = (done.stdout + done.stderr)[-4000:]
    if not report.exists():
        return Outcome(0, {"the suite": f"ended with {done.returncode}"}, said)
    return _judge(report, said)


def _environment(suite: Suite, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    credentials = {
        "AWS_ACCESS_KEY_ID": "anybody",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    plugin = {"PYTHONPATH": str(HERE), "QUINTET_LEFT_OUT": str(HERE / "left_out" / f"{suite.package}.txt")}
    emptied = {"QUINTET_EMPTIED": "http://localhost:{port}"} if suite.emptied else {}
    pointed = {name: value.format(port=port) for name, value in (emptied | dict(suite.environment)).items()}
    return kept | credentials | plugin | pointed


def _judge(report: Path, said: str) -> Outcome:
    passed, failed = 0, {}
    for case in ElementTree.parse(report).iter("testcase"):
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        if problem is not None:
            failed[f"{case.get('classname')}::{case.get('name')}"] = (problem.get("message") or "")[:400]
        elif case.find("skipped") is None:
            passed += 1
    return Outcome(passed, failed, said)
