"""The API reference: a page of Markdown for each kind, written from its CustomResourceDefinition."""

import json
from collections.abc import Iterator

import yaml

from quintet_api import names
from quintet_api.definition import Definition, Resource, Schema


def page(kind: type[Resource], crd: Schema) -> str:
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    parts = schema["properties"]
    sections = [
        f"<!-- Generated from {kind.__module__}.{kind.__name__} by python -m quintet_api.generate: do not edit. -->",
        f"# {kind.definition.kind}",
        schema["description"],
        _names(kind.definition),
        "## Spec",
        _fields("spec", parts["spec"]),
        "Durations are written `30s`, `1m30s`, `96h` or `100ms`; sizes `1Mi`, `512Ki` or as a number of bytes.",
        "## Rules",
        _rules(schema),
        "## Status",
        "Written by the operator, ignored in manifests. A new object begins with Ready=Unknown, reason Pending.",
        _fields("status", parts["status"], with_defaults=False),
        "## Columns of `kubectl get`",
        _columns(kind.definition),
    ]
    return "\n\n".join(sections) + "\n"


def _names(definition: Definition) -> str:
    return "\n".join(
        (
            "| | |",
            "|---|---|",
            f"| apiVersion | `{names.API_VERSION}` |",
            f"| kind | `{definition.kind}` |",
            f"| for kubectl | `{definition.plural}`, `{definition.short_name}`; with all others: `{names.CATEGORY}` |",
            f"| name | at most {definition.name_max} characters, `{definition.name_pattern}` |",
        )
    )


def _fields(name: str, schema: Schema, with_defaults: bool = True) -> str:
    head = ("Field", "Type", "Default", "Meaning") if with_defaults else ("Field", "Type", "Meaning")
    rows = [head, ("---",) * len(head)]
    for path, of, required in _walk(name, schema):
        default = (_default(of, required),) if with_defaults else ()
        rows.append((f"`{path}`", _type(of), *default, of.get("description", "").replace("|", "\\|")))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _walk(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """All fields below `path`: where they are, what they are, and whether they must be there."""
    schema, path = (schema["items"], f"{path}[]") if "items" in schema else (schema, path)
    for name, of in schema.get("properties", {}).items():
        yield f"{path}.{name}", of, name in schema.get("required", ())
        yield from _walk(f"{path}.{name}", of)


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return "quantity"
    if "x-kubernetes-validations" in schema and schema["type"] == "string":
        return "duration"
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    return str(schema["type"])


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    if default is None or default == {}:
        return ""
    if isinstance(default, list):
        default = yaml.safe_dump(default, default_flow_style=True).strip()
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _rules(schema: Schema) -> str:
    rows = [f"- `{path}` {message}." for path, message in _walk_rules("", schema)]
    return "\n".join(rows)


def _walk_rules(path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    """The rules that join several fields or compare with what was there before."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "fieldPath" in rule:
            yield f"{path}{rule['fieldPath']}".lstrip("."), rule["message"]
    for name, of in schema.get("properties", {}).items():
        yield from _walk_rules(f"{path}.{name}", of)


def _columns(definition: Definition) -> str:
    rows = (f"- {column.name}: `{column.path}`" for column in definition.all_columns)
    return "\n".join(rows)
