"""As fast as it goes: many messages a call where a client has that, else many calls at a time; and by hand."""

from functools import partial

from tests.bench.clients.amqp import amqp
from tests.bench.clients.frame_batches import FrameBatches
from tests.bench.clients.frames import frames
from tests.bench.clients.http import http
from tests.bench.clients.nats import nats
from tests.bench.clients.resp import resp
from tests.bench.clients.stomp import stomp
from tests.bench.libraries.aio_pika import aio_pika_client
from tests.bench.libraries.nats import nats_client
from tests.bench.libraries.quintet import batches
from tests.bench.libraries.redis import redis_client
from tests.bench.peers.artemis import Artemis
from tests.bench.peers.nats import Nats
from tests.bench.peers.rabbitmq import RabbitMQ
from tests.bench.rows.driven import flowing
from tests.bench.runner import FSYNC, Contender, Row
from tests.bench.system import System

FLOW = partial(flowing, batch=100, producers=10, consumers=4)
"""A hundred a call, or written together; a window of a thousand."""
CLASSIC, QUORUM = partial(amqp, kind="classic", multiple=True), partial(amqp, kind="quorum", multiple=True)
PIKA_CLASSIC = partial(aio_pika_client, kind="classic", multiple=True)
PIKA_QUORUM = partial(aio_pika_client, kind="quorum", multiple=True)

ROW = Row(
    "Batches: 1 KiB, sent, confirmed, received, acknowledged",
    [
        Contender("our client, 100 a call", System, FLOW(batches)),
        Contender("aio-pika, 100 calls at a time, classic queue", RabbitMQ, FLOW(PIKA_CLASSIC)),
        Contender("aio-pika, 100 calls at a time, quorum queue", RabbitMQ, FLOW(PIKA_QUORUM), FSYNC),
        Contender("nats-py, 100 calls at a time", Nats, FLOW(nats_client, consumers=1)),
        Contender("redis-py, pipelined by 100", System, FLOW(partial(redis_client, multiple=True))),
        Contender("our protocol by hand, batches unopened", System, FLOW(partial(frames, make=FrameBatches))),
        Contender("/v1/, 100 a request", System, FLOW(http, producers=16, consumers=16)),
        Contender("raw Redis Streams by hand, pipelined by 100", System, FLOW(partial(resp, multiple=True))),
        Contender("RabbitMQ by hand, classic queue", RabbitMQ, FLOW(CLASSIC)),
        Contender("RabbitMQ by hand, quorum queue", RabbitMQ, FLOW(QUORUM), FSYNC),
        Contender("NATS JetStream by hand", Nats, FLOW(nats)),
        Contender("ActiveMQ Artemis, STOMP by hand", Artemis, FLOW(stomp)),
    ],
    messages=40_000,
)
