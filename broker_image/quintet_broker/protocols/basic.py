"""Basic: the credentials of our own faces (RFC 7617)."""

import base64
import binascii
import hmac

from aiohttp import web

from quintet_broker.errors import UnknownKey
from quintet_broker.services.access import Access


def key_id(request: web.Request, access: Access) -> str:
    """The key id of credentials whose secret is right. Raises UnknownKey."""
    scheme, _, packed = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise UnknownKey("This needs Basic credentials: access key id and secret access key.")
    try:
        key_id, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise UnknownKey("The Basic credentials cannot be read.") from error
    if not hmac.compare_digest(access.secret(key_id).encode(), secret.encode()):
        raise UnknownKey("The secret access key is wrong.")
    return key_id
