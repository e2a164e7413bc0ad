import quintet
from quintet import errors
from quintet_broker.protocols.problems import STATUS


def test_every_refusal_of_the_broker_is_a_class_of_the_client() -> None:
    for kind, status in STATUS.items():
        if kind.__module__ != "quintet_broker.errors":
            continue
        found = errors.from_problem(f"urn:quintet:problem:{kind.__name__}", "Why.", status)
        assert type(found).__name__ == kind.__name__
        assert (found.detail, found.status) == ("Why.", status)
        assert getattr(quintet, kind.__name__) is type(found)


def test_unknown_refusal_is_the_base() -> None:
    found = errors.from_problem("urn:quintet:problem:OfTomorrow", "Why.", 418)
    assert type(found) is quintet.QuintetError
    assert (str(found), found.status) == ("Why.", 418)


def test_docstring_is_the_message_where_there_is_none() -> None:
    assert str(quintet.ReceiptStale()).startswith("The message was delivered again since")
