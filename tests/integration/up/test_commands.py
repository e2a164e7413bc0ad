"""The other commands, against a `quintet up` that the whole file shares."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.cli import running
from tests.integration.up.command import Up, queue, until


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    directory = tmp_path_factory.mktemp("commands")
    (directory / "filed.yaml").write_text(queue("filed"))
    made = Up(directory)
    made.start("-f", directory / "filed.yaml")
    yield made
    made.end()


# Objects


def test_apply_creates_changes_and_leaves_alone(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(queue("applied") + "---\n" + queue("applied-too"))
    assert up.quintet("apply", "-f", file) == "queue/applied created\nqueue/applied-too created\n"
    file.write_text(queue("applied", paused=True) + "---\n" + queue("applied-too"))
    assert up.quintet("apply", "-f", file) == "queue/applied configured\nqueue/applied-too unchanged\n"
    file.unlink()
    assert up.get()["Queue/applied"]["metadata"]["annotations"]["quintet.dev/source"] == "apply"
    given = queue("applied-too")
    assert up.quintet("delete", "queue", "applied") == "queue/applied deleted\n"
    assert up.quintet("delete", "-f", "-", given=given) == "queue/applied-too deleted\n"
    assert not {"Queue/applied", "Queue/applied-too"} & set(up.get())


def test_apply_from_standard_input_names_it(up: Up) -> None:
    bad = queue("bad", paused="no")
    told = "<stdin>:5: spec.paused: must be true or false, not 'no'\n"
    assert up.quintet("apply", "-f", "-", given=bad, code=1) == told


def test_apply_is_whole_or_not_at_all(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "mixed.yaml"
    file.write_text(queue("good") + "---\n" + queue("bad", deadLetter={"queue": "gone"}))
    told = up.quintet("apply", "-f", file, code=1)
    assert told == f"{file}:11: spec.deadLetter.queue: The dead-letter queue gone does not exist.\n"
    assert "Queue/good" not in up.get()


def test_a_change_of_what_is_immutable_is_refused(up: Up) -> None:
    up.quintet("apply", "-f", "-", given=queue("firm"))
    told = up.quintet("apply", "-f", "-", given=queue("firm", ordering="Fifo"), code=1)
    assert told == "<stdin>:5: spec.ordering: is immutable\n"


def test_what_files_declare_belongs_to_them(up: Up) -> None:
    told = f"queue/filed: is declared in {up.directory}/filed.yaml:1: change it there\n"
    assert up.quintet("apply", "-f", "-", given=queue("filed", paused=True), code=1) == told
    assert up.quintet("delete", "queue", "filed", code=1) == told


def test_what_was_applied_outlasts_a_restart_and_goes_to_a_file_that_declares_it(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.start()
    up.quintet("apply", "-f", "-", given=queue("lasting"))
    before = up.get()["Queue/lasting"]
    up.end()
    up.start()
    assert up.get()["Queue/lasting"] | {"status": None} == before | {"status": None}
    up.end()
    file = tmp_path / "lasting.yaml"
    file.write_text(queue("lasting"))
    up.start("-f", file)
    after = up.get()["Queue/lasting"]["metadata"]
    assert after["annotations"]["quintet.dev/source"] == f"{file}:1"
    assert after["uid"] == before["metadata"]["uid"]
    assert not list((up.state / "manifests").iterdir())
    up.end()


def test_get_prints_tables(up: Up) -> None:
    head, row = up.quintet("get", "queue", "filed").splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "ORDERING", "POOL", "VISIBLE", "IN-FLIGHT", "AGE"]
    assert row.split()[:-1] == ["filed", "True", "Ready", "Standard", "default", "0", "0"]
    assert f"{up.directory}/filed.yaml:1" in up.quintet("get", "queues", "-o", "wide")
    everything = up.quintet("get")
    assert "queue/filed " in everything
    assert "broker-pool/default " in everything


def test_get_prints_objects(up: Up) -> None:
    one = json.loads(up.quintet("get", "queue/filed", "-o", "json"))
    assert (one["apiVersion"], one["kind"], one["metadata"]["name"]) == ("quintet.dev/v1", "Queue", "filed")
    assert one["status"]["url"] == f"{up.http}/000000000000/filed"
    assert one["status"]["messages"] == {"visible": 0, "inFlight": 0, "delayed": 0}
    assert "  name: filed\n" in up.quintet("get", "queue", "filed", "-o", "yaml")
    assert up.quintet("get", "qtq", "filed", "-o", "name") == "queue/filed\n"


def test_describe_shows_all(up: Up) -> None:
    told = up.quintet("describe", "queue", "filed")
    for line in ("Name:", "Source:", "Visibility Timeout:  30s", "Visible:", "Url:"):
        assert line in told


def test_what_is_not_there_is_told(up: Up) -> None:
    assert up.quintet("get", "queue", "nowhere", code=1) == "queue/nowhere: is not there\n"
    assert up.quintet("describe", "queue", "nowhere", code=1) == "queue/nowhere: is not there\n"
    assert up.quintet("delete", "queue", "nowhere", code=1) == "queue/nowhere: is not there\n"
    assert up.quintet("apply", "-f", "/nowhere.yaml", code=1) == "/nowhere.yaml: No such file or directory\n"
    assert "nowhere" in up.quintet("send", "nowhere", "x", code=1)


def test_the_pool_that_nobody_declared_cannot_be_deleted(up: Up) -> None:
    told = "broker-pool/default: is the default that quintet up runs with, and cannot be deleted\n"
    assert up.quintet("delete", "brokerpool", "default", code=1) == told
    assert up.quintet("delete", "brokerpool", "other", code=1) == "broker-pool/other: is not there\n"


# Messages


def test_a_message_goes_and_comes_with_key_and_headers(up: Up) -> None:
    up.quintet("purge", "filed")
    sent = up.quintet("send", "filed", "hello", "--key", "k", "--header", "a=b=c", "--header", "d=")
    assert sent == "queue/filed: 1 message sent\n"
    for deliveries in (1, 2):
        found = json.loads(up.quintet("receive", "filed", "-o", "json", "--no-ack"))
        assert (found["value"], found["key"], found["headers"]) == ("hello", "k", {"a": "b=c", "d": ""})
        assert found["deliveries"] == deliveries
    assert up.quintet("receive", "filed") == "hello\n"
    assert up.quintet("receive", "filed") == "queue/filed: no message\n"


def test_lines_and_files_are_messages(up: Up, tmp_path: Path) -> None:
    up.quintet("purge", "filed")
    assert up.quintet("send", "filed", "--lines", given="one\ntwo\nthree") == "queue/filed: 3 messages sent\n"
    assert sorted(up.quintet("receive", "filed", "--limit", "10").split()) == ["one", "three", "two"]
    (tmp_path / "data").write_bytes(b"\x00\xff\n\n")
    up.quintet("send", "filed", "--file", tmp_path / "data")
    found = json.loads(up.quintet("receive", "filed", "-o", "json", "--no-ack"))
    assert found["valueBase64"] == "AP8KCg=="
    stdout, stderr = up.command("receive", "filed", "-o", "raw").communicate(timeout=60)
    assert (stdout, stderr) == (b"\x00\xff\n\n", b"")


def test_a_delayed_message_waits(up: Up) -> None:
    up.quintet("purge", "filed")
    up.quintet("send", "filed", "later", "--delay", "15m")
    assert up.quintet("receive", "filed") == "queue/filed: no message\n"
    assert up.get()["Queue/filed"]["status"]["messages"]["delayed"] == 1
    assert up.quintet("purge", "filed") == "queue/filed purged\n"
    assert up.get()["Queue/filed"]["status"]["messages"]["delayed"] == 0


def test_dead_letters_are_brought_back(up: Up) -> None:
    up.quintet("purge", "filed")
    up.quintet("apply", "-f", "-", given=queue("other"))
    up.quintet("send", "filed", "--lines", given="one\ntwo\n")
    told = up.quintet("redrive", "filed", "--to", "queue/other", "--rate", "100")
    assert told == "queue/filed: 2 messages moved\n"
    assert up.quintet("receive", "other", "--limit", "2", "--wait", "5s") == "one\ntwo\n"
    assert up.quintet("redrive", "filed", "--stop") == "queue/filed: 2 messages moved\n"
    up.quintet("delete", "queue", "other")
    assert "give --stop alone" in up.quintet("redrive", "filed", "--stop", "--limit", "1", code=2)


def test_a_message_that_is_too_large_is_refused(up: Up, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)
    told = up.quintet("send", "filed", "--file", tmp_path / "large", code=1)
    assert told == "Error: the message is larger than the 1048576 bytes that any queue takes\n"
    told = up.quintet("send", "filed", "--lines", "--file", tmp_path / "large", code=1)
    assert told == "Error: a line is larger than the 1048576 bytes that any queue takes\n"


def test_what_was_written_is_acknowledged_and_the_rest_released(up: Up) -> None:
    """The reader goes when it holds a line and the pipe is full of others."""
    up.quintet("purge", "filed")
    up.quintet("send", "filed", "--lines", given="".join(f"{number} {'x' * 2000}\n" for number in range(300)))
    receive = up.command("receive", "filed", "--limit", "300")
    assert receive.stdout is not None
    assert receive.stderr is not None
    until(lambda: up.counts("filed")["visible"] + up.counts("filed")["inFlight"] < 280, "nothing is acknowledged")
    taken = os.read(receive.stdout.fileno(), 2**16).count(b"\n")
    receive.stdout.close()
    assert receive.stderr.read() == b""
    assert receive.wait(60) == 1
    receive.stderr.close()
    counts = up.counts("filed")
    assert counts["inFlight"] == 0
    assert counts["visible"] <= 300 - taken


def test_a_reader_that_stops_early_takes_few_messages(up: Up) -> None:
    up.quintet("purge", "filed")
    up.quintet("send", "filed", "--lines", given="a line\n" * 1000)
    receive = up.command("receive", "filed", "--limit", "1000")
    assert receive.stdout is not None
    with subprocess.Popen(["head", "-2"], stdin=receive.stdout, stdout=subprocess.PIPE) as head:
        receive.stdout.close()
        assert head.communicate(timeout=60)[0] == b"a line\na line\n"
    assert receive.communicate(timeout=60)[1] == b""
    assert up.counts("filed")["inFlight"] == 0
    assert up.counts("filed")["visible"] > 900


# Without a system


def test_without_a_broker_a_command_tries_for_its_timeout_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TIMEOUT", 0.5)
    up = Up(tmp_path)
    up.start()
    http, broker = up.http, up.child("quintet_broker")
    up.process.send_signal(signal.SIGSTOP)  # or it would start the broker again
    broker.kill()
    told = f"{http.removeprefix('http://')} cannot be reached: connection refused\n"
    try:
        for arguments in (["send", "orders", "x"], ["receive", "orders", "--wait", "1s"]):
            began = time.monotonic()
            assert up.quintet(*arguments, code=1) == told
            assert time.monotonic() - began < 30
    finally:
        up.process.send_signal(signal.SIGCONT)
        up.end()


def test_without_quintet_up_there_is_one_clear_line(tmp_path: Path) -> None:
    up = Up(tmp_path)
    told = f"quintet up is not running on {up.state}: start it, or name its --state-dir\n"
    for arguments in (["get"], ["apply", "-f", "x.yaml"], ["send", "orders", "x"], ["receive", "orders"]):
        assert up.quintet(*arguments, code=1) == told
