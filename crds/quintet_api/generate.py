"""Writes what follows from the models: crds/*.yaml, helm/quintet/files/*.yaml and docs/reference/*.md of the checkout.

`python -m quintet_api.generate` writes them; with `--check` it names those that differ and exits with 1.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from quintet_api import names, reference
from quintet_api.broker_pool import BrokerPool
from quintet_api.definition import Column, Resource, Schema
from quintet_api.queue import Queue

KINDS: tuple[type[Resource], ...] = (Queue, BrokerPool)

COPIED = (
    *("type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "maxProperties"),
)
"""Words that mean the same in pydantic's JSON schema and in a structural schema."""


def main(arguments: list[str]) -> int:
    match arguments:
        case []:
            return write()
        case ["--check"]:
            return check()
    print("usage: python -m quintet_api.generate [--check]", file=sys.stderr)
    return 2


def write() -> int:
    for path, text in generated(checkout()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def check() -> int:
    differing = [
        path for path, text in generated(checkout()) if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in differing:
        print(f"{path}: not what the models generate; run python -m quintet_api.generate", file=sys.stderr)
    return 1 if differing else 0


def checkout() -> Path:
    """The repository's root: this file lies at crds/quintet_api/ in it."""
    directory = Path(__file__).resolve().parent.parent
    if directory.name != "crds":
        raise SystemExit("quintet_api.generate works in a checkout of the repository only")
    return directory.parent


def generated(root: Path) -> Iterator[tuple[Path, str]]:
    """Every generated file with the text that it should have."""
    for kind in KINDS:
        crd = custom_resource_definition(kind)
        yield root / "crds" / f"{kind.definition.plural}.yaml", _yaml(crd, source=kind)
        yield root / "helm" / "quintet" / "files" / f"{kind.definition.plural}.yaml", _yaml(_kept(crd), source=kind)
        yield root / "docs" / "reference" / f"{kind.definition.plural}.md", reference.page(kind, crd)


def custom_resource_definition(kind: type[Resource]) -> Schema:
    """The kind as Kubernetes takes it."""
    definition = kind.definition
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short_name],
                "categories": [names.CATEGORY],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in definition.all_columns],
                    "subresources": _subresources(kind),
                    "schema": {"openAPIV3Schema": object_schema(kind)},
                }
            ],
        },
    }


def _kept(crd: Schema) -> Schema:
    """As the chart has it: helm uninstall leaves it, since all objects of a kind go with its definition."""
    return crd | {"metadata": crd["metadata"] | {"annotations": {"helm.sh/resource-policy": "keep"}}}


def object_schema(kind: type[Resource]) -> Schema:
    """The structural schema of the whole object."""
    schema = kind.model_json_schema(mode="serialization")
    whole = structural(schema, schema["$defs"])
    name = {"type": "string", "maxLength": kind.definition.name_max, "pattern": kind.definition.name_pattern}
    whole["properties"] = {
        "apiVersion": {"type": "string", "description": f"Always {names.API_VERSION}."},
        "kind": {"type": "string", "description": f"Always {kind.definition.kind}."},
        "metadata": {"type": "object", "properties": {"name": name}},
        "spec": whole["properties"]["spec"],
        "status": whole["properties"]["status"],
    }
    del whole["required"]
    return whole


def structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A JSON schema of pydantic's as Kubernetes takes it: without references and without null."""
    schema = _resolved(schema, definitions)
    made = {key: schema[key] for key in COPIED if key in schema}
    made |= {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    if "const" in schema:
        made["enum"] = [schema["const"]]
    if "anyOf" in schema:
        made["anyOf"] = schema["anyOf"]
    if "items" in schema:
        made["items"] = structural(schema["items"], definitions)
    if "properties" in schema:
        made["properties"] = {name: structural(of, definitions) for name, of in schema["properties"].items()}
        made |= {"required": schema["required"]} if "required" in schema else {}
    elif schema.get("additionalProperties") is True:
        made["x-kubernetes-preserve-unknown-fields"] = True
    elif "additionalProperties" in schema:
        made["additionalProperties"] = structural(schema["additionalProperties"], definitions)
    if schema.get("default") is not None:
        # The default of an object is empty, since its fields have defaults of their own.
        made["default"] = {} if "properties" in made else _without_null(schema["default"])
    return _described(schema) | made


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """References followed and `X | None` taken as X: a field that may be absent is just not required."""
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolved(definitions[schema["$ref"].removeprefix("#/$defs/")] | rest, definitions)
    choices = schema.get("anyOf", [])
    if {"type": "null"} in choices:
        (only,) = (choice for choice in choices if choice != {"type": "null"})
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _resolved(only | rest, definitions)
    return schema


def _described(schema: Schema) -> Schema:
    """The description, on one line, with the bounds at its end, so that `kubectl explain` tells them."""
    words = schema.get("description", "").split()
    if not words:
        return {}
    return {"description": " ".join(words + _bounds(schema))}


def _bounds(schema: Schema) -> list[str]:
    if schema.get("type") == "integer" and "maximum" in schema:
        return [f"From {schema['minimum']} to {schema['maximum']}."]
    return [f"{schema['x-bounds']}."] if "x-bounds" in schema else []


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(held) for key, held in value.items() if held is not None}
    return [_without_null(held) for held in value] if isinstance(value, list) else value


def _column(column: Column) -> Schema:
    made: Schema = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return made | ({"priority": column.priority} if column.priority else {})


def _subresources(kind: type[Resource]) -> Schema:
    made: Schema = {"status": {}}
    if scale := kind.definition.scale:
        made["scale"] = {
            "specReplicasPath": scale.replicas,
            "statusReplicasPath": scale.status_replicas,
            "labelSelectorPath": scale.selector,
        }
    return made


class _Dumper(yaml.SafeDumper):
    """Writes each value where it is used, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(crd: Schema, source: type[Resource]) -> str:
    head = f"# Generated from {source.__module__}.{source.__name__} by python -m quintet_api.generate: do not edit."
    return f"{head}\n{yaml.dump(crd, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
