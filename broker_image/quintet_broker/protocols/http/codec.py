"""The bodies of /v1/ as types: what is read is checked against them, and the OpenAPI document is made of them."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from quintet_api.common import parse_duration
from quintet_broker.errors import InvalidArgument
from quintet_broker.services.sending import MAX_HEADERS

Found = TypeVar("Found")

FIELDS_BYTES = 64 * 1024
"""Of a body of any fields: decoded it takes up to thirty times as many."""

Text = Annotated[str, Meta(description="Text, UTF-8.")]
Base64 = Annotated[str, Meta(description="Bytes in base64, as RFC 4648 section 4 has it.")]
Milliseconds = Annotated[int, Meta(description="Milliseconds since 1970.")]
Duration = Annotated[str, Meta(description="A duration as 250ms, 30s, 1m30s or 12h.", pattern="^([0-9]+(ms|s|m|h))+$")]
DeduplicationId = Annotated[
    str, Meta(description="In a Fifo queue: what was sent under an id is not stored again within 5 minutes.")
]
Receipt = Annotated[str, Meta(description="Names one delivery of a message.", max_length=256)]
Consumer = Annotated[
    str,
    Meta(
        description="Who asks, a name of its own choice; needed unless the queue's consumers are Shared.",
        max_length=128,
    ),
]
HeaderValues = Annotated[dict[str, str], Meta(description="Headers by name.", max_length=MAX_HEADERS)]


class Body(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A JSON object; fields that it does not know are refused."""


class Producer(Body):
    """Makes a send happen once: sent again under the same numbers, it is confirmed and not stored again."""

    id: Annotated[int, Meta(ge=1, le=2**53 - 1, description="Chosen at random, once a session.")]
    sequence: Annotated[int, Meta(ge=0, le=2**53 - 1, description="One more at each send.")]


class NewMessage(Body):
    """A message to send: one of value and valueBase64, and at most one of key and keyBase64."""

    value: Text | UnsetType = UNSET
    value_base64: Base64 | UnsetType = UNSET
    key: Text | UnsetType = UNSET
    key_base64: Base64 | UnsetType = UNSET
    headers: HeaderValues = {}
    headers_base64: HeaderValues = {}
    delay: Duration | UnsetType = UNSET
    deduplication_id: DeduplicationId | UnsetType = UNSET
    priority: Annotated[int, Meta(ge=1, le=10, description="Higher ones first; without one, last.")] | UnsetType = UNSET
    expiry: Annotated[Duration, Meta(description="For how long it may be delivered.")] | UnsetType = UNSET


class Send(Body):
    """Messages to store, all or none."""

    messages: Annotated[list[NewMessage], Meta(min_length=1, max_length=10_000)]
    producer: Producer | UnsetType = UNSET


class Sent(Body):
    """The ids of the stored messages, in order."""

    ids: list[str]


class Receive(Body):
    """What to receive. Without visibilityTimeout and wait, the queue's own hold."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 10
    visibility_timeout: Duration | UnsetType = UNSET
    wait: Duration | UnsetType = UNSET
    selector: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=1024,
                description="CEL on headers, key, value, body, priority, deliveries and sentAt:"
                " only messages for which it is true are delivered.",
                examples=["headers.region == 'eu' && body.total > 100"],
            ),
        ]
        | UnsetType
    ) = UNSET
    consumer: Consumer | UnsetType = UNSET


class DeadLetter(Body):
    """How a message came into a dead-letter queue."""

    source: Annotated[str, Meta(description="Name of the queue that it came from.")]
    reason: Annotated[str, Meta(description="MaxReceives, Overflow or Expired.")]
    receives: Annotated[int, Meta(ge=0, description="How often it was delivered there.")]
    at: Milliseconds


class Content(Body, kw_only=True):
    """What a message holds. What is not UTF-8 comes in the fields that end in Base64."""

    id: str
    sent_at: Milliseconds
    value: Text | UnsetType = UNSET
    value_base64: Base64 | UnsetType = UNSET
    key: Text | UnsetType = UNSET
    key_base64: Base64 | UnsetType = UNSET
    headers: HeaderValues = {}
    headers_base64: HeaderValues = {}
    priority: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    expires_at: Milliseconds | UnsetType = UNSET
    dead_letter: DeadLetter | UnsetType = UNSET
    sequence: Annotated[int, Meta(description="In a Fifo queue: later messages have larger ones.")] | UnsetType = UNSET
    deduplication_id: str | UnsetType = UNSET


class Message(Content, kw_only=True):
    """A delivered message."""

    receipt: Receipt
    first_received_at: Milliseconds
    deliveries: Annotated[int, Meta(ge=1, description="How often it was delivered, this time included.")]


class Peek(Body):
    """What to look at; `from` is what the look before answered as `next`."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 10
    start: Annotated[str, Meta(max_length=64)] | UnsetType = field(default=UNSET, name="from")


class PeekedMessage(Content, kw_only=True):
    """A message that was looked at, and can be received as before."""

    state: Literal["visible", "inFlight"]
    deliveries: Annotated[int, Meta(ge=0, description="How often it was delivered.")]
    first_received_at: Milliseconds | UnsetType = UNSET


class Peeked(Struct):
    """Messages, and where to go on; next is null where there was nothing more."""

    messages: list[PeekedMessage]
    next: str | None


class Tail(Body):
    """What to look at; `from` is what the look before answered as `next`."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    start: Annotated[str, Meta(max_length=131_072)] | UnsetType = field(default=UNSET, name="from")
    since: Annotated[int, Meta(ge=1, description="Milliseconds since 1970; without `from`.")] | UnsetType = UNSET


class Tailed(Struct):
    """Messages that came, settled ones too, and where to go on."""

    messages: list[Content]
    next: str
    missed: Annotated[int, Meta(ge=0, description="How many went unseen, about: they were settled and taken away.")]


class Received(Struct):
    """Messages, none if there were none in time."""

    messages: list[Message]


class Receipts(Body):
    """Receipts of messages to acknowledge."""

    receipts: Annotated[list[Receipt], Meta(min_length=1, max_length=10_000)]


class Releases(Body):
    """Receipts of messages to release."""

    receipts: Annotated[list[Receipt], Meta(min_length=1, max_length=10_000)]
    delivered: Annotated[
        bool, Meta(description="false: no consumer saw them, and their delivery does not count for maxReceives.")
    ] = True


class Extension(Body):
    """Hides one message for so long from now."""

    receipt: Receipt
    visibility_timeout: Duration


class Extensions(Body):
    """Messages to hide longer."""

    extensions: Annotated[list[Extension], Meta(min_length=1, max_length=10_000)]


class Redrive(Body):
    """What to bring back out of a dead-letter queue: without a limit, all messages that are visible now."""

    target: (
        Annotated[str, Meta(description="Name of a queue; without it, each goes where it came from.")] | UnsetType
    ) = UNSET
    rate: Annotated[float, Meta(gt=0, le=1_000_000, description="Messages a second, at most.")] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, description="Messages, at most.")] | UnsetType = UNSET


class Progress(Body, omit_defaults=False):
    """How far the redrive has come that was started last."""

    running: Annotated[bool, Meta(description="Until the last message has arrived.")]
    moved: int
    left: Annotated[int, Meta(description="Messages that are still to be looked at.")]
    rate: float | None
    started_at: Milliseconds | None


class Problem(Struct):
    """Why something was refused (RFC 9457)."""

    type: Annotated[str, Meta(description="urn:quintet:problem: and the error's name.")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str


class Results(Struct):
    """For each receipt, in order: null, or why it was refused."""

    results: list[Problem | None]


class Counts(Struct, rename="camel"):
    """Messages by what they wait for."""

    visible: int
    in_flight: int
    delayed: int


class Shard(Struct, rename="camel"):
    """A part of a queue, in the hands of one broker."""

    owner: Annotated[str | None, Meta(description="Name of the broker; null while none owns it.")]
    address: Annotated[str | None, Meta(description="URL where clients reach that broker: any other forwards to it.")]


class QueueInfo(Struct, rename="camel"):
    """A queue as it is."""

    name: str
    origin: Annotated[
        Literal["Declared", "Runtime"], Meta(description="Declared by a manifest, or made at run time by a client.")
    ]
    spec: Annotated[dict[str, Any], Meta(description="The fields of a Queue manifest's spec, defaults filled in.")]
    counts: Counts
    active_consumer: Annotated[
        str | None, Meta(description="The one that is served; null in a queue whose consumers are Shared.")
    ]
    shards: list[Shard]
    created_at: Milliseconds
    modified_at: Milliseconds


class Queues(Struct):
    """Queues, sorted by name."""

    queues: list[QueueInfo]


def decode(body: bytes, kind: type[Found]) -> Found:
    """Raises InvalidArgument, naming the field."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"The body is not as it must be: {error}") from error


def decode_fields(body: bytes) -> dict[str, Any]:
    """An object of whatever fields, which a spec is checked for later. Raises InvalidArgument."""
    if len(body) > FIELDS_BYTES:
        raise InvalidArgument(f"The body is not as it must be: a queue's spec has {FIELDS_BYTES} bytes at most.")
    return decode(body, dict[str, Any])


def seconds(duration: str | UnsetType, field: str) -> float | None:
    """Raises InvalidArgument."""
    if duration is UNSET:
        return None
    try:
        return parse_duration(duration).total_seconds()
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(f"{field}: {error}") from error
