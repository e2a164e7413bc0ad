"""The face without asyncio."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import quintet
import quintet.sync
from quintet import NewMessage
from tests.processes import Broker


@pytest.fixture
def client(broker: Broker) -> Iterator[quintet.sync.Client]:
    with quintet.sync.connect(broker.http_url, timeout=10) as client:
        yield client


@pytest.fixture
def queue(client: quintet.sync.Client) -> quintet.sync.Queue:
    name = f"sync-{uuid.uuid4().hex[:8]}"
    client.create_queue(name)
    return client.queue(name)


def test_send_receive_acknowledge(queue: quintet.sync.Queue) -> None:
    sent = queue.send(b"a", key="k", headers={"h": "1"})
    for message in queue.receive(wait=0.2):
        assert (message.id, message.value, message.key, message.headers) == (sent, b"a", "k", {"h": "1"})
        message.acknowledge()
    assert queue.info().counts == quintet.Counts(0, 0, 0)


def test_every_verb(client: quintet.sync.Client, queue: quintet.sync.Queue) -> None:
    queue.send_batch([NewMessage("a"), NewMessage("b")])
    a, b = queue.receive_batch(wait=20)
    a.release()
    b.extend(60)
    [again] = queue.receive_batch(wait=20)
    assert again.deliveries == 2
    with pytest.raises(quintet.ReceiptStale):
        a.acknowledge()
    queue.purge()
    assert client.update_queue(queue.name, {"deliveryDelay": "1s"}).spec["deliveryDelay"] == "1s"
    assert [info.name for info in client.queues(queue.name)] == [queue.name]
    client.delete_queue(queue.name)
    with pytest.raises(quintet.QueueNotFound):
        queue.send("a")


def test_leaving_the_loop_releases_what_was_fetched(queue: quintet.sync.Queue) -> None:
    queue.send_batch([NewMessage(str(number)) for number in range(5)])
    for message in queue.receive():
        message.acknowledge()
        break
    rest = queue.receive(wait=20)
    assert sorted(next(rest).text for _ in range(4)) == ["1", "2", "3", "4"]


def test_many_threads_share_a_client(queue: quintet.sync.Queue) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda number: queue.send(str(number)), range(200)))
    assert {message.id for message in queue.receive(wait=0)} == set(ids)


def test_closed_client_says_so_and_leaves_no_thread(broker: Broker) -> None:
    client = quintet.sync.connect(broker.http_url)
    with pytest.raises(quintet.ClientClosed):
        client.queues()
    with client:
        client.queues()
    client.close()
    with pytest.raises(quintet.ClientClosed):
        client.queues()
    assert "quintet" not in {thread.name for thread in threading.enumerate()}
