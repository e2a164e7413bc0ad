"""From the broker's errors to RFC 9457 problem details."""

from typing import Any

from aiohttp import web

from quintet_broker import errors

PROBLEM = "application/problem+json"
RETRY_AFTER = "1"
"""Seconds, for refusals that are worth a retry."""

STATUS: dict[type[errors.BrokerError], int] = {
    errors.InvalidArgument: 400,
    errors.UnknownKey: 401,
    errors.AccessDenied: 403,
    errors.QueueNotFound: 404,
    errors.QueueExists: 409,
    errors.QueueDeclared: 409,
    errors.DeadLetterQueueNotFound: 409,
    errors.ReceiptStale: 410,
    errors.MessageTooLarge: 413,
    errors.ReceiptInvalid: 422,
    errors.TooManyInFlight: 429,
    errors.QueueFull: 429,
    errors.PoolFull: 429,
    errors.Overloaded: 503,
    errors.Unavailable: 503,
    errors.Unsupported: 501,
}


def problem(error: errors.BrokerError) -> dict[str, Any]:
    """The problem details of an error; `type` ends in the name of its class."""
    name = type(error).__name__
    return {
        "type": f"urn:quintet:problem:{name}",
        "title": (type(error).__doc__ or name).strip(),
        "status": STATUS.get(type(error), 500),
        "detail": error.message,
    }


def response(error: errors.BrokerError) -> web.Response:
    """The answer to a request that was refused."""
    details = problem(error)
    headers = {}
    if details["status"] in (429, 503):
        headers["Retry-After"] = RETRY_AFTER
    if details["status"] == 401:
        headers["WWW-Authenticate"] = 'Basic realm="quintet"'
    return web.json_response(details, status=details["status"], headers=headers, content_type=PROBLEM)
