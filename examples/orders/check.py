"""Uses the two queues as an application would; exits with an error where something is not as it should be.

Where the queues are, and with which key, stands in the environment: AWS_ENDPOINT_URL_SQS, AWS_DEFAULT_REGION,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
"""

from typing import Any

import boto3

MAX_RECEIVES = 3


def main() -> None:
    sqs = boto3.client("sqs")
    orders = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    dead = sqs.get_queue_url(QueueName="orders-dead-letter")["QueueUrl"]

    sent = sqs.send_message(QueueUrl=orders, MessageBody="two coffees")
    message = receive(sqs, orders)
    assert message["MessageId"] == sent["MessageId"], message
    sqs.delete_message(QueueUrl=orders, ReceiptHandle=message["ReceiptHandle"])
    print("sent, received and deleted:", message["Body"])

    sqs.send_message(QueueUrl=orders, MessageBody="a cup of smoke")
    for _ in range(MAX_RECEIVES):
        refused = receive(sqs, orders)
        sqs.change_message_visibility(QueueUrl=orders, ReceiptHandle=refused["ReceiptHandle"], VisibilityTimeout=0)
    message = receive(sqs, dead)
    assert message["Body"] == "a cup of smoke", message
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
    print(f"given back {MAX_RECEIVES} times and dead-lettered:", message["Body"])


def receive(sqs: Any, queue: str) -> dict[str, Any]:
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10).get("Messages", [{}])
    assert message, f"nothing came from {queue} in 10 s"
    return dict(message)


if __name__ == "__main__":
    main()
