"""The generated CustomResourceDefinitions, against what Kubernetes asks of a structural schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet_api import generate, rules
from quintet_api.definition import Resource

KINDS = pytest.mark.parametrize("kind", generate.KINDS, ids=lambda kind: kind.__name__)
Schema = dict[str, Any]


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """The schema and every schema in it, by path."""
    yield path, schema
    for name, of in schema.get("properties", {}).items():
        yield from walk(of, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in schema:
            yield from walk(schema[word], f"{path}[]")


def whole(kind: type[Resource]) -> Schema:
    (version,) = generate.custom_resource_definition(kind)["spec"]["versions"]
    return dict(version["schema"]["openAPIV3Schema"])


@KINDS
def test_every_part_has_a_type_and_every_field_a_description(kind: type[Resource]) -> None:
    for path, schema in walk(whole(kind)):
        assert "type" in schema or schema.get("x-kubernetes-int-or-string"), path
        assert "description" in schema or path.endswith("[]") or path.startswith(".metadata"), path


@KINDS
def test_no_word_that_a_structural_schema_forbids_is_used(kind: type[Resource]) -> None:
    forbidden = {"$ref", "$defs", "definitions", "oneOf", "const", "title", "deprecated", "x-bounds"}
    for path, schema in walk(whole(kind)):
        assert not forbidden & schema.keys(), path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert schema.get("additionalProperties") is not False, path
        assert schema.get("format") in (None, "date-time"), path


@KINDS
def test_every_rule_is_cel_and_names_a_field_that_is_there(kind: type[Resource]) -> None:
    for path, schema in walk(whole(kind)):
        for rule in schema.get("x-kubernetes-validations", ()):
            rules.compiled(rule["rule"])
            of = schema
            for part in filter(None, rule.get("fieldPath", "").split(".")):
                assert part in of["properties"], f"{path}: {rule}"
                of = of["properties"][part]


@KINDS
def test_a_rule_about_a_change_stands_where_something_always_is(kind: type[Resource]) -> None:
    """Kubernetes skips such a rule where the object that has it is added: so it must have a default."""
    for path, schema in walk(whole(kind)):
        changes = [rule for rule in schema.get("x-kubernetes-validations", ()) if "oldSelf" in rule["rule"]]
        if changes and path != ".spec":
            assert schema.get("default") == {}, path


@KINDS
def test_a_new_object_is_pending(kind: type[Resource]) -> None:
    status = whole(kind)["properties"]["status"]
    (ready,) = status["properties"]["conditions"]["default"]
    assert (status["default"], ready["type"], ready["status"], ready["reason"]) == ({}, "Ready", "Unknown", "Pending")


@KINDS
def test_names_columns_and_subresources(kind: type[Resource]) -> None:
    crd = generate.custom_resource_definition(kind)["spec"]
    columns = [column["name"] for column in crd["versions"][0]["additionalPrinterColumns"]]
    assert columns[:2] == ["Ready", "Reason"]
    assert columns[-1] == "Age"
    assert crd["names"]["categories"] == ["quintet"]
    assert "status" in crd["versions"][0]["subresources"]


def test_a_file_that_differs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "checkout", lambda: tmp_path)
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "crds" / "queues.yaml").write_text("changed")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    assert "queues.yaml" in capsys.readouterr().err
