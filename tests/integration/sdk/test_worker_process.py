"""`python -m quintet.worker`: processes that are stopped and killed."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import quintet.sync
from tests.processes import Broker, free_port

WITHIN = 60.0
"""Seconds."""
MODULE = """
import asyncio, os, pathlib, time
import quintet

worker = quintet.Worker("{url}", grace=60, concurrency=1)

def note(message, what):
    with open("{log}", "a") as log:
        print(message.text, message.deliveries, what, os.getpid(), file=log, flush=True)

@worker.on("{queue}")
async def handle(message: quintet.Message) -> None:
    note(message, "begins")
    while message.deliveries == 1 and message.text == "waits" and not pathlib.Path("{go}").exists():
        await asyncio.sleep(0.02)
    note(message, "ends")
"""


class Working:
    """`python -m quintet.worker` with a module that notes what it handles."""

    def __init__(self, directory: Path, broker: Broker, queue: str) -> None:
        self.log, self.go = directory / "handled.log", directory / "go"
        self.output = directory / "output.log"
        (directory / "module.py").write_text(MODULE.format(url=broker.http_url, queue=queue, log=self.log, go=self.go))
        self._directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, name: str = "module:worker") -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "quintet.worker", name, *arguments],
                cwd=self._directory,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def handled(self) -> list[tuple[str, int, str, int]]:
        """Text, deliveries, begins or ends, process."""
        if not self.log.exists():
            return []
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(text, int(deliveries), what, int(process)) for text, deliveries, what, process in lines]

    def waits_for(self, *events: tuple[str, int, str]) -> None:
        deadline = time.monotonic() + WITHIN
        while not set(events) <= {event[:3] for event in self.handled()}:
            assert time.monotonic() < deadline, (events, self.handled(), self.output.read_text())
            time.sleep(0.02)

    def ends(self) -> int:
        assert self.process is not None
        return self.process.wait(WITHIN)

    def signalled(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@pytest.fixture
def client(broker: Broker) -> Iterator[quintet.sync.Client]:
    with quintet.sync.connect(broker.http_url) as client:
        yield client


@pytest.fixture
def queue(client: quintet.sync.Client) -> quintet.sync.Queue:
    name = f"process-{uuid.uuid4().hex[:8]}"
    client.create_queue(name, {"visibilityTimeout": "3s"})
    return client.queue(name)


@pytest.fixture
def working(tmp_path: Path, broker: Broker, queue: quintet.sync.Queue) -> Iterator[Working]:
    working = Working(tmp_path, broker, queue.name)
    yield working
    if working.process and working.process.poll() is None:
        working.process.kill()
        working.process.wait()


def test_what_a_killed_worker_held_comes_again(working: Working, queue: quintet.sync.Queue) -> None:
    queue.send("waits")
    working.start()
    working.waits_for(("waits", 1, "begins"))
    working.signalled(signal.SIGKILL)
    working.ends()
    working.start()
    working.waits_for(("waits", 2, "ends"))
    working.signalled(signal.SIGTERM)
    assert working.ends() == 0
    assert queue.info().counts == quintet.Counts(0, 0, 0)


def test_a_signal_lets_handlers_end(working: Working, queue: quintet.sync.Queue) -> None:
    queue.send("waits")
    working.start()
    working.waits_for(("waits", 1, "begins"))
    queue.send("later")
    working.signalled(signal.SIGINT)
    working.go.touch()
    assert working.ends() == 0
    assert [event[:3] for event in working.handled()] == [("waits", 1, "begins"), ("waits", 1, "ends")]
    assert queue.info().counts == quintet.Counts(1, 0, 0)


def test_several_processes_share_the_work_and_are_kept_running(working: Working, queue: quintet.sync.Queue) -> None:
    queue.send_batch([quintet.NewMessage("waits"), quintet.NewMessage("waits")])
    working.start("--processes", "2")
    deadline = time.monotonic() + WITHIN
    while len(working.handled()) < 2:
        assert time.monotonic() < deadline, working.output.read_text()
        time.sleep(0.02)
    processes = {process for *_, process in working.handled()}
    assert len(processes) == 2
    psutil.Process(processes.pop()).kill()
    working.waits_for(("waits", 2, "ends"))
    working.go.touch()
    working.signalled(signal.SIGTERM)
    assert working.ends() == 0
    assert not any(psutil.pid_exists(process) for *_, process in working.handled())


def test_processes_end_with_their_parent(working: Working, queue: quintet.sync.Queue) -> None:
    queue.send("waits")
    working.start("--processes", "2")
    working.waits_for(("waits", 1, "begins"))
    assert working.process
    children = psutil.Process(working.process.pid).children()
    working.signalled(signal.SIGKILL)
    working.go.touch()
    _, alive = psutil.wait_procs(children, WITHIN)
    assert not alive
    working.waits_for(("waits", 1, "ends"))


def test_a_probe_is_answered(working: Working, queue: quintet.sync.Queue) -> None:
    queue.send("waits")
    port = free_port()
    working.start("--health-port", str(port))
    working.waits_for(("waits", 1, "begins"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=WITHIN) as answer:
        [(name, health)] = json.load(answer).items()
    assert name == queue.name
    assert health == {"healthy": True, "held": 1, "counts": {}, "error": None}
    working.go.touch()
    working.signalled(signal.SIGTERM)
    assert working.ends() == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("module", "looks like module:worker"),
        ("nowhere:worker", "no module nowhere"),
        ("module:handle", "no quintet.Worker 'handle'"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_is_no_worker_is_refused(working: Working, name: str, why: str, processes: str) -> None:
    working.start("--processes", processes, name=name)
    assert working.ends() == 2
    assert why in working.output.read_text()
