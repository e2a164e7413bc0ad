"""The generated CustomResourceDefinitions, used on manifests as the API server uses them."""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import yaml
from jsonschema.exceptions import ValidationError

from quintet_api import common, names, rules
from quintet_api.document import FieldPath

Schema = dict[str, Any]

METADATA: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "namespace": {"type": "string", "maxLength": names.NAME_MAX, "pattern": names.LABEL_PATTERN},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "generation": {"type": "integer"},
    }
    | {name: {"type": "string"} for name in ("uid", "resourceVersion", "creationTimestamp", "selfLink")}
    | {name: {"type": "array", "items": {"type": "object"}} for name in ("ownerReferences", "managedFields")},
}
"""What may stand in a manifest's metadata beside the name."""


class Fault(NamedTuple):
    """What is wrong in a value, and where."""

    path: FieldPath
    message: str


class Kind:
    """A kind as its CustomResourceDefinition has it."""

    def __init__(self, crd: Schema) -> None:
        (version,) = crd["spec"]["versions"]
        whole = version["schema"]["openAPIV3Schema"]
        properties = {name: of for name, of in whole["properties"].items() if name != "status"}
        self._schema: Schema = whole | {"properties": properties}
        name = properties["metadata"]["properties"]
        metadata = METADATA | {"properties": METADATA["properties"] | name}
        self._structure = _Structure(_closed(self._schema | {"properties": properties | {"metadata": metadata}}))

    def check(self, manifest: Schema, old: Schema | None = None) -> tuple[Schema, list[Fault]]:
        """The manifest with all defaults, and what is wrong with it, as a change of `old` where there is one.

        Its status is left out, as the API server leaves out one that comes with a manifest.
        """
        given = {name: value for name, value in manifest.items() if name != "status"}
        given.setdefault("metadata", {})
        whole = _with_defaults(given, self._schema)
        faults = list(self._structural_faults(whole))
        wrong = {fault.path for fault in faults}
        faults += _rule_faults(whole, old, self._schema, (), wrong)
        return whole, list(dict.fromkeys(faults))

    def _structural_faults(self, manifest: Schema) -> Iterator[Fault]:
        for error in self._structure.iter_errors(manifest):
            yield from FAULTS[str(error.validator)](tuple(error.absolute_path), error)


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by name."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = (yaml.load(path.read_bytes(), loader) for path in sorted(directory().glob("*.yaml")))
    return {crd["spec"]["names"]["kind"]: Kind(crd) for crd in found}


def directory() -> Path:
    """Where the generated CRDs are: beside this package in a checkout, inside it once installed."""
    package = Path(__file__).parent
    installed = package / "crds"
    return installed if installed.is_dir() else package.parent


# Defaults


def _with_defaults(value: Any, schema: Schema) -> Any:
    """Null counts as absent, as it does to the API server, since no field of ours is nullable."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        given = {name: held for name, held in value.items() if held is not None or name not in properties}
        default = {n: of["default"] for n, of in properties.items() if "default" in of and n not in given}
        rest = schema.get("additionalProperties", {})
        return {name: _with_defaults(held, properties.get(name, rest)) for name, held in (given | default).items()}
    if isinstance(value, list):
        return [_with_defaults(held, schema.get("items", {})) for held in value]
    return value


# Structure


def _closed(schema: Schema) -> Schema:
    """The schema in JSON Schema's words: unknown fields refused, patterns that end where the text ends."""
    made = dict(schema)
    if "pattern" in schema:
        made["pattern"] = re.sub(r"\$$", r"\\Z", schema["pattern"])
        made["x-pattern"] = schema["pattern"]
    if "properties" in schema:
        made["properties"] = {name: _closed(of) for name, of in schema["properties"].items()}
        made["additionalProperties"] = False
    elif "additionalProperties" in schema:
        made["additionalProperties"] = _closed(schema["additionalProperties"])
    if "items" in schema:
        made["items"] = _closed(schema["items"])
    return made


def _unique_keys(validator: Any, keys: list[str], items: Any, schema: Schema) -> Iterator[ValidationError]:
    """x-kubernetes-list-map-keys: no two items agree in all of them."""
    seen = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        found = [item.get(key) for key in keys] if isinstance(item, dict) else None
        if found and found in seen:
            yield ValidationError("", validator="x-kubernetes-list-map-keys", instance=found, path=(index, keys[0]))
        seen.append(found)


_Structure: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"x-kubernetes-list-map-keys": _unique_keys}
)

TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _shown(value: Any) -> str:
    """A value as it stands in a manifest, shortened."""
    if isinstance(value, dict | list):
        return TYPES["object" if isinstance(value, dict) else "array"]
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _in_words(words: Callable[[Any], str]) -> Callable[[FieldPath, Any], Iterator[Fault]]:
    def faults(path: FieldPath, error: Any) -> Iterator[Fault]:
        yield Fault(path, words(error))

    return faults


def _required(path: FieldPath, error: Any) -> Iterator[Fault]:
    for name in error.validator_value:
        if name not in error.instance:
            yield Fault((*path, name), "is required")


def _unknown(path: FieldPath, error: Any) -> Iterator[Fault]:
    known = error.schema["properties"]
    for name in error.instance:
        if name not in known:
            near = get_close_matches(name.lower(), {n.lower() for n in known}, n=1)
            meant = next((n for n in known if [n.lower()] == near), None)
            yield Fault((*path, name), "is not a field" + (f": did you mean {meant}?" if meant else ""))


def _form(error: Any) -> str:
    pattern = error.schema.get("x-pattern", "")
    return f"{common.FORMS.get(pattern, f'must match {pattern}')}, not {_shown(error.instance)}"


def _length(error: Any) -> str:
    if error.schema.get("x-pattern") == common.DURATION_PATTERN:
        return _form(error)
    least, most = error.schema.get("minLength", 0), error.schema.get("maxLength")
    bounds = f"{least} to {most}" if least and most != least else f"{'at most ' if most != least else ''}{most}"
    return f"must have {bounds} characters, not {len(error.instance)}"


def _range(error: Any) -> str:
    least, most = error.schema.get("minimum"), error.schema.get("maximum")
    bounds = f"from {least} to {most}" if most is not None else f"at least {least}"
    return f"must be {bounds}, not {_shown(error.instance)}"


FAULTS: dict[str, Callable[[FieldPath, Any], Iterator[Fault]]] = {
    "required": _required,
    "additionalProperties": _unknown,
    "type": _in_words(lambda e: f"must be {TYPES[e.validator_value]}, not {_shown(e.instance)}"),
    "anyOf": _in_words(lambda e: f"must be a number or text, not {_shown(e.instance)}"),
    "enum": _in_words(lambda e: f"must be one of {', '.join(e.validator_value)}, not {_shown(e.instance)}"),
    "pattern": _in_words(_form),
    "minLength": _in_words(_length),
    "maxLength": _in_words(_length),
    "minimum": _in_words(_range),
    "maximum": _in_words(_range),
    "minItems": _in_words(lambda e: f"must have {e.validator_value} items or more"),
    "maxItems": _in_words(lambda e: f"must have {e.validator_value} items or fewer"),
    "maxProperties": _in_words(lambda e: f"must have {e.validator_value} fields or fewer"),
    "x-kubernetes-list-map-keys": _in_words(lambda e: "is there twice"),
}
"""What each word of the schema finds wrong."""


# Rules


def _rule_faults(value: Any, old: Any, schema: Schema, path: FieldPath, wrong: set[FieldPath]) -> Iterator[Fault]:
    """What the CEL rules find wrong in the value and all below it. `old` None: there was none."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if path not in wrong and (old is not None or "oldSelf" not in rule["rule"]):
            yield from _broken(rule, value, old, path, wrong)
    for name, held, of in _parts(value, schema):
        before = old.get(name) if isinstance(old, dict) else None
        yield from _rule_faults(held, before, of, (*path, name), wrong)


def _parts(value: Any, schema: Schema) -> Iterator[tuple[str | int, Any, Schema]]:
    if isinstance(value, dict):
        rest = schema.get("additionalProperties", {})
        for name, held in value.items():
            yield name, held, schema.get("properties", {}).get(name, rest)
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield index, held, schema.get("items", {})


def _broken(rule: Schema, value: Any, old: Any, path: FieldPath, wrong: set[FieldPath]) -> Iterator[Fault]:
    field = tuple(part for part in rule.get("fieldPath", "").split(".") if part)
    try:
        if not rules.holds(rule["rule"], value, old):
            yield Fault((*path, *field), rule["message"])
    except rules.RuleError as error:
        # Where something below has not the form that the rule takes for granted, that was said already.
        if not any(fault[: len(path)] == path for fault in wrong):
            yield Fault((*path, *field), f"{rule['message']} ({error})")
