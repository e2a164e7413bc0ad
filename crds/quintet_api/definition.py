"""What makes a model a kind of Kubernetes: names, columns, scale; and the form that all manifests share."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from quintet_api import names
from quintet_api.common import Model

Schema = dict[str, Any]
"""A JSON schema, or another part of a CustomResourceDefinition."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    """JSONPath from the object: `.spec.ordering`."""
    type: str = "string"
    priority: int = 0
    """1: shown by `-o wide` only."""


@dataclass(frozen=True)
class Scale:
    """Where the scale subresource finds its numbers."""

    replicas: str
    status_replicas: str
    selector: str


@dataclass(frozen=True)
class Definition:
    """A kind's entry in the API."""

    kind: str
    plural: str
    short_name: str
    name_pattern: str
    name_max: int
    columns: tuple[Column, ...]
    """Those of the kind's own, between Reason and Age."""
    scale: Scale | None = None

    @property
    def name(self) -> str:
        """The CustomResourceDefinition's own name."""
        return f"{self.plural}.{names.GROUP}"

    @property
    def all_columns(self) -> tuple[Column, ...]:
        ready = f'.status.conditions[?(@.type=="{names.READY}")]'
        return (
            Column("Ready", f"{ready}.status"),
            Column("Reason", f"{ready}.reason"),
            *self.columns,
            Column("Age", ".metadata.creationTimestamp", "date"),
        )


class Metadata(Model):
    """The part of Kubernetes' ObjectMeta that is used; what else it holds is ignored."""

    model_config = ConfigDict(extra="ignore")

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    labels: Annotated[dict[str, str], Field(default_factory=dict)]
    annotations: Annotated[dict[str, str], Field(default_factory=dict)]


class Resource(Model):
    """A manifest of any kind; `definition` is the kind's entry in the API."""

    definition: ClassVar[Definition]

    api_version: Literal["quintet.dev/v1"] = "quintet.dev/v1"
    kind: str
    metadata: Metadata
