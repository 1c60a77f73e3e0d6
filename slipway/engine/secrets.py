"""Secrets of a stack: Pulumi's passphrase provider, its key derived once per process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class SecretsManager(Protocol):
    """Encrypts and decrypts texts for one salt."""

    type: str
    """`passphrase` or `b64`, as in the state's `secrets_providers.type`."""

    @property
    def state(self) -> Mapping[str, Any]:
        """The state's `secrets_providers.state`."""
        ...

    def encrypt(self, plaintext: str) -> str: ...
    def decrypt(self, ciphertext: str) -> str: ...


class StackSecrets:
    """The secrets of one stack. One object is shared by the stack's store (`StackStore.secrets`) and its configuration."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """`environ`: where PULUMI_CONFIG_PASSPHRASE(_FILE) is read from; None: os.environ. Nothing is read before it is needed."""
        raise NotImplementedError

    def manager(self) -> SecretsManager:
        """What new values are encrypted with: salt of the stack file, else of the state, else a new one."""
        raise NotImplementedError

    def manager_for(self, kind: str, state: Mapping[str, Any]) -> SecretsManager:
        """The manager a state file names. Raises UsageError for a wrong passphrase or an unsupported kind."""
        raise NotImplementedError
