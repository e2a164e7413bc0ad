"""`quintet stats` and `top`, against a `quintet up` with two brokers that the whole file shares."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

from quintet.cli.top import ENTER, LEAVE
from tests.integration.up.command import MAIN, Up, queue, until

FAST = ("--every", "100ms")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    directory = tmp_path_factory.mktemp("stats")
    (directory / "queues.yaml").write_text(queue("orders") + "---\n" + queue("wide", shards=8))
    made = Up(directory)
    made.start("-f", directory / "queues.yaml", "--brokers", "2")
    made.quintet("send", "orders", "--lines", given="one\ntwo\n")
    made.quintet("send", "wide", "x", "--key", "k")
    yield made
    made.end()


def test_stats_show_all_queues(up: Up) -> None:
    told = ""

    def all_are_counted() -> bool:
        """Not while shards move to the broker that came second."""
        nonlocal told
        told = up.quintet("stats", *FAST)
        rows = [line.split()[:4] for line in told.splitlines()[1:]]
        return rows == [["orders", "2", "0", "0"], ["wide", "1", "0", "0"]]

    until(all_are_counted, lambda: told)
    assert told.splitlines()[0].split() == [
        "NAME",
        "VISIBLE",
        "IN-FLIGHT",
        "DELAYED",
        "SENT/S",
        "RECEIVED/S",
        "ACKED/S",
        "DEAD",
    ]


def test_stats_of_a_queue_as_json(up: Up) -> None:
    found = json.loads(up.quintet("stats", "queue/wide", "--oldest", "-o", "json", *FAST))
    [wide] = found["queues"]
    assert wide.items() >= {"pool": "default", "name": "wide", "deadLettered": 0}.items()
    assert wide["oldestSeconds"] > 0
    assert [broker["name"] for broker in found["brokers"]] == ["broker-0", "broker-1"]
    assert any(broker["answers"] and broker["memoryBytes"] > 2**20 for broker in found["brokers"])
    [pool] = found["pools"]
    assert pool["storageUsedBytes"] > 0


def test_stats_go_on_and_tell_what_happens(up: Up) -> None:
    watch = up.command("stats", "orders", "--watch", "-o", "json", *FAST)
    assert watch.stdout is not None
    while not json.loads(watch.stdout.readline())["queues"][0]["sentPerSecond"]:
        up.quintet("send", "orders", "x")
    watch.terminate()
    assert watch.communicate(timeout=60)[1] == b""
    assert watch.returncode == 130
    assert "must be more than 0s" in up.quintet("stats", "--every", "0s", code=2)
    assert "--oldest is for queues that are named" in up.quintet("stats", "--oldest", code=2)
    assert up.quintet("stats", "nowhere", *FAST, code=1) == "queue/nowhere: is not there\n"


def test_without_a_terminal_top_prints_once(up: Up) -> None:
    told = up.quintet("top", "--sort", "name", *FAST)
    assert [line.split()[0] for line in told.splitlines() if line] == [
        "broker-pool/default",
        "broker-0",
        "broker-1",
        "NAME",
        "orders",
        "wide",
    ]
    assert "\x1b" not in told


def test_top_is_drawn_until_q(up: Up) -> None:
    ours, its = pty.openpty()
    command = [sys.executable, "-c", MAIN, "top", *FAST]
    with subprocess.Popen(command, env=up.environment, stdin=its, stdout=its, stderr=subprocess.PIPE) as top:
        os.close(its)
        told = ""

        def says(text: str) -> bool:
            nonlocal told
            told += os.read(ours, 2**16).decode()
            return text in told

        until(lambda: says("orders"), lambda: told)
        os.write(ours, b"n")
        until(lambda: says("by name"), lambda: told)
        os.write(ours, b"q")
        until(lambda: says(LEAVE), lambda: told)
        assert told.startswith(ENTER)
        assert top.communicate(timeout=60)[1] == b""
        assert top.returncode == 0
    os.close(ours)
