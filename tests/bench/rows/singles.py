"""One message a call, 1,000 under way: by each system's Python client, and by its bare protocol."""

from functools import partial

from tests.bench.clients.amqp import amqp
from tests.bench.clients.frames import frames
from tests.bench.clients.nats import nats
from tests.bench.clients.resp import resp
from tests.bench.clients.stomp import stomp
from tests.bench.libraries.aio_pika import aio_pika_client
from tests.bench.libraries.nats import nats_client
from tests.bench.libraries.quintet import singles
from tests.bench.libraries.redis import redis_client
from tests.bench.libraries.stomp import stomp_client
from tests.bench.peers.artemis import Artemis
from tests.bench.peers.nats import Nats
from tests.bench.peers.rabbitmq import RabbitMQ
from tests.bench.rows.driven import flowing
from tests.bench.runner import FSYNC, Contender, Row
from tests.bench.system import System

CALL = partial(flowing, batch=1, producers=1000, consumers=100)
"""A task for each message under way."""
PULL = partial(flowing, batch=1, producers=1000, consumers=1)
"""As above, but received by batches, one under way, since the client has nothing else."""
FRAME = partial(flowing, batch=100, producers=10, consumers=4)
"""By hand: a frame a message, a hundred written together."""
CLASSIC, QUORUM = partial(amqp, kind="classic"), partial(amqp, kind="quorum")

ROW = Row(
    "Singles: one message a call or frame, 1,000 under way",
    [
        Contender("our client", System, CALL(singles)),
        Contender("aio-pika, classic queue", RabbitMQ, CALL(partial(aio_pika_client, kind="classic"))),
        Contender("aio-pika, quorum queue", RabbitMQ, CALL(partial(aio_pika_client, kind="quorum")), FSYNC),
        Contender("nats-py", Nats, PULL(nats_client)),
        Contender("stomp.py, Artemis", Artemis, CALL(stomp_client)),
        Contender("redis-py, 32 connections", System, PULL(redis_client)),
        Contender("our protocol by hand", System, FRAME(frames)),
        Contender("RabbitMQ by hand, classic queue", RabbitMQ, FRAME(CLASSIC)),
        Contender("RabbitMQ by hand, quorum queue", RabbitMQ, FRAME(QUORUM), FSYNC),
        Contender("NATS JetStream by hand", Nats, FRAME(nats)),
        Contender("ActiveMQ Artemis, STOMP by hand", Artemis, FRAME(stomp)),
        Contender("raw Redis Streams by hand", System, FRAME(resp)),
    ],
    messages=10_000,
)
