"""BrokersReady of a BrokerPool: all its brokers serve."""

from quintet_api import names
from quintet_operator.status.condition import Verdict
from quintet_operator.status.facts import PoolFacts
from quintet_operator.status.workload import progress, state


def brokers_ready(facts: PoolFacts) -> Verdict:
    match state(facts.brokers):
        case "Ready":
            return Verdict("True", names.AVAILABLE, "All brokers serve.")
        case "Updating":
            return Verdict("False", names.UPDATING, "Brokers are about to be replaced. Wait until they are back.")
    told = f"Waiting for the brokers. {progress(facts.brokers, facts.broker_pods)}"
    return Verdict("False", names.BROKERS_NOT_READY, told)
