"""The images under test: made from the checkout, and given to the nodes of a kind cluster."""

import os
from collections.abc import Iterable

from tools.image.builder import choose
from tools.image.images import Images
from tools.shell import run

VARIABLES = {"quintet": "QUINTET_IMAGE", "redis": "QUINTET_REDIS_IMAGE", "client": "QUINTET_CLIENT_IMAGE"}
"""Where the nodes of another cluster find them."""
KIND = "kind-"
"""How kind's contexts begin."""
DOCKER = "docker"
"""What kind takes images from."""


def provided() -> dict[str, str]:
    """By what they are. Raises KeyError with the variable that is missing."""
    return {name: os.environ[variable] for name, variable in VARIABLES.items()}


def make() -> dict[str, str]:
    """Their names, by what they are. Needs Docker, and no cluster yet. Raises Failed.

    The names tell the content: a pod that is to run another image is a pod that is started anew.
    """
    images = Images(choose(DOCKER), os.environ.get("BASE_IMAGE", ""))
    made = {"quintet": images.quintet(), "redis": images.redis(), "client": images.client()}
    return {what: _named(image) for what, image in made.items()}


def load(names: Iterable[str], context: str) -> None:
    run("kind", "load", "docker-image", f"--name={context.removeprefix(KIND)}", *names)


def _named(image: str) -> str:
    told = run(DOCKER, "image", "inspect", "--format", "{{.Id}}", image)
    name = f"{image.partition(':')[0]}:test-{told.strip().removeprefix('sha256:')[:12]}"
    run(DOCKER, "tag", image, name)
    return name
