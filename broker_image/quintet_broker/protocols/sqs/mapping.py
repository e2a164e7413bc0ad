"""Record ↔ SQS message. docs/sqs.md has the table, and what SQS cannot express."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from quintet_api.queue import QueueSpec
from quintet_broker.engine.records.record import Headers
from quintet_broker.errors import MessageTooLarge
from quintet_broker.protocols.aws.errors import INVALID_VALUE, MISSING_PARAMETER, AwsError
from quintet_broker.protocols.aws.text import NOT_XML, fits_xml
from quintet_broker.protocols.sqs import codec, digest
from quintet_broker.protocols.sqs.call import Call
from quintet_broker.protocols.sqs.codec import MessageAttribute
from quintet_broker.protocols.sqs.errors import INVALID_ATTRIBUTE_NAME, INVALID_CONTENTS
from quintet_broker.services import messages

MAX_ATTRIBUTES = 10
MAX_DELAY = 900

SENDER, TRACE, TYPES = "sqs-sender", "sqs-trace", "sqs-types"
"""What is kept beside the record: the sender's key id, AWSTraceHeader, and the types of attributes that are not plain
String."""
ENCODING, KEY, HEADERS = "quintet.encoding", "quintet.key", "quintet.headers"
"""Attributes that say what SQS cannot express: `base64` for the body; the key; headers that cannot be attributes."""

_OWN = "quintet."
_NAME = re.compile(r"(?!\.)(?!(?i:aws|amazon)\.)(?!.*\.\.)[A-Za-z0-9_.\u00c0-\u017f-]{1,256}(?<!\.)")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?")
_NUMBER = re.compile(r"[+-]?(?=(\.?[0-9]){1,38}\.?(?![0-9.]))([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_GROUP = re.compile(r"[!-~]{1,128}")
_SYSTEM = frozenset(
    [
        "All",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
        "MessageDeduplicationId",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
        "SequenceNumber",
    ]
)
_ALL = frozenset(["All", ".*", "*"])
_INVALID = "One or more parameters are invalid."
_NO_GROUP = "The request must contain the parameter MessageGroupId."
_NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
)


# Sending


class Common(Struct, frozen=True, gc=False):
    """What messages of one request have in common."""

    spec: QueueSpec
    """Of their queue."""
    sender: Headers
    """The key id that sends them, as it is kept; none where keys are not asked for."""
    trace: Headers
    """The trace of the request, for those that have none of their own."""
    fits: bool
    """Whether any text of the request is known to fit XML."""


def common_of(call: Call, spec: QueueSpec) -> Common:
    sender, trace = call.key_id, call.trace
    return Common(
        spec,
        ((SENDER, sender.encode()),) if sender else (),
        ((TRACE, trace.encode()),) if trace and not NOT_XML.search(trace) else (),
        call.exchange.fits_xml,
    )


def new_message(sent: codec.NewMessage, common: Common) -> messages.NewMessage:
    """As it is stored. Raises AwsError, MessageTooLarge."""
    spec = common.spec
    value = sent.message_body.encode()
    if not value:
        raise AwsError(MISSING_PARAMETER, "The request must contain the parameter MessageBody.")
    if not (common.fits or fits_xml(value)):
        raise _not_text(sent.message_body)
    size = len(value)
    headers: Headers = ()
    if sent.message_attributes:
        _check_attributes(sent.message_attributes)
        size += _attributes_size(sent)
        headers = tuple([(name, _content(attribute)) for name, attribute in sent.message_attributes.items()])
    _check_ordering(sent, spec)
    if sent.delay_seconds is not None and not 0 <= sent.delay_seconds <= MAX_DELAY:
        raise _invalid(sent.delay_seconds, "DelaySeconds", f"DelaySeconds must be >= 0 and <= {MAX_DELAY}")
    if size > spec.max_message_size:
        raise MessageTooLarge(f"{_INVALID} Reason: Message must be shorter than {spec.max_message_size} bytes.")
    return messages.NewMessage(
        value=value,
        key=None if sent.message_group_id is None else sent.message_group_id.encode(),
        headers=headers,
        delay=sent.delay_seconds,
        system=_system(sent, common),
        deduplication_id=sent.message_deduplication_id,
    )


def too_large_in_batch(error: MessageTooLarge) -> AwsError:
    """In the words that AWS has for one part of a batch."""
    return AwsError(INVALID_VALUE, error.message.replace(_INVALID, "One or more parameters cannot be validated."))


def _check_ordering(sent: codec.NewMessage, spec: QueueSpec) -> None:
    group, deduplication_id = sent.message_group_id, sent.message_deduplication_id
    if group is not None:
        _check_id("MessageGroupId", group)
    if deduplication_id is not None:
        _check_id("MessageDeduplicationId", deduplication_id)
    if spec.ordering == "Standard":
        if deduplication_id is not None:
            raise not_of_this_type(deduplication_id, "MessageDeduplicationId")
        return
    if group is None:
        raise AwsError(MISSING_PARAMETER, _NO_GROUP)
    if sent.delay_seconds:
        raise not_of_this_type(sent.delay_seconds, "DelaySeconds")
    if deduplication_id is None and not spec.deduplication.content_based:
        raise AwsError(INVALID_VALUE, _NO_DEDUPLICATION)


def _check_id(name: str, value: str) -> None:
    if not _GROUP.fullmatch(value):
        reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length"
        raise _invalid(value[:300], name, reason)


def check_fifo_batch(entries: Sequence[codec.NewMessage], spec: QueueSpec) -> None:
    """What AWS refuses a whole batch for. Raises AwsError."""
    if spec.ordering != "Fifo":
        return
    if not spec.deduplication.content_based and any(entry.message_deduplication_id is None for entry in entries):
        raise AwsError(INVALID_VALUE, _NO_DEDUPLICATION)
    if any(entry.message_group_id is None for entry in entries):
        raise AwsError(INVALID_VALUE, _NO_GROUP)


def size(sent: codec.NewMessage) -> int:
    """Bytes, as SQS counts them: the body, and each attribute's name, type and value."""
    return len(sent.message_body.encode()) + _attributes_size(sent)


def _attributes_size(sent: codec.NewMessage) -> int:
    return sum(
        [
            len(name.encode()) + len(attribute.data_type.encode()) + len(_content(attribute))
            for name, attribute in sent.message_attributes.items()
        ]
    )


def answer(
    sent: codec.NewMessage,
    message: messages.NewMessage,
    stored: messages.Sent,
    digests: digest.Digests,
    entry_id: str | None = None,
) -> codec.Sent:
    """What is said of what was sent and stored as a message; `entry_id` is that of its entry in a batch."""
    body_md5 = digest.of_body(message.value)
    if stored.sequence is None:
        # It is no duplicate, whose first one may have another body.
        digests.keep(stored.id, body_md5)
    return codec.Sent(
        stored.id,
        body_md5,
        digest.of_attributes(sent.message_attributes),
        digest.of_attributes(sent.message_system_attributes),
        entry_id,
        None if stored.sequence is None else _sequence_number(stored.sequence),
    )


def _not_text(body: str) -> AwsError:
    found = NOT_XML.search(body)
    assert found
    return AwsError(
        INVALID_CONTENTS,
        f"Invalid binary character '#x{ord(found[0]):X}' was found in the message body, the set of allowed "
        "characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    )


def _check_attributes(attributes: Mapping[str, MessageAttribute]) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise AwsError(
            INVALID_VALUE,
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
        )
    for name, attribute in attributes.items():
        if not _NAME.fullmatch(name):
            raise _bad_attribute(
                name, "its name has 1 to 256 letters, digits and _ - . , no dot first, last or twice, no AWS. first"
            )
        if name.startswith(_OWN):
            raise _bad_attribute(name, f"names that begin with {_OWN} are reserved")
        _check_value(name, attribute)


def _check_value(name: str, attribute: MessageAttribute) -> None:
    kind = _TYPE.fullmatch(attribute.data_type)
    if not kind or len(attribute.data_type) > 256 or NOT_XML.search(attribute.data_type):
        raise _bad_attribute(name, "its type is String, Number or Binary, or begins with one of them and a dot")
    given = attribute.binary_value if kind[1] == "Binary" else attribute.string_value
    other = attribute.string_value if kind[1] == "Binary" else attribute.binary_value
    if not given or other is not None:
        raise AwsError(
            INVALID_VALUE,
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{attribute.data_type}'.",
        )
    if kind[1] == "Number" and not _NUMBER.fullmatch(attribute.string_value or ""):
        raise _bad_attribute(name, "its value is not a number of at most 38 digits")
    if kind[1] == "String" and NOT_XML.search(attribute.string_value or ""):
        raise _bad_attribute(name, "its value has a character that is not allowed in text")


def _system(sent: codec.NewMessage, common: Common) -> Headers:
    kept = common.sender
    if sent.message_attributes:
        types = {name: a.data_type for name, a in sent.message_attributes.items() if a.data_type != "String"}
        if types:
            kept += ((TYPES, msgspec.json.encode(types)),)
    if not sent.message_system_attributes:
        return kept + common.trace
    for name, attribute in sent.message_system_attributes.items():
        text = attribute.string_value or ""
        if name != "AWSTraceHeader":
            raise AwsError(INVALID_VALUE, f"The message system attribute {name} is not valid; AWSTraceHeader is.")
        if attribute.data_type != "String" or attribute.binary_value is not None or not text or NOT_XML.search(text):
            raise AwsError(INVALID_VALUE, f"The message system attribute {name} must be a non-empty String of text.")
        kept += ((TRACE, text.encode()),)
    return kept


def _content(attribute: MessageAttribute) -> bytes:
    return attribute.binary_value if attribute.binary_value is not None else (attribute.string_value or "").encode()


def _bad_attribute(name: str, reason: str) -> AwsError:
    return AwsError(INVALID_VALUE, f"The message attribute '{name[:300]}' is not valid: {reason}.")


def not_of_this_type(value: object, name: str) -> AwsError:
    """A parameter is for FIFO queues alone, or for others."""
    return _invalid(value, name, "The request include parameter that is not valid for this queue type")


def _invalid(value: object, name: str, reason: str) -> AwsError:
    return AwsError(INVALID_VALUE, f"Value {value} for parameter {name} is invalid. Reason: {reason}.")


# Receiving


def check_names(names: Sequence[str]) -> None:
    """Of system attributes to deliver. Raises AwsError."""
    for name in names:
        if name not in _SYSTEM:
            raise AwsError(INVALID_ATTRIBUTE_NAME, f"Unknown Attribute {name[:100]}.")


def check_attempt(attempt: str, spec: QueueSpec) -> None:
    """Of a ReceiveRequestAttemptId. Raises AwsError."""
    if spec.ordering != "Fifo":
        raise not_of_this_type(attempt[:300], "ReceiveRequestAttemptId")
    _check_id("ReceiveRequestAttemptId", attempt)


class Named(Struct, frozen=True):
    """The attributes that are asked for, by their names."""

    system: Sequence[str]
    others: Sequence[str]


def message(
    found: messages.Message,
    named: Named,
    account: str,
    arn_of: Callable[[str], str],
    body_md5: str | None = None,
) -> codec.Message:
    """As it is delivered. `arn_of` makes the ARN of a queue from which it may have come; `body_md5` is known of what
    was sent over SQS lately."""
    content = found.value
    attributes: dict[str, MessageAttribute] = {}
    body = content.decode() if body_md5 else _text(content)
    if body is None:
        content = base64.b64encode(content)
        body = content.decode()
        attributes[ENCODING] = MessageAttribute("String", "base64")
    if named.others:
        attributes |= {name: value for name, value in _attributes(found).items() if _wanted(name, named.others)}
    return codec.Message(
        found.id,
        found.receipt,
        body_md5 or digest.of_body(content),
        body,
        _system_attributes(found, named.system, account, arn_of) if named.system else {},
        digest.of_attributes(attributes),
        attributes,
    )


def _system_attributes(
    found: messages.Message, names: Sequence[str], account: str, arn_of: Callable[[str], str]
) -> dict[str, str]:
    system = dict(found.system)
    every = {
        "SenderId": system[SENDER].decode() if SENDER in system else account,
        "SentTimestamp": str(found.sent_at),
        # As on AWS, those of the queue that it came from count too.
        "ApproximateReceiveCount": str(found.deliveries + (found.dead_letter.receives if found.dead_letter else 0)),
        "ApproximateFirstReceiveTimestamp": str(found.first_received_at),
    }
    if group := _group(found.key):
        every["MessageGroupId"] = group
    if trace := system.get(TRACE):
        every["AWSTraceHeader"] = trace.decode()
    if found.dead_letter:
        every["DeadLetterQueueSourceArn"] = arn_of(found.dead_letter.source)
    if found.deduplication_id:
        every["MessageDeduplicationId"] = found.deduplication_id
    if found.sequence is not None:
        every["SequenceNumber"] = _sequence_number(found.sequence)
    return every if "All" in names else {name: value for name, value in every.items() if name in names}


def _sequence_number(sequence: int) -> str:
    """As AWS has them, of 20 digits."""
    return f"{sequence:020}"


def _attributes(found: messages.Message) -> dict[str, MessageAttribute]:
    packed = dict(found.system).get(TYPES)
    types = msgspec.json.decode(packed, type=dict[str, str]) if packed else {}
    attributes: dict[str, MessageAttribute] = {}
    others = []
    for name, value in found.headers:
        if name in attributes or name.startswith(_OWN) or not _NAME.fullmatch(name):
            others.append((name, base64.b64encode(value).decode()))
        else:
            attributes[name] = _attribute(value, types.get(name, "String"))
    if others:
        attributes[HEADERS] = MessageAttribute("String", json.dumps(others))
    if found.key is not None and not _group(found.key):
        attributes[KEY] = MessageAttribute("Binary", None, found.key)
    return attributes


def _attribute(value: bytes, data_type: str) -> MessageAttribute:
    if not data_type.startswith("Binary"):
        text = _text(value)
        if text is not None:
            return MessageAttribute(data_type, text)
        data_type = "Binary"
    return MessageAttribute(data_type, None, value)


def _wanted(name: str, names: Sequence[str]) -> bool:
    return any(
        wanted == name or wanted in _ALL or (wanted.endswith(".*") and name.startswith(wanted[:-2])) for wanted in names
    )


def _group(key: bytes | None) -> str | None:
    """The key as a message group's id, where it can be one."""
    text = key.decode("ascii", "replace") if key else ""
    return text if _GROUP.fullmatch(text) else None


def _text(value: bytes) -> str | None:
    """As a body may have it; None if it cannot."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if fits_xml(value) else None
