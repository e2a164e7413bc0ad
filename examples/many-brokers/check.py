"""Sends through any of the brokers and receives through any other; exits with an error where a message is missing.

Where the queue is, and with which key, stands in the environment: AWS_ENDPOINT_URL_SQS, AWS_DEFAULT_REGION,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
"""

from typing import Any

import boto3

PARCELS = 100
CONNECTIONS = 10
"""One after the other: a Service of Kubernetes gives each to a broker of its choice."""


def main() -> None:
    sent = {f"parcel {number}" for number in range(PARCELS)}
    for number in range(CONNECTIONS):
        send(boto3.session.Session().client("sqs"), sorted(sent)[number::CONNECTIONS])
    received: set[str] = set()
    while received != sent:
        received |= receive(boto3.session.Session().client("sqs"))
    print(f"sent and received over {CONNECTIONS} connections: {len(received)} parcels")


def url(sqs: Any) -> str:
    return str(sqs.get_queue_url(QueueName="parcels")["QueueUrl"])


def send(sqs: Any, parcels: list[str]) -> None:
    entries = [{"Id": str(number), "MessageBody": parcel} for number, parcel in enumerate(parcels)]
    answer = sqs.send_message_batch(QueueUrl=url(sqs), Entries=entries)
    assert not answer.get("Failed"), answer


def receive(sqs: Any) -> set[str]:
    """Up to ten parcels, which are deleted."""
    answer = sqs.receive_message(QueueUrl=url(sqs), MaxNumberOfMessages=10, WaitTimeSeconds=10)
    messages = answer.get("Messages", [])
    assert messages, "nothing came in 10 s"
    for message in messages:
        sqs.delete_message(QueueUrl=url(sqs), ReceiptHandle=message["ReceiptHandle"])
    return {message["Body"] for message in messages}


if __name__ == "__main__":
    main()
