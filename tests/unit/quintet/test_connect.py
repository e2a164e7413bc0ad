import subprocess
import sys
from typing import Any

import pytest

import quintet


def test_without_url_and_environment_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SQS", raising=False)
    with pytest.raises(ValueError, match="AWS_ENDPOINT_URL_SQS"):
        quintet.connect()


@pytest.mark.parametrize("url", ["localhost:9400", "redis://localhost", "http://"])
def test_url_must_be_one_of_http(url: str) -> None:
    with pytest.raises(ValueError, match="Not the URL of a broker"):
        quintet.connect(url)


def test_half_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="both key_id and secret"):
        quintet.connect("http://localhost", key_id="Q.default.orders.1")


def test_timeout_must_be_positive() -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        quintet.connect("http://localhost", timeout=0)


@pytest.mark.parametrize(
    "bad", [{"linger": -1.0}, {"linger": 30.0}, {"batch_messages": 0}, {"batch_messages": 10_001}, {"batch_bytes": 0}]
)
def test_what_goes_together_has_bounds(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        quintet.connect("http://localhost", **bad)


async def test_verbs_need_an_open_client() -> None:
    client = quintet.connect("http://localhost")
    with pytest.raises(quintet.ClientClosed):
        await client.queue("orders").send(b"")


async def test_nobody_there_is_connection_lost() -> None:
    async with quintet.connect("http://127.0.0.1:1", timeout=0.2) as client:
        for verb in client.queue("orders").send(b""), client.queue("orders").info():
            with pytest.raises(quintet.ConnectionLost) as caught:
                await verb
            assert str(caught.value) == "127.0.0.1:1 cannot be reached: connection refused"


async def test_a_host_that_is_unknown_is_told() -> None:
    async with quintet.connect("http://nowhere.invalid:9400", timeout=0.2) as client:
        with pytest.raises(quintet.ConnectionLost, match=r"^nowhere\.invalid:9400 cannot be reached: "):
            await client.queues()


def test_import_is_quick() -> None:
    code = (
        "import sys, quintet, quintet.sync; sys.exit(' '.join({'aiohttp', 'aiokafka', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True).stderr == "\n"
