import base64

from quintet_api.credentials import secret_key
from quintet_operator.builders.binding_secret import binding_name, binding_secret
from tests.unit.quintet_operator.objects import CREDENTIALS, pool, queue


def entries() -> dict[str, str]:
    made = binding_secret(queue(), pool("fast", account="123456789012"), CREDENTIALS)
    return {key: base64.b64decode(value).decode() for key, value in made["data"].items()}


def test_it_is_a_service_binding() -> None:
    made = binding_secret(queue(), pool(), CREDENTIALS)
    assert (made["type"], made["metadata"]["name"]) == ("servicebinding.io/quintet", binding_name(queue()))
    found = entries()
    assert (found["type"], found["provider"]) == ("sqs", "quintet")
    assert (found["host"], found["port"]) == ("fast-broker-pool.shop.svc", "9400")
    assert found["uri"] == "http://fast-broker-pool.shop.svc:9400"
    assert found["queue-url"] == "http://fast-broker-pool.shop.svc:9400/123456789012/orders"


def test_its_key_is_the_queues_own() -> None:
    found = entries()
    assert found["access-key-id"] == "Q.shop.orders.1"
    assert found["secret-access-key"] == secret_key(b"master", "Q.shop.orders.1")


def test_it_serves_as_the_environment_of_awss_clients() -> None:
    found = entries()
    assert {key: value for key, value in found.items() if key.isupper()} == {
        "AWS_ACCESS_KEY_ID": found["access-key-id"],
        "AWS_SECRET_ACCESS_KEY": found["secret-access-key"],
        "AWS_REGION": found["region"],
        "AWS_DEFAULT_REGION": found["region"],
        "AWS_ENDPOINT_URL_SQS": found["uri"],
    }
