"""Extras: what is kept of a run-time queue beside its spec. The engine need not know it."""

from typing import Any

import msgspec
from msgspec import Struct

from quintet_broker.services.permissions import Rule
from quintet_broker.services.spec import Patch, merged


class Extras(Struct, frozen=True, omit_defaults=True):
    """A declared queue has none."""

    tags: dict[str, str] = {}
    attributes: dict[str, str] = {}
    """What a face keeps of a queue for itself, by the face's names."""
    rules: list[Rule] = []
    """Who else may use it."""


def changed(extras: Extras, patch: Patch) -> Extras:
    """With a JSON Merge Patch (RFC 7396) applied."""
    if not patch:
        return extras
    fields: dict[str, Any] = merged(msgspec.to_builtins(extras), patch)
    return msgspec.convert(fields, Extras)
