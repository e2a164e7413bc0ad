"""`quintet up --brokers 3`: one system, whichever broker is asked."""

from pathlib import Path

import psutil
import pytest

from tests.integration.up.command import Up, queue, until
from tests.integration.up.test_up import http


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "orders.yaml"
    file.write_text(queue("orders"))
    return file


def broker(up: Up, name: str) -> psutil.Process:
    [found] = [one for one in up.children() if one.environ().get("QUINTET_POD_NAME") == name]
    return found


def test_each_broker_serves_every_queue(up: Up, manifest: Path) -> None:
    up.start("-f", manifest, "--brokers", "3")
    print(f"\nready {up.seconds:.2f} s after the process began")
    endpoints = up.ready["endpoints"]
    brokers = endpoints["brokers"]
    assert [one["name"] for one in brokers] == ["broker-0", "broker-1", "broker-2"]
    assert brokers[0] == {"name": "broker-0", "http": endpoints["http"], "admin": endpoints["admin"]}
    assert all(http(f"{one['admin']}/readyz")[0] == 200 for one in brokers)
    for place, one in enumerate(brokers):
        messages = f"{one['http']}/v1/queues/orders/messages"
        for_one = {"value": f"for {place}", "headers": {"for": one["name"]}}
        assert http(messages, "POST", {"messages": [{"value": f"by {place}"}, for_one]})[0] == 200
        receive = f"{brokers[place - 1]['http']}/v1/queues/orders/messages:receive"
        selected = {"wait": "5s", "selector": f"headers['for'] == '{one['name']}'"}
        for asked, value in (selected, f"for {place}"), ({"wait": "5s"}, f"by {place}"):
            status, answer = http(receive, "POST", asked)
            assert (status, answer.count(b'"value"'), value.encode() in answer) == (200, 1, True)
    assert up.get()["BrokerPool/default"]["status"]["readyReplicas"] == 3
    assert {file.name for file in (up.state / "logs").glob("*.log")} >= {f"broker-{number}.log" for number in range(3)}

    children = up.children()
    assert len(children) == 4
    assert up.end() == 0
    assert not any(child.is_running() for child in children)


def test_manifests_reach_the_brokers_that_are_left(up: Up, manifest: Path) -> None:
    up.start("-f", manifest, "--brokers", "3")
    first = broker(up, "broker-0")
    # It is there and answers nobody.
    first.suspend()
    try:
        manifest.write_text(queue("orders") + "---\n" + queue("more"))
        up.says("queue/more created\n")
    finally:
        first.resume()
    first.kill()
    up.says("broker-0 ended (SIGKILL): starting it again\nbroker-0 is back\n")
    until(lambda: http(f"{up.http}/v1/queues/more")[0] == 200, "the first broker does not serve the new queue")
