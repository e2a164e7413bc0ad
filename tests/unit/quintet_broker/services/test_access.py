"""What each access key may do."""

from typing import get_args

import pytest

from quintet_api.credentials import secret_key
from quintet_broker.errors import AccessDenied, UnknownKey
from quintet_broker.services.access import Access, Verb

MASTER = b"master"
VERBS: tuple[Verb, ...] = get_args(Verb)


def access(enabled: bool = True) -> Access:
    return Access(
        enabled=enabled,
        master_key=MASTER,
        namespace="shop",
        pool="default",
        dead_letter_queue={"orders": "dead"}.get,
    )


def allowed(key: str | None, queue: str | None) -> set[Verb]:
    found = set()
    for verb in VERBS:
        try:
            access().check(key, verb, queue)
        except AccessDenied:
            continue
        found.add(verb)
    return found


def test_the_pool_key_may_do_everything() -> None:
    assert allowed("P.shop.default.1", "orders") == allowed("P.shop.default.1", None) == set(VERBS)


def test_a_queue_key_may_use_its_queue_and_empty_its_dead_letter_queue() -> None:
    assert allowed("Q.shop.orders.1", "orders") == {"send", "receive", "redrive"}
    assert allowed("Q.shop.orders.1", "dead") == {"receive", "redrive"}
    assert allowed("Q.shop.orders.1", "others") == allowed("Q.shop.orders.1", None) == set()


def test_no_key_and_the_key_of_another_pool_may_do_nothing() -> None:
    assert allowed(None, "orders") == allowed("P.shop.another.1", "orders") == set()


@pytest.mark.parametrize("key", ["any", "Q.elsewhere.orders.1", "P.elsewhere.default.1"])
def test_a_foreign_key_is_unknown(key: str) -> None:
    with pytest.raises(UnknownKey):
        access().check(key, "send", "orders")
    with pytest.raises(UnknownKey):
        access().secret(key)


def test_a_secret_follows_from_the_master_key() -> None:
    assert access().secret("Q.shop.orders.1") == secret_key(MASTER, "Q.shop.orders.1")


def test_without_access_control_everybody_may_do_everything() -> None:
    for verb in VERBS:
        access(enabled=False).check(None, verb, "orders")
