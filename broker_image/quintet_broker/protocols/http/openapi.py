"""The OpenAPI 3.1 document of /v1/, made of the routes and the types of their bodies."""

from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web

from quintet_broker.errors import InvalidArgument
from quintet_broker.protocols.http import codec, errors
from quintet_broker.protocols.http.routes import ROUTES, Route

PATH = "/v1/openapi.json"
DESCRIPTION = "Queues over HTTP. Every refusal is a problem document (RFC 9457) whose type names the error."


def mount(app: web.Application) -> None:
    """Serve the document to anybody."""
    body = msgspec.json.encode(document())

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app.router.add_get(PATH, serve)


def document() -> dict[str, Any]:
    """The whole document as JSON values."""
    kinds = {kind for route in ROUTES for kind in (route.body, route.answer) if kind} | {codec.Problem}
    _, schemas = msgspec.json.schema_components(sorted(kinds, key=str), ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Quintet", "version": version("quintet"), "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"accessKey": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"accessKey": []}, {}],
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": (route.handler.__doc__ or "").strip(),
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.body:
        operation["requestBody"] = {"required": _is_required(route.body), "content": _content(route.body)}
    return operation


def _is_required(kind: Any) -> bool:
    """A body that is left out is read as an empty object."""
    try:
        codec.decode(b"", kind)
    except InvalidArgument:
        return True
    return False


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}
        for name, description in route.query
    ]
    if "{name}" in route.path:
        schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,80}$"}
        parameters.append({"name": "name", "in": "path", "required": True, "schema": schema})
    if "{consumer}" in route.path:
        schema = {"type": "string", "pattern": "^[!-~]{1,128}$"}
        parameters.append({"name": "consumer", "in": "path", "required": True, "schema": schema})
    return parameters


def _responses(route: Route) -> dict[str, Any]:
    refused = {"description": "Refused.", "content": {errors.PROBLEM: _content(codec.Problem)["application/json"]}}
    done: dict[str, Any] = {"description": "Done."}
    if route.answer:
        done["content"] = _content(route.answer)
    return {"200" if route.answer else "204": done, "default": refused}


def _content(kind: Any) -> dict[str, Any]:
    schema = (
        {"$ref": f"#/components/schemas/{kind.__name__}"} if hasattr(kind, "__struct_fields__") else {"type": "object"}
    )
    return {"application/json": {"schema": schema}}
