"""What users of the client see: the verbs that docs/python.md tells of, and nothing else."""

from pathlib import Path

import pytest

import quintet
import quintet.sync

DOCS = (Path(__file__).parents[3] / "docs/python.md").read_text()
CLIENT = {"close", "queue", "queues", "create_queue", "update_queue", "delete_queue"}
QUEUE = {
    "close_consumer",
    "send",
    "send_batch",
    "receive",
    "receive_batch",
    "acknowledge",
    "acknowledge_batch",
    "release",
    "release_batch",
    "extend",
    "peek",
    "tail",
    "purge",
    "info",
} | {
    "redrive",
    "redrive_progress",
    "stop_redrive",
}


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


async def test_the_asynchronous_client() -> None:
    client = quintet.connect("http://localhost")
    queue = client.queue("orders")
    assert public(client) == CLIENT
    assert public(queue) == QUEUE | {"name"}
    assert public(queue.receive()) == {"aclose"}


def test_the_client_without_asyncio() -> None:
    client = quintet.sync.connect("http://localhost")
    assert public(client) == CLIENT
    assert public(client.queue("orders")) == QUEUE | {"name"}


@pytest.mark.parametrize("verb", sorted(CLIENT - {"close"} | QUEUE))
def test_every_verb_is_documented(verb: str) -> None:
    assert f"`{verb}(" in DOCS
