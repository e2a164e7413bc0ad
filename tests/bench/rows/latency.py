"""One message outstanding: how long until it is confirmed."""

from functools import partial

from tests.bench.clients.amqp import amqp
from tests.bench.clients.frames import frames
from tests.bench.clients.nats import nats
from tests.bench.clients.resp import resp
from tests.bench.clients.stomp import stomp
from tests.bench.libraries.aio_pika import aio_pika_client
from tests.bench.libraries.nats import nats_client
from tests.bench.libraries.quintet import singles
from tests.bench.peers.artemis import Artemis
from tests.bench.peers.nats import Nats
from tests.bench.peers.rabbitmq import RabbitMQ
from tests.bench.rows.driven import publishing
from tests.bench.runner import FSYNC, Contender, Row
from tests.bench.system import System

CLASSIC, QUORUM = partial(amqp, kind="classic", receive=False), partial(amqp, kind="quorum", receive=False)
AIO_PIKA = partial(aio_pika_client, kind="classic", receive=False)

ROW = Row(
    "Latency: one message outstanding, sent and confirmed",
    [
        Contender("our client", System, publishing(singles)),
        Contender("nats-py", Nats, publishing(nats_client)),
        Contender("aio-pika, classic queue", RabbitMQ, publishing(AIO_PIKA)),
        Contender("our protocol by hand", System, publishing(partial(frames, receive=False))),
        Contender("NATS JetStream by hand", Nats, publishing(partial(nats, receive=False))),
        Contender("RabbitMQ by hand, classic queue", RabbitMQ, publishing(CLASSIC)),
        Contender("RabbitMQ by hand, quorum queue", RabbitMQ, publishing(QUORUM), FSYNC),
        Contender("ActiveMQ Artemis, STOMP by hand", Artemis, publishing(partial(stomp, receive=False))),
        Contender("raw Redis XADD by hand", System, publishing(resp)),
    ],
    messages=1_000,
)
