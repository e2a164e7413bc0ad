"""Quintet's Python client: `connect` is where it begins; `quintet.sync` is the same without asyncio."""

from quintet.client import Client, connect
from quintet.errors import (
    AccessDenied,
    BodyTimeout,
    ClientClosed,
    ConnectionLost,
    DeadLetterQueueNotFound,
    InvalidArgument,
    MessageTooLarge,
    Overloaded,
    PoolFull,
    QueueDeclared,
    QueueExists,
    QueueFull,
    QueueNotFound,
    QuintetError,
    ReceiptInvalid,
    ReceiptStale,
    TimedOut,
    TooManyInFlight,
    Unavailable,
    UnknownKey,
    Unsupported,
)
from quintet.message import DeadLetter, Message, NewMessage
from quintet.queue import Queue
from quintet.receiver import Receiver
from quintet.wire import Counts, QueueInfo, Redrive

__all__ = [
    "AccessDenied",
    "BodyTimeout",
    "Client",
    "ClientClosed",
    "ConnectionLost",
    "Counts",
    "DeadLetter",
    "DeadLetterQueueNotFound",
    "InvalidArgument",
    "Message",
    "MessageTooLarge",
    "NewMessage",
    "Overloaded",
    "PoolFull",
    "Queue",
    "QueueDeclared",
    "QueueExists",
    "QueueFull",
    "QueueInfo",
    "QueueNotFound",
    "QuintetError",
    "ReceiptInvalid",
    "ReceiptStale",
    "Receiver",
    "Redrive",
    "TimedOut",
    "TooManyInFlight",
    "Unavailable",
    "UnknownKey",
    "Unsupported",
    "connect",
]
