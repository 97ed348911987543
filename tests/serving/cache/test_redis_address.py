"""Addresses of Redis: which are valid, and which parts messages show."""

import pytest

from homei.config import params
from homei.serving.cache import redis_address as asked
from homei.serving.cache.redis_address import CacheError, address, shown

SETTINGS = params.pick("serve").serve.cache


def test_without_the_environment_there_is_no_redis(monkeypatch):
    monkeypatch.delenv(SETTINGS.address_variable, raising=False)
    assert address(SETTINGS) is None
    monkeypatch.setenv(SETTINGS.address_variable, "")
    assert address(SETTINGS) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("redis://:secret@cache.example.com", "redis://cache.example.com:6379/0"),
        ("rediss://me:secret@10.0.0.1:7000/2?ssl_ca_certs=/secret", "rediss://10.0.0.1:7000/2"),
        ("redis://:secret@[::1]:7000", "redis://[::1]:7000/0"),
    ],
)
def test_an_address_is_shown_without_its_secrets(given, told, monkeypatch):
    monkeypatch.setenv(SETTINGS.address_variable, given)
    assert address(SETTINGS) == given
    assert shown(given) == told


@pytest.mark.parametrize(
    "given",
    [
        "secret",
        "http://secret@host",
        "redis://",
        "redis://:secret@:6379/0",
        "redis://host:secret/0",
        "redis://host:0/secret",
        "redis://[secret/0",
        "redis://host/secret",
        "redis://host/0?password=secret",
        "redis://host/0?secret=secret&pickle_type=default",
        "redis://host/0?secret",
        "mem://?secret=1",
    ],
)
def test_an_invalid_address_is_refused_and_not_shown(given, monkeypatch):
    monkeypatch.setenv(SETTINGS.address_variable, given)
    with pytest.raises(CacheError, match=r"^HOMEI_CACHE is no address of a Redis: redis://") as told:
        address(SETTINGS)
    assert "secret" not in str(told.value)
    assert told.value.__cause__ is None and told.value.__context__ is None


def test_a_missing_redis_client_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setenv(SETTINGS.address_variable, "redis://:secret@host")
    monkeypatch.setattr(asked.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CacheError, match=r"^HOMEI_CACHE names a Redis: pip install 'homei\[redis\]'$"):
        address(SETTINGS)
