"""What SQS's operations take and give, as types. One type serves both protocols.

What an operation takes is called as the operation; what it gives, by what that is.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

from typing import Annotated, TypeVar

from msgspec import Meta, Struct, field

from quintet_broker.protocols.aws.shapes import Names

Item = TypeVar("Item")

MANY = 1000
"""Items that are decoded, of lists and maps which may have far fewer, as their operations tell."""
Items = Annotated[list[Item], Meta(max_length=MANY)]
Named = Annotated[dict[str, Item], Meta(max_length=MANY)]
Attributes = Named[str]


class Shape(Struct, rename="pascal", omit_defaults=True, gc=False):
    """A structure; members that it does not know are passed over, as AWS does."""


class MessageAttribute(Shape):
    """A typed attribute of a message."""

    data_type: str = ""
    string_value: str | None = None
    binary_value: bytes | None = None


class Entry(Shape):
    """One part of a batch."""

    id: str


class BatchError(Shape):
    """Why one part of a batch was refused."""

    id: str
    sender_fault: bool
    code: str
    message: str


class BatchResult(Shape):
    """What became of each part of a batch."""

    successful: list[Entry]
    failed: list[BatchError] = []


# Queues


class CreateQueue(Shape):
    queue_name: str
    attributes: Attributes = {}
    tags: Attributes = field(default_factory=dict, name="tags")


class GetQueueUrl(Shape):
    queue_name: str
    queue_owner_account: str | None = field(default=None, name="QueueOwnerAWSAccountId")


class QueueUrl(Shape):
    queue_url: str


class ListQueues(Shape):
    queue_name_prefix: str = ""
    max_results: int | None = None
    next_token: str | None = None


class QueueUrls(Shape):
    queue_urls: list[str] = []
    next_token: str | None = None


class OfQueue(Shape):
    """Input of an operation on one queue; in the query protocol the URL may be the request's own."""

    queue_url: str


class DeleteQueue(OfQueue):
    pass


class PurgeQueue(OfQueue):
    pass


class GetQueueAttributes(OfQueue):
    attribute_names: Items[str] = []


class QueueAttributes(Shape):
    attributes: Attributes = {}


class SetQueueAttributes(OfQueue):
    attributes: Attributes


# Tags and permissions


class TagQueue(OfQueue):
    tags: Attributes = {}


class UntagQueue(OfQueue):
    tag_keys: Items[str] = []


class ListQueueTags(OfQueue):
    pass


class QueueTags(Shape):
    tags: Attributes = {}


class AddPermission(OfQueue):
    label: str
    aws_account_ids: Items[str] = field(default_factory=list, name="AWSAccountIds")
    actions: Items[str] = []


class RemovePermission(OfQueue):
    label: str


# Sending


class NewMessage(Shape):
    """What is sent, alone or in a batch."""

    message_body: str
    delay_seconds: int | None = None
    message_attributes: Named[MessageAttribute] = {}
    message_system_attributes: Named[MessageAttribute] = {}
    message_deduplication_id: str | None = None
    message_group_id: str | None = None


class SendMessage(NewMessage, kw_only=True):
    queue_url: str


class NewMessageEntry(NewMessage, kw_only=True):
    id: str


class SendMessageBatch(OfQueue):
    entries: Items[NewMessageEntry] = []


class Sent(Shape):
    """The answer to a message that is stored, alone or in a batch."""

    message_id: str
    body_md5: str = field(name="MD5OfMessageBody")
    attributes_md5: str | None = field(default=None, name="MD5OfMessageAttributes")
    system_attributes_md5: str | None = field(default=None, name="MD5OfMessageSystemAttributes")
    id: str | None = None
    """Of its entry in a batch."""
    sequence_number: str | None = None


class SentBatch(Shape):
    successful: list[Sent]
    failed: list[BatchError] = []


# Receiving


class ReceiveMessage(OfQueue):
    attribute_names: Items[str] = []
    message_system_attribute_names: Items[str] = []
    message_attribute_names: Items[str] = []
    max_number_of_messages: int | None = None
    visibility_timeout: int | None = None
    wait_time_seconds: int | None = None
    receive_request_attempt_id: str | None = None


class Message(Shape):
    """A delivered message."""

    message_id: str
    receipt_handle: str
    body_md5: str = field(name="MD5OfBody")
    body: str
    attributes: Attributes = {}
    attributes_md5: str | None = field(default=None, name="MD5OfMessageAttributes")
    message_attributes: Named[MessageAttribute] = {}


class Messages(Shape):
    messages: list[Message] = []


class DeleteMessage(OfQueue):
    receipt_handle: str


class DeleteEntry(Entry):
    receipt_handle: str


class DeleteMessageBatch(OfQueue):
    entries: Items[DeleteEntry] = []


class ChangeMessageVisibility(OfQueue):
    receipt_handle: str
    visibility_timeout: int


class VisibilityEntry(Entry):
    receipt_handle: str
    visibility_timeout: int | None = None


class ChangeMessageVisibilityBatch(OfQueue):
    entries: Items[VisibilityEntry] = []


# Dead-letter queues


class StartMessageMoveTask(Shape):
    source_arn: str
    destination_arn: str | None = None
    max_number_of_messages_per_second: int | None = None


class MoveTask(Shape):
    task_handle: str


class ListMessageMoveTasks(Shape):
    source_arn: str
    max_results: int | None = None


class MoveTaskResult(Shape, omit_defaults=True):
    """How far a task has come; its handle only while it is running."""

    status: str
    source_arn: str
    approximate_number_of_messages_moved: int
    approximate_number_of_messages_to_move: int
    started_timestamp: int
    destination_arn: str | None = None
    failure_reason: str | None = None
    task_handle: str | None = None
    max_number_of_messages_per_second: int | None = None


class MoveTasks(Shape):
    results: list[MoveTaskResult]


class CancelMessageMoveTask(Shape):
    task_handle: str


class CancelledMove(Shape):
    approximate_number_of_messages_moved: int


class ListDeadLetterSourceQueues(OfQueue):
    max_results: int | None = None
    next_token: str | None = None


class SourceQueueUrls(Shape):
    queue_urls: list[str] = field(name="queueUrls")
    next_token: str | None = None


_LISTS_IN = {
    "AWSAccountId": "AWSAccountIds",
    "ActionName": "Actions",
    "AttributeName": "AttributeNames",
    "MessageAttributeName": "MessageAttributeNames",
    "MessageSystemAttributeName": "MessageSystemAttributeNames",
    "TagKey": "TagKeys",
}
_LISTS_OUT = {
    "Failed": "BatchResultErrorEntry",
    "Messages": "Message",
    "QueueUrls": "QueueUrl",
    "queueUrls": "QueueUrl",
    "Results": "ListMessageMoveTasksResultEntry",
}
_MAPS_IN = {
    "Attribute": "Attributes",
    "MessageAttribute": "MessageAttributes",
    "MessageSystemAttribute": "MessageSystemAttributes",
    "Tag": "Tags",
}
_MAPS_OUT = {
    "Attributes": ("Attribute", "Name"),
    "MessageAttributes": ("MessageAttribute", "Name"),
    "Tags": ("Tag", "Key"),
}


def query_names(operation: str) -> Names:
    """What the query protocol calls an operation's lists and maps."""
    return Names(
        lists_in=_LISTS_IN | {f"{operation}RequestEntry": "Entries"},
        lists_out=_LISTS_OUT | {"Successful": f"{operation}ResultEntry"},
        maps_in=_MAPS_IN | ({"Tag": "tags"} if operation == "CreateQueue" else {}),
        maps_out=_MAPS_OUT,
    )
