"""Runs the tests part by part; prints what each part took and how many ran.

`python tools/test.py [PART]...` from the checkout. With CI=true in the environment a skipped test fails the run.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tests"
PARTS = ("unit", "integration", "conformance", "bench")


@dataclass
class Result:
    """What came of one part."""

    part: str
    seconds: float
    exit_code: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def row(self) -> str:
        counts = f"{self.passed:>7,} passed {self.failed:>4,} failed {self.skipped:>4,} skipped"
        return f"  {self.part:<14}{counts}{self.seconds:>9.1f} s"


def run(part: str) -> Result:
    print(f"\n-- tests/{part}", flush=True)
    report = REPORTS / f"{part}.xml"
    command = [sys.executable, "-m", "pytest", f"tests/{part}", "-q", "--no-header", f"--junitxml={report}"]
    began = time.monotonic()
    exit_code = subprocess.run(command, cwd=ROOT, check=False).returncode
    result = Result(part, time.monotonic() - began, exit_code)
    if report.exists():
        _count(result, report)
    return result


def _count(result: Result, report: Path) -> None:
    for suite in ElementTree.parse(report).iter("testsuite"):
        number = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        result.failed += number["failures"] + number["errors"]
        result.skipped += number["skipped"]
        result.passed += number["tests"] - number["failures"] - number["errors"] - number["skipped"]


def main(wanted: list[str]) -> int:
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        print(f"unknown part {unknown[0]}; the parts are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.iterdir():
        old.unlink()
    results = [run(part) for part in wanted or PARTS]
    print("\n-- what each part took")
    for result in results:
        print(result.row())
    passed, failed, skipped = (sum(getattr(r, name) for r in results) for name in ("passed", "failed", "skipped"))
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped")
    if skipped and os.environ.get("CI") == "true":
        print("skipped tests fail here: CI has everything that they need", file=sys.stderr)
        return 1
    return max(result.exit_code for result in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
