"""What each access key may do."""

from typing import get_args

import pytest

from quintet_api.credentials import secret_key
from quintet_broker.errors import AccessDenied, UnknownKey
from quintet_broker.services.access import Access
from quintet_broker.services.permissions import GRANTABLE, Rule, Verb

MASTER = b"master"
VERBS: tuple[Verb, ...] = get_args(Verb)
ITS_OWN = GRANTABLE - {"purge"} | {"redrive"}
READING: frozenset[Verb] = frozenset(["receive", "acknowledge"])


def access(*rules: Rule, enabled: bool = True) -> Access:
    return Access(
        enabled=enabled,
        master_key=MASTER,
        namespace="shop",
        pool="default",
        dead_letter_queue={"orders": "dead"}.get,
        rules=lambda queue: rules if queue == "orders" else (),
    )


def allowed(key: str | None, queue: str | None, *rules: Rule) -> set[Verb]:
    found = set()
    for verb in VERBS:
        try:
            access(*rules).check(key, verb, queue)
        except AccessDenied:
            continue
        found.add(verb)
    return found


def test_the_pool_key_may_do_everything() -> None:
    assert allowed("P.shop.default.1", "orders") == allowed("P.shop.default.1", None) == set(VERBS)


def test_a_queue_key_may_use_its_queue_and_empty_its_dead_letter_queue() -> None:
    assert allowed("Q.shop.orders.1", "orders") == ITS_OWN
    assert allowed("Q.shop.orders.1", "dead") == ITS_OWN - {"send"}
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


def test_rules_allow_other_keys_what_they_speak_of_and_no_more() -> None:
    rule = Rule(True, frozenset(["Q.shop.others"]), READING)
    for rotation in 1, 7:
        assert allowed(f"Q.shop.others.{rotation}", "orders", rule) == READING
    assert allowed("Q.shop.others.1", "dead", rule) == set()
    assert allowed("Q.shop.third.1", "orders", rule) == set()
    assert allowed("Q.shop.orders.1", "orders", rule) == ITS_OWN
    assert allowed("Q.shop.third.1", "orders", Rule(True, None, READING)) == READING
    assert allowed(None, "orders", Rule(True, None, READING)) == set()


def test_what_a_rule_forbids_no_other_one_allows() -> None:
    rules = Rule(True, None, GRANTABLE), Rule(False, frozenset(["Q.shop.others", "Q.shop.orders"]), READING)
    for order in rules, rules[::-1]:
        assert allowed("Q.shop.others.1", "orders", *order) == GRANTABLE - READING
        assert allowed("Q.shop.orders.1", "orders", *order) == GRANTABLE - READING
    # The pool's key can still change the rules.
    assert allowed("P.shop.default.1", "orders", Rule(False, None, frozenset(VERBS))) == {"manage"}


@pytest.mark.parametrize("part", READING)
def test_a_redrive_takes_nothing_that_may_not_be_taken(part: Verb) -> None:
    forbidden = Rule(False, None, frozenset([part]))
    for key in "Q.shop.orders.1", "P.shop.default.1":
        assert "redrive" not in allowed(key, "orders", forbidden)
        assert "redrive" in allowed(key, "orders", Rule(False, None, frozenset(["send"])))
