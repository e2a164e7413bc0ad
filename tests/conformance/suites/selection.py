"""A plugin of pytest in a suite: leaves tests out by name, and gives each test an endpoint without queues.

It runs in the process of the suite, so that nothing of the suite is changed.

`QUINTET_LEFT_OUT`: a file with the id of a test a line, without its parameters; `#` begins a reason.
`QUINTET_EMPTIED`: the endpoint whose queues are deleted before each test; without it none are.
"""

import os
from pathlib import Path
from typing import Any

import boto3
import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    text = Path(os.environ["QUINTET_LEFT_OUT"]).read_text()
    left_out = {line for line in text.splitlines() if line and not line.startswith("#")}
    if unknown := left_out - {_name(item) for item in items}:
        raise pytest.UsageError(f"left out, and no tests: {', '.join(sorted(unknown))}")
    config.hook.pytest_deselected(items=[item for item in items if _name(item) in left_out])
    items[:] = [item for item in items if _name(item) not in left_out]


def _name(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


@pytest.fixture(autouse=True, scope="session")
def _client() -> Any:
    endpoint = os.environ.get("QUINTET_EMPTIED")
    return endpoint and boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1")


@pytest.fixture(autouse=True)
def _no_queues(_client: Any) -> None:
    while _client and (urls := _client.list_queues(MaxResults=1000).get("QueueUrls")):
        for url in urls:
            _client.delete_queue(QueueUrl=url)
