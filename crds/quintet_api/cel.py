"""The library that compiles and computes CEL: `compile(text).execute(variables)`."""

import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any


@cache
def cel() -> Any:
    """The compiled part of the package `cel`; the package itself imports a console too, which takes 0.2 s."""
    package = find_spec("cel")
    spec = PathFinder.find_spec("cel.cel", package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("the package common-expression-language is missing", name="cel")
    if spec.name not in sys.modules:
        sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])
    return sys.modules[spec.name]
