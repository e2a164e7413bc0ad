"""boto3 made to speak the query protocol, by the names that SQS's model had before it moved to AWS JSON.

Serializer, signer and parser are botocore's own; only the description of the service is changed.
"""

from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader

MEMBERS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "AttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "TagKeyList": "TagKey",
}
MAPS = {
    "Attributes": "Attribute",
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributes": "MessageSystemAttribute",
    "Tags": "Tag",
    "tags": "Tag",
}


class QueryLoader(Loader):  # type: ignore[misc]  # botocore has no types
    """Loads SQS as a service of the query protocol."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        model = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("sqs", "service-2") and model["metadata"]["protocol"] != "query":
            _speak_query(model)
        return model


def session() -> boto3.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", QueryLoader(include_default_search_paths=True))
    return boto3.Session(botocore_session=core)


def _speak_query(model: dict[str, Any]) -> None:
    metadata = model["metadata"]
    for name in "awsQueryCompatible", "jsonVersion", "targetPrefix":
        del metadata[name]
    metadata |= {
        "protocol": "query",
        "protocols": ["query"],
        "xmlNamespace": "http://queue.amazonaws.com/doc/2012-11-05/",
    }
    for name, operation in model["operations"].items():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{name}Result"
    for name, shape in model["shapes"].items():
        if name in MEMBERS:
            shape["member"]["locationName"] = MEMBERS[name]
        elif shape["type"] == "map":
            shape["key"]["locationName"] = "Key" if name == "TagMap" else "Name"
            shape["value"]["locationName"] = "Value"
        elif shape["type"] == "structure":
            for member, reference in shape["members"].items():
                if member in MAPS:
                    reference["locationName"] = MAPS[member]
