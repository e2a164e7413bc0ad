import pytest

from quintet_operator.builders.claim import claim_name, claim_template, growth
from quintet_operator.builders.metadata import Manifest
from tests.unit.quintet_operator.objects import pool


def claim(size: str) -> Manifest:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


def test_it_has_the_name_that_a_stateful_set_gives() -> None:
    assert claim_name(pool()) == "data-default-broker-pool-redis-0"
    assert claim_template(pool())["metadata"]["name"] == "data"


@pytest.mark.parametrize("there", ["8Gi", "8589934592", "9G", "20Gi", "1Pi", "9e9"])
def test_what_is_large_enough_stays(there: str) -> None:
    assert growth(pool(), claim(there)) is None


@pytest.mark.parametrize("there", ["64Mi", "8G", "8589934591"])
def test_what_is_smaller_grows(there: str) -> None:
    assert growth(pool(), claim(there)) == claim("8Gi")
