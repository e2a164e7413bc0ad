"""What the chart says of itself, without Helm."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from quintet_api import generate
from quintet_api.environment import variable
from quintet_operator.cluster import KINDS
from quintet_operator.handlers import WATCHED
from quintet_operator.settings import Settings, from_environment

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm" / "quintet"
KUBERNETES_OWN = {"nodeAffinity", "podAffinity", "podAntiAffinity", "global"}
"""Objects that are passed on as they are, and so not closed."""

Schema = dict[str, Any]


def read(name: str) -> Any:
    return yaml.safe_load((CHART / name).read_text(encoding="utf-8"))


def objects(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema of an object in it, by path."""
    if schema.get("type") == "object":
        yield path, schema
    for word in ("properties", "definitions"):
        for name, of in schema.get(word, {}).items():
            yield from objects(of, f"{path}.{name}")
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")


def roles() -> Iterator[Schema]:
    """The rules of the operator's roles."""
    for name in ("cluster-role.yaml", "role.yaml"):
        text = (CHART / "templates" / name).read_text(encoding="utf-8")
        for document in yaml.safe_load_all(re.sub(r"^.*\{\{.*$", "", text, flags=re.MULTILINE)):
            yield from (document or {}).get("rules", ())


def test_chart_and_project_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = read("Chart.yaml")
    assert chart["version"] == chart["appVersion"] == project["version"]
    values = read("values.yaml")
    assert values["operatorImage"] == values["brokerImage"] == f"quintet:{project['version']}"


def test_the_default_values_are_in_the_schema_and_all_of_the_schema_has_a_default() -> None:
    schema, values = read("values.schema.json"), read("values.yaml")
    jsonschema.validate(values, schema)
    assert set(schema["properties"]) - {"global"} == set(values)
    for name, of in schema["properties"].items():
        assert set(of.get("properties", {})) == set(values.get(name, ()) if "properties" in of else ()), name


def test_the_schema_is_closed_everywhere() -> None:
    found = dict(objects(read("values.schema.json")))
    assert len(found) > 10
    for path, schema in found.items():
        name = path.rpartition(".")[2]
        assert name in KUBERNETES_OWN or schema.get("additionalProperties") is not None, path
        assert schema.get("additionalProperties") is not True, path


def test_the_operator_reads_every_variable_that_the_deployment_sets() -> None:
    text = (CHART / "templates/deployment.yaml").read_text(encoding="utf-8")
    given = {name.removeprefix("QUINTET_").lower() for name in re.findall(r"name: (QUINTET_\w+)", text)}
    assert given <= set(Settings.__struct_fields__)
    # And it starts with what is always set.
    from_environment({variable(name): "x" for name in given})


def test_the_ports_and_the_lease_are_the_operators_own() -> None:
    settings = from_environment(
        {f"QUINTET_{name}": "x" for name in ("BROKER_IMAGE", "REDIS_IMAGE", "NAMESPACE", "POD_NAME")}
    )
    assert f"containerPort: {settings.port}" in (CHART / "templates/deployment.yaml").read_text(encoding="utf-8")
    named = [rule["resourceNames"] for rule in roles() if "resourceNames" in rule]
    assert named == [[settings.lease_name]]


def test_no_right_of_the_operator_is_a_wildcard() -> None:
    rules = list(roles())
    assert len(rules) > 10
    for rule in rules:
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], rule


@pytest.mark.parametrize("kind", WATCHED)
def test_what_is_watched_may_be_listed_and_watched(kind: str) -> None:
    group = KINDS[kind].api_version.rpartition("/")[0]
    verbs = {
        verb
        for rule in roles()
        if group in rule["apiGroups"] and KINDS[kind].plural in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {"list", "watch"} <= verbs


def test_the_definitions_are_kept_and_else_as_the_models_generate_them() -> None:
    for kind in generate.KINDS:
        held = read(f"files/{kind.definition.plural}.yaml")
        assert held["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert held == generate.custom_resource_definition(kind)
