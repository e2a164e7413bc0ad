"""Manifests that change while they run."""

import shutil
from pathlib import Path

import pytest

from tests.integration.up.command import Up, queue, until

NOTHING = "nothing was changed; what ran before goes on\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "manifests"
    made.mkdir()
    (made / "orders.yaml").write_text(queue("orders"))
    return made


@pytest.fixture
def running(up: Up, folder: Path) -> Up:
    up.start("-f", folder)
    return up


def replace(file: Path, text: str) -> None:
    """As editors save: a new file in the old one's place."""
    other = file.with_name(f".{file.name}.new")
    other.write_text(text)
    other.replace(file)


def uid(up: Up, name: str) -> str:
    return str(up.get()[name]["metadata"]["uid"])


def test_a_file_that_an_editor_replaces_is_taken_over(running: Up, folder: Path) -> None:
    before = uid(running, "Queue/orders")
    replace(folder / "orders.yaml", queue("orders", visibilityTimeout="1m"))
    running.says("queue/orders configured\n")
    after = running.get()["Queue/orders"]
    assert after["spec"]["visibilityTimeout"] == "1m"
    assert after["metadata"]["uid"] == before


def test_files_come_and_go(running: Up, folder: Path) -> None:
    running.quintet("send", "orders", "kept")
    before = uid(running, "Queue/orders")
    (folder / "more.yaml").write_text(queue("more"))
    running.says("queue/more created\n")
    assert "queue/more" in running.ready["credentials"]
    (folder / "orders.yaml").unlink()
    running.says("queue/orders deleted\n")
    assert running.quintet("get", "queues", "-o", "name") == "queue/more\n"
    assert "queue/orders" not in running.ready["credentials"]
    (folder / "orders.yaml").write_text(queue("orders"))
    running.says("queue/orders created\n")
    assert uid(running, "Queue/orders") != before
    assert running.quintet("receive", "orders") == "kept\n"


def test_a_file_that_is_emptied_before_it_is_written_loses_nothing(running: Up, folder: Path) -> None:
    replace(folder / "orders.yaml", queue("orders", deletionPolicy="Delete"))
    running.says("queue/orders configured\n")
    running.quintet("send", "orders", "kept")
    before = uid(running, "Queue/orders")
    (folder / "orders.yaml").write_text("")
    (folder / "more.yaml").write_text(queue("more"))
    running.says("queue/more created\n")
    (folder / "orders.yaml").write_text(queue("orders", deletionPolicy="Delete", paused=False, visibilityTimeout="1m"))
    running.says("queue/orders configured\n", 2)
    (folder / "more.yaml").unlink()
    running.says("queue/more deleted\n")
    assert "queue/orders deleted" not in running.output
    assert uid(running, "Queue/orders") == before
    assert running.quintet("receive", "orders") == "kept\n"


def test_what_is_added_and_changed_waits_for_no_deletion(running: Up, folder: Path) -> None:
    (folder / "more.yaml").write_text(queue("more"))
    running.says("queue/more created\n")
    (folder / "more.yaml").unlink()
    (folder / "again.yaml").write_text(queue("again"))
    replace(folder / "orders.yaml", queue("orders", paused=True))
    running.says("queue/more deleted\n")
    before = running.output.partition("queue/more deleted\n")[0]
    assert "queue/again created\n" in before
    assert "queue/orders configured\n" in before


def test_a_deletion_that_is_refused_is_told_once(running: Up, folder: Path) -> None:
    (folder / "orders.yaml").write_text(queue("orders", deadLetter={"queue": "dead"}) + "---\n" + queue("dead"))
    running.says("queue/dead created\n")
    replace(folder / "orders.yaml", queue("orders", deadLetter={"queue": "dead"}))
    running.says(NOTHING)
    replace(folder / "orders.yaml", queue("orders"))
    running.says("the manifests are in order again\nqueue/orders configured\n")
    running.says("queue/dead deleted\n")
    assert running.output.count(NOTHING) == 1


def test_a_directory_that_is_made_anew_is_followed(running: Up, folder: Path) -> None:
    shutil.rmtree(folder)
    running.says(f"{folder}: No such file or directory\n{NOTHING}")
    assert "Queue/orders" in running.get()
    made_again = folder.with_name("new")
    made_again.mkdir()
    (made_again / "orders.yaml").write_text(queue("orders"))
    made_again.rename(folder)
    running.says("the manifests are in order again\n")
    assert "deleted" not in running.output
    (folder / "more.yaml").write_text(queue("more"))
    running.says("queue/more created\n")
    (folder / "again.yaml").write_text(queue("again"))
    running.says("queue/again created\n")


def test_a_single_file_is_followed_in_its_directory(up: Up, folder: Path) -> None:
    up.start("-f", folder / "orders.yaml")
    (folder / "other.yaml").write_text(queue("other"))
    replace(folder / "orders.yaml", queue("orders", paused=True))
    up.says("queue/orders configured\n")
    assert "Queue/other" not in up.get()


WRONG = [
    (queue("orders", ordering="Fifo"), "5: spec.ordering: is immutable"),
    (queue("orders", visibilityTimeout="soon"), "5: spec.visibilityTimeout: must be a duration"),
    (
        queue("orders", deadLetter={"queue": "gone"}),
        "5: spec.deadLetter.queue: The dead-letter queue gone does not exist",
    ),
    (
        queue("orders") + "---\n" + queue("new", ordering="Fifo", deadLetter={"queue": "orders"}),
        "11: spec.deadLetter.queue: orders is not Fifo, as this queue is.",
    ),
    ("a: [\n", "2: is not YAML"),
]


def test_what_is_wrong_changes_nothing(running: Up, folder: Path) -> None:
    before = running.get()["Queue/orders"]
    running.quintet("send", "orders", "kept")
    for count, (text, problem) in enumerate(WRONG, 1):
        replace(folder / "orders.yaml", text)
        running.says(f"{folder}/orders.yaml:{problem}")
        running.says(NOTHING, count)
        after = running.get()
        assert list(after) == ["BrokerPool/default", "Queue/orders"]
        assert after["Queue/orders"] == before | {"status": after["Queue/orders"]["status"]}
        assert running.quintet("receive", "orders", "--no-ack") == "kept\n"
    replace(folder / "orders.yaml", queue("orders"))
    running.says("the manifests are in order again\n")
    assert running.output.count("the manifests are in order again\n") == 1
    replace(folder / "orders.yaml", queue("orders", paused=True))
    running.says("queue/orders configured\n")


def test_the_pool_that_runs_is_the_one_it_began_with(running: Up, folder: Path) -> None:
    pool = "apiVersion: quintet.dev/v1\nkind: BrokerPool\nmetadata: {name: %s}\nspec: {durability: Memory}\n"
    replace(folder / "pool.yaml", pool % "other")
    running.says("pool.yaml:3: metadata.name: quintet up runs the broker pool default: start it again for other\n")
    replace(folder / "pool.yaml", pool % "default")
    running.says("broker-pool/default created: durability and account change when quintet up is started again\n")


def test_a_reload_waits_for_a_broker_that_is_being_started_again(running: Up, folder: Path) -> None:
    running.child("quintet_broker").kill()
    (folder / "more.yaml").write_text(queue("more"))
    running.says("queue/more created\n")
    until(lambda: "broker-0 is back" in running.output, "the broker is not back")
