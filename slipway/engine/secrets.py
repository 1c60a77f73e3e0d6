"""Secrets of a stack: Pulumi's passphrase provider, its key derived once per process.

A key is PBKDF2-HMAC-SHA256 of the passphrase (1,000,000 rounds, 8 bytes of salt); a value is AES-256-GCM under it,
written `v1:<nonce>:<ciphertext and tag>` in base64. The salt is written with a sample that tells a wrong passphrase at
once: `v1:<salt>:v1:<nonce>:<ciphertext of "pulumi">`. Source: `pkg/secrets/passphrase` of pulumi/pulumi.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from slipway.errors import UsageError

ROUNDS = 1_000_000
"""Fixed by the format: another number makes every existing secret unreadable."""

_KEY_BYTES = 32
_SALT_BYTES = 8
_NONCE_BYTES = 12
_NONCES_AT_ONCE = 256
_SAMPLE = "pulumi"


class DecryptionError(Exception):
    """A ciphertext that this key does not open. Callers say where it stands."""


class SecretsManager(Protocol):
    """Encrypts and decrypts texts for one salt."""

    type: ClassVar[str]
    """`passphrase` or `b64`, as in the state's `secrets_providers.type`."""

    @property
    def state(self) -> Mapping[str, Any]:
        """The state's `secrets_providers.state`."""
        ...

    def encrypt(self, plaintext: str) -> str:
        """A new ciphertext; two calls never answer the same."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """The plain text. Raises DecryptionError."""
        ...


class PassphraseManager:
    """Secrets under a passphrase."""

    type: ClassVar[str] = "passphrase"

    def __init__(self, salt: str, key: bytes) -> None:
        """`salt`: the whole `encryptionsalt` text. Use `open_passphrase` or `new_passphrase`, which verify it."""
        self.salt = salt
        self._cipher = AESGCM(key)
        self._nonces: list[tuple[int, bytes]] = []

    @property
    def state(self) -> Mapping[str, Any]:
        """The salt, as the state file keeps it."""
        return {"salt": self.salt}

    def encrypt(self, plaintext: str) -> str:
        """Encrypt under a fresh nonce."""
        nonce = self._next_nonce()
        return f"v1:{_b64(nonce)}:{_b64(self._cipher.encrypt(nonce, plaintext.encode(), None))}"

    def _next_nonce(self) -> bytes:
        """A random nonce never used before, drawn by the hundred: each draw gives up the interpreter's lock."""
        process = os.getpid()
        while True:
            try:
                owner, nonce = self._nonces.pop()
            except IndexError:
                drawn = os.urandom(_NONCE_BYTES * _NONCES_AT_ONCE)
                starts = range(0, len(drawn), _NONCE_BYTES)
                self._nonces.extend((process, drawn[start : start + _NONCE_BYTES]) for start in starts)
                continue
            if owner == process:  # a forked process must not use what its parent uses too
                return nonce

    def decrypt(self, ciphertext: str) -> str:
        """Decrypt, or raise DecryptionError."""
        version, _, rest = ciphertext.partition(":")
        nonce, _, sealed = rest.partition(":")
        if version != "v1" or not sealed:
            raise DecryptionError("a secret is not written as v1:<nonce>:<ciphertext>")
        try:
            opened = self._cipher.decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None)
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise DecryptionError("a secret was encrypted with another passphrase or salt, or is damaged") from error
        return opened.decode()


class Base64Manager:
    """No secrecy at all: Pulumi's `b64` provider, for tests."""

    type: ClassVar[str] = "b64"

    @property
    def state(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def encrypt(self, plaintext: str) -> str:
        """Base64 text."""
        return _b64(plaintext.encode())

    def decrypt(self, ciphertext: str) -> str:
        """The text, or DecryptionError."""
        try:
            return base64.b64decode(ciphertext, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise DecryptionError("a secret of the b64 provider is no base64 text") from error


def open_passphrase(salt: str, passphrase: str) -> PassphraseManager:
    """The manager of an existing salt. Raises UsageError if the salt is malformed or the passphrase is another one."""
    version, _, rest = salt.partition(":")
    encoded, _, sample = rest.partition(":")
    try:
        raw_salt = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw_salt = b""
    if version != "v1" or not raw_salt or not sample:
        raise UsageError(
            "malformed encryption salt: want v1:<salt>:v1:<nonce>:<ciphertext>",
            where="encryptionsalt",
            remedy="restore the salt the secrets were encrypted with; a new one cannot open them",
        )
    manager = PassphraseManager(salt, _derive_key(passphrase, raw_salt))
    try:
        verified = manager.decrypt(sample) == _SAMPLE
    except DecryptionError:
        verified = False
    if not verified:
        raise UsageError(
            "incorrect passphrase",
            where="PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
            remedy="set the passphrase the stack's secrets were encrypted with",
        )
    return manager


def new_passphrase(passphrase: str) -> PassphraseManager:
    """A manager with a new salt."""
    raw_salt = os.urandom(_SALT_BYTES)
    key = _derive_key(passphrase, raw_salt)
    sample = PassphraseManager("", key).encrypt(_SAMPLE)
    return PassphraseManager(f"v1:{_b64(raw_salt)}:{sample}", key)


def read_passphrase(environ: Mapping[str, str]) -> str:
    """PULUMI_CONFIG_PASSPHRASE (it may be empty), else the trimmed content of PULUMI_CONFIG_PASSPHRASE_FILE."""
    passphrase = environ.get("PULUMI_CONFIG_PASSPHRASE")
    if passphrase is not None:
        return passphrase
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if not file:
        raise UsageError(
            "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
            remedy="set one of them; in the sandbox `slipway sandbox env` prints it",
        )
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(
            f"unable to read the passphrase: {error.strerror}",
            where=f"PULUMI_CONFIG_PASSPHRASE_FILE={file}",
            remedy="point it to a readable file",
        ) from error


class StackSecrets:
    """The secrets of one stack. One object is shared by the stack's store and its configuration."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """`environ`: where the passphrase is read from; None: os.environ. Nothing is read before it is needed."""
        self._environ = os.environ if environ is None else environ
        self._lock = threading.RLock()
        self._managers: dict[str, SecretsManager] = {}
        self._primary: SecretsManager | None = None
        self._file_salt = ""
        self._state: tuple[str, Mapping[str, Any]] | None = None

    @property
    def file_salt(self) -> str:
        """The stack file's `encryptionsalt`, "" if it has none."""
        return self._file_salt

    def use_file_salt(self, salt: str) -> None:
        """Tell the salt of the stack file: it wins over the state's."""
        self._file_salt = salt
        self._primary = None

    def use_state(self, kind: str, state: Mapping[str, Any]) -> None:
        """Tell the provider the state file names: used unless the stack file has a salt."""
        self._state = (kind, state)
        if not self._file_salt:
            self._primary = None

    def manager(self) -> SecretsManager:
        """What new values are encrypted with: salt of the stack file, else of the state, else a new one."""
        with self._lock:
            if self._primary is None:
                if self._file_salt:
                    self._primary = self.manager_for(PassphraseManager.type, {"salt": self._file_salt})
                elif self._state is not None:
                    self._primary = self.manager_for(*self._state)
                else:
                    self._primary = new_passphrase(read_passphrase(self._environ))
            return self._primary

    def provider_state(self) -> tuple[str, Mapping[str, Any]] | None:
        """Type and state for the state file's `secrets_providers`; None while the stack has no secret and no salt."""
        if self._file_salt:
            return PassphraseManager.type, {"salt": self._file_salt}
        if self._primary is not None:
            return self._primary.type, self._primary.state
        return self._state

    def manager_for(self, kind: str, state: Mapping[str, Any]) -> SecretsManager:
        """The manager a state file names. Raises UsageError for a wrong passphrase or an unsupported kind."""
        if kind == Base64Manager.type:
            return Base64Manager()
        if kind != PassphraseManager.type:
            raise UsageError(
                f"the secrets provider {kind!r} is not supported",
                where="secrets_providers.type",
                remedy="change it with `pulumi stack change-secrets-provider passphrase`",
            )
        salt = str(state.get("salt", ""))
        with self._lock:
            if salt not in self._managers:
                self._managers[salt] = open_passphrase(salt, read_passphrase(self._environ))
            return self._managers[salt]


_KEYS: dict[tuple[bytes, bytes], bytes] = {}
"""Derived keys by digest of passphrase and by salt: one costs about 0.25 s, and a program may open several stacks."""

_KEYS_LOCK = threading.Lock()


def _derive_key(passphrase: str, salt: bytes) -> bytes:
    identity = (hashlib.sha256(passphrase.encode()).digest(), salt)
    with _KEYS_LOCK:
        if identity not in _KEYS:
            _KEYS[identity] = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, _KEY_BYTES)
        return _KEYS[identity]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
