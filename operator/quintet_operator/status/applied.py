"""Applied of a Queue: the brokers hold it as its spec says."""

from quintet_api import names
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import QueueFacts


def applied(facts: QueueFacts) -> Verdict:
    """A refusal has the broker's own reason."""
    if facts.entry is None:
        return _untold(facts)
    if facts.entry.state == "Refused":
        return Verdict("False", facts.entry.reason or names.INVALID_SPEC, facts.entry.message)
    return Verdict("True", names.APPLIED, "The brokers hold it as its spec says.")


def _untold(facts: QueueFacts) -> Verdict:
    if facts.broker_error:
        message = f"The brokers do not tell what they hold: {facts.broker_error.rstrip('.')}."
        return Verdict("Unknown", names.BROKER_UNREACHABLE, message)
    return Verdict("False", names.PENDING, "Waiting for the brokers to apply it.")
