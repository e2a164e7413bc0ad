"""Access keys."""

import hashlib
import hmac
from base64 import urlsafe_b64decode

import pytest

from quintet_api.credentials import KeyId, key_id, parse_key_id, secret_key


def test_a_key_id_names_its_object() -> None:
    assert key_id("Queue", "shop", "orders", 2) == "Q.shop.orders.2"
    assert parse_key_id("Q.shop.orders.2") == KeyId("Queue", "shop", "orders", 2)
    assert parse_key_id(key_id("BrokerPool", "shop", "default")) == KeyId("BrokerPool", "shop", "default", 1)


@pytest.mark.parametrize(
    "text", ["", "any", "Q.shop.orders", "Q.shop.orders.0", "Q.Shop.orders.1", "X.shop.orders.1", "Q.shop.orders.1\n"]
)
def test_what_is_no_key_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an access key id"):
        parse_key_id(text)


def test_a_secret_key_follows_from_master_key_and_key_id() -> None:
    secret = secret_key(b"master", "Q.shop.orders.1")
    assert urlsafe_b64decode(secret + "=") == hmac.digest(b"master", b"Q.shop.orders.1", hashlib.sha256)
    assert len({secret, secret_key(b"other", "Q.shop.orders.1"), secret_key(b"master", "Q.shop.orders.2")}) == 3
