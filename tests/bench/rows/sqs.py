"""SQS: ten messages a request, and one."""

from functools import partial

from tests.bench.clients.amqp import amqp
from tests.bench.clients.sqs import sqs_load
from tests.bench.libraries.boto3 import boto3_threads
from tests.bench.peers.elasticmq import ElasticMQ
from tests.bench.peers.rabbitmq import RabbitMQ
from tests.bench.rows.driven import flowing
from tests.bench.runner import MEMORY, Contender, Row
from tests.bench.system import SignedSystem, System

THREADS = partial(flowing, batch=10, producers=4, consumers=4)
FRAME = partial(flowing, batch=100, producers=10, consumers=4)
"""A frame a message, a hundred written together."""

BATCHES = Row(
    "SQS, 10 a request: sent, received, deleted over 32 connections",
    [
        Contender("SQS, 10 a request, from Go", System, sqs_load(10)),
        Contender("SQS, 10 a request, from Go, signed", SignedSystem, sqs_load(10, signed=True)),
        Contender("SQS, 10 a request, boto3 in 8 threads", System, THREADS(boto3_threads), MEMORY),
        Contender("ElasticMQ, 10 a request, from Go", ElasticMQ, sqs_load(10), MEMORY),
        Contender("RabbitMQ by hand, classic queue, one a frame", RabbitMQ, FRAME(partial(amqp, kind="classic"))),
    ],
    messages=10_000,
)
SINGLES = Row(
    "SQS, one a request: sent, received, deleted over 32 connections",
    [
        Contender("SQS, one a request, from Go", System, sqs_load(1)),
        Contender("SQS, one a request, from Go, signed", SignedSystem, sqs_load(1, signed=True)),
        Contender("ElasticMQ, one a request, from Go", ElasticMQ, sqs_load(1), MEMORY),
    ],
    messages=6_000,
)
