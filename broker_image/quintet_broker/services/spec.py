"""A queue's spec as what is stored and sent: from and to JSON, and changed by a JSON Merge Patch; and as its policy."""

from typing import Any

from pydantic import ValidationError

from quintet_api.queue import QueueSpec
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import InvalidArgument

Patch = dict[str, Any]
"""A JSON Merge Patch (RFC 7396) of a spec, with manifest names: null sets a field back to its default."""


def parse(fields: dict[str, Any]) -> QueueSpec:
    """Raises InvalidArgument, naming the field."""
    try:
        return QueueSpec.model_validate(fields)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(str(part) for part in found["loc"])
        raise InvalidArgument(f"spec.{field}: {found['msg']}") from error


def dump(spec: QueueSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def whole(spec: QueueSpec) -> Patch:
    """The patch that makes any spec this one."""
    return spec.model_dump(mode="json", by_alias=True)


def patched(spec: QueueSpec, patch: Patch) -> dict[str, Any]:
    """The fields of a spec with a patch applied, not checked yet."""
    fields: dict[str, Any] = merged(dump(spec), patch)
    return fields


def merged(fields: Any, patch: Any) -> Any:
    """Fields with a patch applied (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    found = dict(fields) if isinstance(fields, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def policy(name: str, spec: QueueSpec, dead_letter: int | None) -> Policy:
    """How the queue treats its records; `dead_letter` is the first shard of its dead-letter queue."""
    return Policy(
        name=name,
        retention=round(spec.message_retention.total_seconds() * 1000),
        in_flight=spec.limits.in_flight,
        messages=spec.limits.messages,
        bytes=spec.limits.bytes,
        ordered=spec.ordering == "Fifo",
        consumers=spec.consumers,
        paused=spec.paused,
        max_receives=spec.dead_letter.max_receives if spec.dead_letter else 0,
        dead_letter=dead_letter,
        expired_to=dead_letter if spec.dead_letter and spec.dead_letter.expired else None,
        overflow=spec.limits.overflow,
    )
