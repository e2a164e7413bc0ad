"""`quintet peek` and `tail`, against a `quintet up` with two brokers that the whole file shares."""

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.up.command import Up, queue, until


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    directory = tmp_path_factory.mktemp("looks")
    (directory / "queues.yaml").write_text(queue("orders") + "---\n" + queue("wide", shards=8))
    made = Up(directory)
    made.start("-f", directory / "queues.yaml", "--brokers", "2")
    yield made
    made.end()


@pytest.fixture
def orders(up: Up) -> Up:
    """With an empty queue `orders`."""
    up.quintet("purge", "orders")
    return up


def test_a_peek_shows_what_there_is_and_leaves_it(orders: Up) -> None:
    assert orders.quintet("peek", "orders") == "queue/orders: no message\n"
    orders.quintet("send", "orders", "two\ncoffees\x1b[2J", "--key", "k", "--header", "a=b", "--priority", "3")
    orders.quintet("send", "orders", "a tea")
    for _ in range(2):
        head, first, second = orders.quintet("peek", "queue/orders").splitlines()
        assert head.split() == ["ID", "SENT", "STATE", "DELIVERIES", "KEY", "HEADERS", "VALUE"]
        assert first.split()[2:] == ["visible", "0", "k", "a=b", "two\\ncoffees\\x1b[2J"]
        assert second.split()[2:] == ["visible", "0", "a", "tea"]
    found = json.loads(orders.quintet("peek", "orders", "--limit", "1", "-o", "json").splitlines()[0])
    assert found.items() >= {"value": "two\ncoffees\x1b[2J", "state": "visible", "deliveries": 0, "priority": 3}.items()
    assert orders.counts("orders") == {"visible": 2, "inFlight": 0, "delayed": 0}


def test_a_peek_goes_on_where_one_ended(orders: Up) -> None:
    orders.quintet("send", "orders", "--lines", given="".join(f"{number}\n" for number in range(250)))
    *shown, more = orders.quintet("peek", "orders", "--limit", "120", "-o", "text").splitlines()
    assert shown == [str(number) for number in range(120)]
    place = more.rpartition("--from ")[2]
    rest = orders.quintet("peek", "orders", "--from", place, "--all", "-o", "raw")
    assert rest == "".join(str(number) for number in range(120, 250))
    assert orders.quintet("peek", "orders", "--from", "nowhere", code=1).startswith("A peek goes on from")


def test_a_tail_shows_what_came_since_and_goes_on(orders: Up) -> None:
    orders.quintet("send", "orders", "--lines", given="one\ntwo\n")
    orders.quintet("receive", "orders", "--limit", "2")
    assert orders.quintet("tail", "orders", "--no-follow", "--since", "1h").splitlines()[-2:] == ["one", "two"]
    assert orders.quintet("tail", "orders", "--since", "1h", "--limit", "1", "-o", "json").count("\n") == 1
    assert "give --since" in orders.quintet("tail", "orders", "--no-follow", code=2)
    follow = orders.command("tail", "orders", "-o", "json", "--since", "1h")
    assert follow.stdout is not None
    while json.loads(follow.stdout.readline())["value"] != "two":
        pass
    orders.quintet("send", "orders", "three", "--key", "k")
    found = json.loads(follow.stdout.readline())
    assert (found["value"], found["key"]) == ("three", "k")
    assert orders.quintet("receive", "orders") == "three\n"
    follow.send_signal(signal.SIGINT)
    assert follow.communicate(timeout=60)[1] == b""
    assert follow.returncode == 130


def test_a_tail_shows_what_comes_to_every_shard_of_a_queue(up: Up) -> None:
    for number in range(20):
        up.quintet("send", "wide", str(number), "--key", f"key-{number}")
    shown = up.quintet("tail", "wide", "--since", "1h", "--no-follow").split()
    assert sorted(shown, key=int) == [str(number) for number in range(20)]
    assert sorted(up.quintet("peek", "wide", "--all", "-o", "text").split(), key=int) == sorted(shown, key=int)


def test_a_tail_ends_with_its_reader(orders: Up) -> None:
    follow = orders.command("tail", "orders")
    assert follow.stdout is not None
    with subprocess.Popen(["head", "-1"], stdin=follow.stdout, stdout=subprocess.PIPE) as head:
        follow.stdout.close()

        def is_over() -> bool:
            orders.quintet("send", "orders", "a line")
            return follow.poll() is not None

        until(is_over, "the tail goes on")
        assert head.communicate(timeout=60)[0] == b"a line\n"
    assert follow.stderr is not None
    assert follow.stderr.read() == b""
    follow.stderr.close()


def test_a_queue_that_is_not_there_is_told(up: Up) -> None:
    for command in "peek", "tail":
        assert "nowhere" in up.quintet(command, "nowhere", code=1)
