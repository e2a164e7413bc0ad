"""From the broker's errors to RFC 9457 problem details."""

import logging
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from quintet_broker import errors
from quintet_broker.protocols.problems import InternalError, MethodNotAllowed, NotFound, name, status

logger = logging.getLogger(__name__)

PREFIX = "/v1/"
PROBLEM = "application/problem+json"
RETRY_AFTER = "1"
"""Seconds, for refusals that are worth a retry."""


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Below /v1/ every refusal is a problem document, those of aiohttp itself included."""
    if not request.path.startswith(PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except errors.BrokerError as error:
        return _response(error)
    except web.HTTPRequestEntityTooLarge as error:
        return _response(errors.MessageTooLarge(f"The request's body is too large: {error.text}"))
    except web.HTTPNotFound:
        return _response(NotFound(f"There is no operation {request.method} {request.path}."))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return _response(MethodNotAllowed(f"{request.path} takes {allowed}."), {"Allow": allowed})
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        return _response(InternalError())


def problem(error: errors.BrokerError) -> dict[str, Any]:
    """The problem details of an error; `type` ends in the name of its class."""
    return {
        "type": f"urn:quintet:problem:{name(error)}",
        "title": (type(error).__doc__ or name(error)).strip(),
        "status": status(error),
        "detail": error.message,
    }


def _response(error: errors.BrokerError, headers: dict[str, str] | None = None) -> web.Response:
    details = problem(error)
    headers = dict(headers or {})
    if details["status"] in (429, 503):
        headers["Retry-After"] = RETRY_AFTER
    if details["status"] == 401:
        headers["WWW-Authenticate"] = 'Basic realm="quintet"'
    return web.json_response(details, status=details["status"], headers=headers, content_type=PROBLEM)
