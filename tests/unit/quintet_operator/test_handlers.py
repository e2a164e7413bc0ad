"""What kopf is asked to do: to tell what happens, and nothing else."""

from quintet_operator import informer
from quintet_operator.dispatch import Dispatch
from quintet_operator.handlers import WATCHED, registry, selector
from quintet_operator.index import Index, Key
from quintet_operator.work_queue import WorkQueue


def test_there_are_handlers_of_events_alone() -> None:
    """Those of changes annotate objects, timers and daemons add finalizers."""
    made = registry(Dispatch(Index(), WorkQueue(), Key("Lease", "a", "b")))
    assert len(made._watching.get_all_handlers()) == len(WATCHED)
    for others in made._changing, made._spawning, made._indexing, made._webhooks:
        assert not others.get_all_handlers()


def test_of_other_kinds_only_what_is_ours_is_watched() -> None:
    settings = informer.settings()
    assert not settings.posting.enabled
    assert set(settings.watching.label_selectors.values()) == {"app.kubernetes.io/managed-by=quintet"}
    assert len(settings.watching.label_selectors) == len([kind for kind in WATCHED if selector(kind)]) == 8
    assert {kind for kind in WATCHED if not selector(kind)} == {"Queue", "BrokerPool"}
    # It goes into the query as it is.
    assert isinstance(settings.watching.server_timeout, int)
