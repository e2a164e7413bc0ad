import base64

import pytest

from quintet_operator.builders import credentials
from quintet_operator.builders.credentials import Credentials
from tests.unit.quintet_operator.objects import CREDENTIALS, pool


def test_each_of_them_is_random_and_fits_into_a_url() -> None:
    first, second = credentials.generate(), credentials.generate()
    values = {*vars(first).values(), *vars(second).values()}
    assert len(values) == 6
    assert all(len(value) == 64 and value.isalnum() for value in values)


def test_a_secret_gives_back_what_was_put_into_it() -> None:
    made = credentials.generate()
    assert credentials.from_secret(credentials.secret(pool(), made)) == made


@pytest.mark.parametrize("key", ["redis-password", "redis.conf", "master-key", "admin-token"])
@pytest.mark.parametrize("instead", [None, "", "***", "/w=="])
def test_a_secret_that_was_spoilt_gives_none(key: str, instead: str | None) -> None:
    secret = credentials.secret(pool(), CREDENTIALS)
    secret["data"].pop(key)
    secret["data"] |= {} if instead is None else {key: instead}
    assert credentials.from_secret(secret) is None


@pytest.mark.parametrize("key", ["redis-password", "redis.conf"])
def test_a_secret_whose_password_and_configuration_differ_gives_none(key: str) -> None:
    secret = credentials.secret(pool(), CREDENTIALS)
    secret["data"][key] = base64.b64encode(b"other").decode()
    assert credentials.from_secret(secret) is None


def test_a_secret_without_data_gives_none() -> None:
    assert credentials.from_secret({"metadata": {}}) is None


@pytest.mark.parametrize(("policy", "owners"), [("Retain", 0), ("Delete", 1)])
def test_it_outlives_the_pool_with_the_volume_that_it_opens(policy: str, owners: int) -> None:
    metadata = credentials.secret(pool(deletionPolicy=policy), CREDENTIALS)["metadata"]
    assert len(metadata.get("ownerReferences", ())) == owners
    assert metadata["name"] == "default-broker-pool-credentials"


def test_a_digest_tells_where_one_value_ends() -> None:
    assert credentials.digest("ab", "c") != credentials.digest("a", "bc")
    assert credentials.whole_digest(CREDENTIALS) != credentials.whole_digest(Credentials("password", "master", "x"))
