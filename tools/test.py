"""Runs the tests part by part; prints what each part took and how many ran.

`python tools/test.py [PART]...` from the checkout. With CI=true in the environment a skipped test fails the run.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tests"
BYTECODE = ROOT / "build" / "bytecode"
"""So that the many processes that tests start need not compile what they import, each anew."""
PARTS = ("unit", "integration", "conformance", "cluster", "bench")


@dataclass
class Tally:
    """How many tests there were, and the seconds that they took."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def add(self, case: ElementTree.Element) -> None:
        self.seconds += float(case.get("time", 0))
        if case.find("failure") is not None or case.find("error") is not None:
            self.failed += 1
        elif case.find("skipped") is not None:
            self.skipped += 1
        else:
            self.passed += 1

    def row(self, name: str) -> str:
        counts = f"{self.passed:>7,} passed {self.failed:>4,} failed {self.skipped:>4,} skipped"
        return f"  {name:<20}{counts}{self.seconds:>9.1f} s"


@dataclass
class Result:
    """What came of one part."""

    part: str
    exit_code: int
    whole: Tally = field(default_factory=Tally)
    folders: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))


def run(part: str) -> Result:
    print(f"\n-- tests/{part}", flush=True)
    report = REPORTS / f"{part}.xml"
    command = [sys.executable, "-m", "pytest", f"tests/{part}", "-q", "--no-header", f"--junitxml={report}"]
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(BYTECODE), "PYTHONDONTWRITEBYTECODE": ""}
    began = time.monotonic()
    result = Result(part, subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        result.whole.add(case)
        _, _, *folders, _ = case.get("classname", "").split(".")
        result.folders["/".join(folders[:1])].add(case)
    # What the tests share is made outside of them, and takes time too.
    result.whole.seconds = time.monotonic() - began
    return result


def show(results: list[Result]) -> None:
    print("\n-- what each part took")
    for result in results:
        print(result.whole.row(result.part))
        for folder, tally in sorted(result.folders.items()):
            if folder:
                print(tally.row(f"  {folder}"))


def main(wanted: list[str]) -> int:
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        print(f"unknown part {unknown[0]}; the parts are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.iterdir():
        old.unlink()
    results = [run(part) for part in wanted or PARTS]
    show(results)
    passed, failed, skipped = (sum(getattr(r.whole, name) for r in results) for name in ("passed", "failed", "skipped"))
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped")
    if skipped and os.environ.get("CI") == "true":
        print("skipped tests fail here: CI has everything that they need", file=sys.stderr)
        return 1
    return max(result.exit_code for result in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
