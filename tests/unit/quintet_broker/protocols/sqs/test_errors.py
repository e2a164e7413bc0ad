"""SQS's errors against its model, and the broker's errors against SQS's."""

from botocore.loaders import Loader

from quintet_broker import errors as broker
from quintet_broker.protocols.aws.errors import Kind
from quintet_broker.protocols.sqs import errors

OF_OPERATORS = {broker.RevisionConflict, broker.NameTaken, broker.DataConflict}
"""What only an operator's document meets."""
OF_BROKERS = {broker.NotOwner, broker.KeyMoved, broker.NameInUse}
"""What only other brokers meet."""
OF_OUR_PROTOCOL = {broker.OutOfOrder}
"""What only numbered sends over a WebSocket meet."""


def test_every_error_that_a_client_can_meet_has_a_word() -> None:
    # Other faces have errors of their own.
    shared = {error for error in broker.BrokerError.__subclasses__() if error.__module__ == broker.__name__}
    assert shared - OF_OPERATORS - OF_BROKERS - OF_OUR_PROTOCOL == errors.KINDS.keys()


def test_the_errors_of_sqs_are_those_of_its_model() -> None:
    shapes = Loader().load_service_model("sqs", "service-2")["shapes"]
    own = [kind.type.partition("#") for kind in vars(errors).values() if isinstance(kind, Kind)]
    names = [name for namespace, _, name in own if namespace == "com.amazonaws.sqs"]
    assert len(names) > 10
    assert [name for name in names if not shapes[name].get("exception")] == []
