"""How settings are handed to a program of ours: each field of a Struct is a variable of the environment."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)


def variable(field: str) -> str:
    """`QUINTET_HTTP_PORT`, of the field `http_port`."""
    return f"QUINTET_{field.upper()}"


def read(settings: type[S], program: str, environment: Mapping[str, str]) -> S:
    """Raises SystemExit with the field's name where one is missing or unreadable."""
    fields = settings.__struct_fields__
    found = {name: environment[variable(name)] for name in fields if variable(name) in environment}
    try:
        return msgspec.convert(found, settings, strict=False)
    except msgspec.ValidationError as error:
        raise SystemExit(f"quintet {program}: bad settings in the environment (QUINTET_*): {error}") from error
