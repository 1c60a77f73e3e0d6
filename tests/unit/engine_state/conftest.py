"""Salts that tests make are derived in one round: a million, as the format wants, take 0.25 s each."""

from __future__ import annotations

import base64
import functools
import hashlib

import pytest

from slipway.engine import secrets
from tests.unit.engine_state.test_secrets import SALT

_DERIVE = hashlib.pbkdf2_hmac
_VECTOR_SALT = base64.b64decode(SALT.split(":")[1])


@functools.cache
def _derive_quickly(name: str, passphrase: bytes, salt: bytes, rounds: int, length: int) -> bytes:
    return _DERIVE(name, passphrase, salt, rounds if salt == _VECTOR_SALT else 1, length)


@pytest.fixture(autouse=True)
def _quick_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all tests of this folder; Pulumi's own vector keeps its million rounds."""
    monkeypatch.setattr(secrets.hashlib, "pbkdf2_hmac", _derive_quickly)
