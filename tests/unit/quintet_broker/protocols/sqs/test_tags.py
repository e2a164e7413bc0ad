"""Which tags are taken."""

import pytest

from quintet_broker.protocols.aws.errors import AwsError
from quintet_broker.protocols.sqs.tags import check


@pytest.mark.parametrize("tags", [{}, {"k" * 128: "v" * 256}, {"a b_c.d:e/f=g+h-i@1": "ä é"}, {"awsome": ""}])
def test_taken(tags: dict[str, str]) -> None:
    check(tags, {}, "orders")


@pytest.mark.parametrize(
    "tags", [{"": "x"}, {"k" * 129: "x"}, {"k": "v" * 257}, {"k?": "x"}, {"k": "v!"}, {"aws:k": "x"}, {"AWS:k": "x"}]
)
def test_refused(tags: dict[str, str]) -> None:
    with pytest.raises(AwsError):
        check(tags, {}, "orders")


def test_a_queue_has_fifty_at_most() -> None:
    held = {str(number): "" for number in range(49)}
    check({"49": "", "0": "changed"}, held, "orders")
    with pytest.raises(AwsError, match="Too many tags added for queue orders"):
        check({"49": "", "50": ""}, held, "orders")
