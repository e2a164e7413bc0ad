"""What the API types are built of: Duration, Quantity, Condition, rules, and the base of every model."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from quintet_api import names

DURATION_PATTERN = "^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?([0-9]{1,9}ms)?$"
"""Go's form. Units run from large to small, each once: so no text overflows CEL's duration()."""

BYTES_PATTERN = r"^([0-9]{1,18}|[0-9]{1,6}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T))$"
CPU_PATTERN = r"^([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)$"

FORMS = {
    DURATION_PATTERN: "must be a duration such as 30s, 1m30s, 96h or 100ms",
    BYTES_PATTERN: "must be a number of bytes such as 1048576, 512Ki, 1Mi or 8Gi",
    CPU_PATTERN: "must be a number of CPUs such as 2, 0.5 or 100m",
    names.LABEL_PATTERN: "must be small letters, digits and -, with a letter or digit at both ends",
    names.POOL_NAME_PATTERN: "must be small letters, digits and -, a letter first and no - at the end",
    names.ENTRY_NAME_PATTERN: "must be letters, digits, - and _",
    names.ACCOUNT_PATTERN: "must be 12 digits",
}
"""What a pattern asks for, in words."""

MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
MILLICORES = {"": 1_000, "m": 1}


def parse_duration(value: object) -> timedelta:
    """`1m30s` as a timedelta."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not value or not re.fullmatch(DURATION_PATTERN[1:-1], value):
        raise ValueError(FORMS[DURATION_PATTERN])
    parts = re.findall("([0-9]+)([a-z]+)", value)
    return timedelta(milliseconds=sum(int(count) * MILLISECONDS[unit] for count, unit in parts))


def format_duration(duration: timedelta) -> str:
    """The shortest text in units from hours to milliseconds: `96h`, `1m30s`, `0s`."""
    left, text = duration // timedelta(milliseconds=1), ""
    for unit, size in MILLISECONDS.items():
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_bytes(value: object) -> int:
    """`1Mi` (or the number 1048576) as 1048576; a part of a byte counts as a whole one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not re.fullmatch(BYTES_PATTERN[1:-1], value):
        raise ValueError(FORMS[BYTES_PATTERN])
    return _scaled(value, BYTES)


def format_bytes(count: int) -> str:
    """With the largest binary unit that divides it, as far as a number before a unit may go: `1Mi`, `1000`."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if count and count % BYTES[unit] == 0 and count // BYTES[unit] < 10**6:
            return f"{count // BYTES[unit]}{unit}"
    return str(count)


def parse_cpu(value: object) -> int:
    """`100m` as 100, `2` (or the number 2) as 2000."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1000
    if not isinstance(value, str) or not re.fullmatch(CPU_PATTERN[1:-1], value):
        raise ValueError(FORMS[CPU_PATTERN])
    return _scaled(value, MILLICORES)


def format_cpu(millicores: int) -> str:
    """`100m`, `2`."""
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def _scaled(text: str, units: dict[str, int]) -> int:
    number = text.rstrip("".join(units))
    return int((Decimal(number) * units[text[len(number) :]]).to_integral_value(ROUND_CEILING))


def _quantity_schema(pattern: str) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
        "pattern": pattern,
    }


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 2, "maxLength": 34, "pattern": DURATION_PATTERN}),
]
"""A time span, to the millisecond, written `30s`, `1m30s`, `96h`, `100ms`."""

Quantity = Annotated[
    int,
    BeforeValidator(parse_bytes),
    PlainSerializer(format_bytes, return_type=str),
    WithJsonSchema(_quantity_schema(BYTES_PATTERN)),
]
"""A number of bytes, written `1Mi`, `512Ki` or `1000`."""

Cpu = Annotated[
    int,
    BeforeValidator(parse_cpu),
    PlainSerializer(format_cpu, return_type=str),
    WithJsonSchema(_quantity_schema(CPU_PATTERN)),
]
"""Thousandths of a CPU, written `100m`, `0.5` or `2`."""


@dataclass(frozen=True)
class Between:
    """Bounds of a Duration, Quantity or Cpu, both inclusive, in the type's own text."""

    least: str
    most: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(source)
        read = SchemaValidator(inner).validate_python
        least, most = read(self.least), read(self.most)

        def check(value: Any) -> Any:
            if not least <= value <= most:
                raise ValueError(self.message)
            return value

        return core_schema.no_info_after_validator_function(check, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(schema)
        rule = self._duration_rule() if made.get("type") == "string" else self._quantity_rule()
        made["x-kubernetes-validations"] = [{"rule": rule, "message": self.message}]
        made["x-bounds"] = f"From {self.least} to {self.most}"
        return made

    @property
    def message(self) -> str:
        return f"must be from {self.least} to {self.most}"

    def _duration_rule(self) -> str:
        return f"duration(self) >= duration('{self.least}') && duration(self) <= duration('{self.most}')"

    def _quantity_rule(self) -> str:
        value = "quantity(string(self))"
        return f"{value}.compareTo(quantity('{self.least}')) >= 0 && {value}.compareTo(quantity('{self.most}')) <= 0"


@dataclass(frozen=True)
class Rule:
    """A CEL rule on the object that has it: `self`, and `oldSelf`, what stood there before a change."""

    expression: str
    message: str
    field: str
    """What is at fault, seen from the object: `.deadLetter.queue`."""

    def schema(self) -> dict[str, str]:
        return {"rule": self.expression, "message": self.message, "fieldPath": self.field}


def immutable(field: str) -> Rule:
    """The field (`.mode`) keeps the value, or the absence, that it was created with.

    A rule on an optional field itself is skipped when the field is added or removed; so this one belongs on
    the object that holds the field, which must always be there (by its default).
    """
    now, was = f"has(self{field})", f"has(oldSelf{field})"
    return Rule(f"{now} == {was} && (!{now} || self{field} == oldSelf{field})", "is immutable", field)


class Model(BaseModel):
    """An object of the API: snake_case in Python, camelCase in manifests, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            made["x-kubernetes-validations"] = [rule.schema() for rule in cls.rules]
        return made


class Spec(Model):
    """A part of a spec: JSON's types as they are, so that "3" is no number and 1 no truth."""

    model_config = ConfigDict(strict=True)


class Condition(Model):
    """One thing observed about an object (Kubernetes' metav1.Condition)."""

    type: Annotated[str, Field(max_length=316)]
    """What it speaks about; Ready sums up all others."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for people."""
    last_transition_time: datetime
    """When status changed last."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that was looked at."""


PENDING = Condition(
    type=names.READY,
    status="Unknown",
    reason=names.PENDING,
    message="Waiting for the operator",
    last_transition_time=datetime.fromtimestamp(0, UTC),
)
"""What the schema itself says of a new object."""


class Status(Model):
    """What the operator observed. Written by the operator alone."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that was looked at."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = (PENDING,)
    """What holds and what does not, and why."""
