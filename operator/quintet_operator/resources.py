"""Objects as the API server has them, read as the API's own types."""

from typing import TypeVar

from pydantic import ValidationError

from quintet_api import names
from quintet_api.definition import Resource
from quintet_operator.builders.metadata import Manifest

R = TypeVar("R", bound=Resource)


class Unreadable(Exception):
    """The spec is not one that this operator knows; the message names the field."""


def read(model: type[R], manifest: Manifest) -> R:
    """Raises Unreadable. A status that cannot be read, of a newer operator perhaps, counts as none."""
    known = {part: manifest[part] for part in ("apiVersion", "kind", "metadata", "spec") if part in manifest}
    try:
        return model.model_validate(known | {"status": manifest.get("status") or {}})
    except ValidationError as error:
        if all(fault["loc"][:1] == ("status",) for fault in error.errors()):
            return model.model_validate(known)
        found = next(fault for fault in error.errors() if fault["loc"][:1] != ("status",))
        field = ".".join(str(part) for part in found["loc"])
        raise Unreadable(f"{field}: {found['msg']}") from error


def disabled(manifest: Manifest) -> bool:
    """Whether its annotation stops the operator."""
    annotations = manifest["metadata"].get("annotations") or {}
    return bool(annotations.get(names.RECONCILE_ANNOTATION) == names.RECONCILE_DISABLED_VALUE)


def was_applied(queue: Manifest) -> bool:
    """Whether brokers have been told of it."""
    conditions = (queue.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == names.APPLIED and condition["reason"] != names.PENDING for condition in conditions)
