import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_operator.builders.redis_url import KINDS, fault


@pytest.mark.parametrize(
    "url",
    [
        "redis://our-redis",
        "redis://our-redis.shop.svc:6379/0",
        "redis://:p%40ss@10.0.0.7:6379/3",
        "rediss://user:p@ss:w0rd!@[fd00::7]:6380?ssl_cert_reqs=none",
        "redis+sentinel://a:26379,b:26379,c/main",
        "rediss+sentinel://:secret@a/main/2",
        "redis+cluster://user:secret@a:7000,b:7001,[::1]:7002",
        "redis+cluster://a/0",
    ],
)
def test_what_leads_to_a_redis_is_right(url: str) -> None:
    assert fault(url) == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("our-redis:6379", "does not begin with one of redis://, rediss://, redis+sentinel://"),
        ("http://:secret@our-redis", "does not begin with one of"),
        ("unix:///run/secret.sock", "does not begin with one of"),
        ("redis:///0", "does not begin with one of"),
        ("redis://[::1", "no URL"),
        ("redis://:secret@", "not host or host:port"),
        ("redis://:sec/ret@our-redis:6379/0", "%2F"),
        ("redis://:sec#ret@our-redis:6379/0", "%23"),
        ("redis://secret:70000", "not host or host:port"),
        ("redis://secret:0", "not host or host:port"),
        ("redis://a,b", "only redis+sentinel:// and redis+cluster:// take"),
        ("redis+sentinel://a,,b/main", "not host or host:port"),
        ("redis+sentinel://a,b", "redis+sentinel://host:26379/<name>"),
        ("redis://a/secret", "not the number of a database"),
        ("redis://a/1/2", "not the number of a database"),
        ("redis+sentinel://a/main/secret", "not the number of a database"),
        ("redis+cluster://a/1", "has the database 0 alone"),
    ],
)
def test_what_leads_nowhere_is_told_without_what_it_holds(url: str, words: str) -> None:
    assert words in fault(url)
    assert "secret" not in fault(url)


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=20))
def test_nothing_of_it_is_ever_repeated(scheme: str, text: str) -> None:
    told = {fault(f"{scheme}://{text}"), fault(text)}
    known = {
        "",
        *(fault(url) for url in ("", "redis://[", "redis://:", "redis://a,b", "redis://a/x")),
        *(fault(f"redis+{url}") for url in ("sentinel://a", "cluster://a/1")),
    }
    assert told <= known
