"""Every operation as /v1/openapi.json describes it, tried by schemathesis with what fits it and with what does not."""

import json
import re
import urllib.request
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from quintet_broker.protocols.http.openapi import document
from tests.processes import Broker

QUEUE = "openapi"
DURATION = re.compile("([0-9]+(ms|s|m|h))+")
described = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def address(broker: Broker) -> str:
    """Of a broker that has the queue."""
    request = urllib.request.Request(f"{broker.http_url}/v1/queues/{QUEUE}", b"{}", method="PUT")
    with urllib.request.urlopen(request) as made:
        assert json.load(made)["name"] == QUEUE
    return broker.http_url


def test_document_is_served(address: str) -> None:
    with urllib.request.urlopen(f"{address}/v1/openapi.json") as served:
        assert json.load(served) == document()


@described.parametrize()
@settings(max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck))
def test_operation_is_as_described(case: Case[Any], address: str) -> None:
    if case.method == "POST" and "name" in case.path_parameters:
        # Else nearly all would end at a queue that is not there.
        case.path_parameters["name"] = QUEUE
    if isinstance(case.body, dict) and DURATION.fullmatch(str(case.body.get("wait"))):
        case.body["wait"] = "0s"
    # What fits the description may still be refused: for a receipt that is stale, a name that is taken.
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance], timeout=10)
