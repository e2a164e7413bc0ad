"""Bound of a Queue: its Secret, with address and access key, is there."""

from quintet_api import names
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import QueueFacts
from quintet_operator.status.name_taken import name_taken


def bound(facts: QueueFacts) -> Verdict:
    if facts.name_taken:
        return name_taken(facts.name_taken)
    if facts.bound:
        return Verdict("True", names.BOUND, "Its Secret has address and access key.")
    return Verdict(
        "False", names.PENDING, "Waiting for the credentials of its BrokerPool, which its access key follows from."
    )
