import base64

import pytest

from quintet_operator.builders.external_redis import ExternalRedis, read


def secret(**data: str) -> dict[str, object]:
    return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}}


def test_what_a_secret_says_is_its_url_and_what_tls_needs() -> None:
    told = {"url": "rediss://a", "ca.crt": "pem", "tls.key": "", "other": "x"}
    assert read(secret(**told)) == ExternalRedis("rediss://a", {"ca.crt": "pem"})
    assert read(secret(url=" redis://a\n")) == ExternalRedis("redis://a")


@pytest.mark.parametrize("held", [{}, {"data": None}, secret(url=""), {"data": {"url": "no base64"}}])
def test_without_a_url_it_says_nothing(held: dict[str, object]) -> None:
    assert read(held) is None


@pytest.mark.parametrize(
    ("url", "keys", "words"),
    [
        ("redis://a", (), ""),
        ("rediss+sentinel://a/main", ("ca.crt",), ""),
        ("rediss+cluster://a", ("ca.crt", "tls.crt", "tls.key"), ""),
        ("rediss://a", ("tls.crt", "tls.key"), ""),
        ("redis://a", ("ca.crt",), "without TLS"),
        ("rediss://a", ("ca.crt", "tls.crt"), "one is there without the other"),
        ("rediss://a,b", ("ca.crt",), "several hosts"),
    ],
)
def test_what_cannot_be_used_is_told(url: str, keys: tuple[str, ...], words: str) -> None:
    fault = ExternalRedis(url, dict.fromkeys(keys, "pem")).fault
    assert (words in fault) if words else (fault == "")
    assert "pem" not in fault
