"""Suites that others wrote for SQS or for its clients, as they are published, run against a broker.

They run at the same time, since they wait more than they work.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conformance.suites import packages
from tests.conformance.suites.suite import Outcome, Suite, run
from tests.processes import Broker, RedisServer
from tools.shell import Failed

SUITES = {
    suite.package: suite
    for suite in (
        Suite(
            package="kombu",
            files=("t/integration/test_sqs.py",),
            environment={"SQS_HOST": "127.0.0.1", "SQS_PORT": "{port}"},
        ),
        Suite(
            package="moto",
            files=("tests/test_sqs/test_sqs.py", "tests/test_sqs/test_sqs_message_attributes.py"),
            environment={
                "TEST_SERVER_MODE": "true",
                "TEST_SERVER_MODE_ENDPOINT": "http://localhost:{port}",
                # A call of moto's own; queues are deleted instead.
                "MOTO_CALL_RESET_API": "false",
            },
            emptied=True,
            settings={"account_id": "123456789012"},
        ),
    )
}
AT_LEAST = {"kombu": 35, "moto": 90}
"""How many tests must have passed: a suite that finds none of its tests says nothing."""


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[Callable[[str], Outcome]]:
    """Starts all suites that are asked for; answers what came of one."""
    try:
        packages.installed()
    except Failed as reason:
        pytest.skip(f"the suites cannot be had: {reason}")

    def on_a_broker_of_its_own(suite: Suite) -> Outcome:
        folder = tmp_path_factory.mktemp(suite.package)
        broker = Broker(folder, redis_server.url, prefix=folder.name, **suite.settings)
        broker.start()
        try:
            return run(suite, broker.settings["http_port"], folder)
        finally:
            broker.stop()

    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = [str(item.callspec.params["package"]) for item in tests if item.module is request.module]
    with ThreadPoolExecutor(len(SUITES)) as pool:
        running: dict[str, Future[Outcome]] = {
            name: pool.submit(on_a_broker_of_its_own, SUITES[name]) for name in wanted
        }
        yield lambda package: running[package].result()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("package", sorted(SUITES))
def test_a_public_suite(outcomes: Callable[[str], Outcome], package: str) -> None:
    outcome = outcomes(package)
    assert outcome.failed == {}, outcome.said
    assert outcome.passed >= AT_LEAST[package]
