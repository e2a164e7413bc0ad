"""HTTP as clients of any make speak it: each request gets its one answer, whichever way it comes."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.sqs.clients import receive
from tests.conformance.sqs.test_sqs_hostile import address, body_of, post
from tests.processes import Broker


class Connection:
    """Says bytes, and hears whole answers."""

    def __init__(self, broker: Broker) -> None:
        self.socket = socket.create_connection(address(broker), timeout=40)
        self._stream = self.socket.makefile("rb")

    def say(self, content: bytes) -> None:
        self.socket.sendall(content)

    def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by their names in small letters, and body."""
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self._stream.read(int(headers.get("content-length", 0)))

    def ended(self) -> bool:
        return self._stream.read() == b""

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@pytest.fixture
def connection(broker: Broker) -> Iterator[Connection]:
    with contextlib.closing(Connection(broker)) as connection:
        yield connection


def request(target: bytes, *headers: bytes, **fields: Any) -> bytes:
    body = body_of(**fields)
    lines = b"".join(header + b"\r\n" for header in headers)
    return post(target, lines) + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


LIST = request(b"ListQueues")


def served(answer: tuple[int, dict[str, str], bytes]) -> bool:
    status, headers, body = answer
    return status == 200 and "QueueUrls" in json.loads(body) and headers["content-type"] == "application/x-amz-json-1.0"


def test_many_on_one_connection(connection: Connection, queue: str) -> None:
    for _ in range(3):
        connection.say(LIST)
        assert served(connection.hear())


def test_pipelined(connection: Connection, sqs: Any, queue: str) -> None:
    bodies = [f"message {number}" for number in range(5)]
    connection.say(b"".join(request(b"SendMessage", QueueUrl=queue, MessageBody=body) for body in bodies) + LIST)
    assert [connection.hear()[0] for _ in bodies] == [200] * len(bodies)
    assert served(connection.hear())
    found: list[str] = []
    while len(found) < len(bodies):
        found += [message["Body"] for message in receive(sqs, queue)]
    assert sorted(found) == bodies


def test_pipelined_behind_a_long_poll(connection: Connection, sqs: Any, queue: str) -> None:
    connection.say(request(b"ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=20))
    connection.say(LIST)
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert json.loads(connection.hear()[2])["Messages"][0]["Body"] == "x"
    assert served(connection.hear())


@pytest.mark.parametrize("size", [1, 40])
def test_in_pieces(connection: Connection, queue: str, size: int) -> None:
    for _ in range(2):
        for start in range(0, len(LIST), size):
            connection.say(LIST[start : start + size])
        assert served(connection.hear())


def test_in_chunks(connection: Connection, queue: str) -> None:
    connection.say(post(b"ListQueues", b"Transfer-Encoding: chunked\r\n") + b"\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    assert served(connection.hear())
    connection.say(LIST)
    assert served(connection.hear())


def test_after_asking_whether_to_go_on(connection: Connection, queue: str) -> None:
    head, body = request(b"ListQueues", b"Expect: 100-continue").split(b"\r\n\r\n")
    connection.say(head + b"\r\n\r\n")
    assert connection.hear()[0] == 100
    connection.say(body)
    assert served(connection.hear())


def test_of_the_first_version(connection: Connection, queue: str) -> None:
    connection.say(LIST.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert served(connection.hear())
    assert connection.ended()


def test_on_a_connection_that_is_to_be_closed(connection: Connection, queue: str) -> None:
    connection.say(request(b"ListQueues", b"Connection: close"))
    assert served(connection.hear())
    assert connection.ended()


def test_beside_other_faces(connection: Connection, queue: str) -> None:
    connection.say(LIST)
    assert served(connection.hear())
    connection.say(b"GET /v1/queues HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.hear()[0] == 200
    connection.say(LIST)
    assert served(connection.hear())


@pytest.mark.parametrize(
    "header", [b"Transfer-Encoding: chunked", b"Content-Length: 3", b"Transfer-Encoding: x", b"Content-Length : 2"]
)
def test_whose_end_is_in_doubt(connection: Connection, header: bytes) -> None:
    """Or another request could hide in it."""
    connection.say(request(b"ListQueues", header) + LIST)
    assert connection.hear()[0] == 400
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.ended()


def test_whose_client_is_gone(broker: Broker, sqs: Any, queue: str) -> None:
    """What was delivered to nobody is for others."""
    gone = Connection(broker)
    gone.say(request(b"ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=20, VisibilityTimeout=43200))
    other = Connection(broker)
    other.say(LIST)
    assert served(other.hear())
    gone.close()
    other.close()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert [message["Body"] for message in receive(sqs, queue)] == ["x"]


def test_while_the_broker_stops(own_broker: Broker) -> None:
    asking, idle = Connection(own_broker), Connection(own_broker)
    idle.say(request(b"CreateQueue", QueueName="orders"))
    queue = json.loads(idle.hear()[2])["QueueUrl"]
    asking.say(request(b"ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=20))
    # It was heard after the poll.
    idle.say(LIST)
    assert served(idle.hear())
    began = time.monotonic()
    stopping = threading.Thread(target=own_broker.stop)
    stopping.start()
    assert asking.hear()[:1] == (200,)
    assert asking.ended()
    assert idle.ended()
    stopping.join()
    assert time.monotonic() - began < 15
    asking.close()
    idle.close()
