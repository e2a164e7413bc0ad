"""Sending, receiving and settling with unmodified boto3, over AWS JSON."""

from typing import Any


def test_a_message_goes_through(sqs: Any, queue: str) -> None:
    sent = sqs.send_message(QueueUrl=queue, MessageBody="This is a test message")
    assert sent["MD5OfMessageBody"] == "fafb00f5732ab283681e124bf8747ed1"
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "This is a test message"
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageId"] == sent["MessageId"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
