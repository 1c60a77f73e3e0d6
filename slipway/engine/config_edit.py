"""Editing of Pulumi.<stack>.yaml that keeps comments, order and quoting."""

# ruamel.yaml's nodes are untyped containers; their content is what a user wrote.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import io
from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from slipway.engine.project import Project
from slipway.engine.secrets import PassphraseManager, StackSecrets
from slipway.engine.state.files import write_atomically
from slipway.errors import UsageError

_LONG_LINE = 4096
"""Ciphertexts must stay on one line: ruamel would fold them at 80 columns."""


class StackConfigFile:
    """One stack file being edited. Nothing is written before `save`."""

    def __init__(self, project: Project, stack: str, secrets: Callable[[], StackSecrets]) -> None:
        """Read the file, or begin an empty one. Raises UsageError for broken YAML. `secrets`: asked for when one is to be encrypted."""
        self._project = project
        self._find_secrets = secrets
        self.path = project.stack_config_path(stack)
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = _LONG_LINE
        self._yaml.indent(mapping=2, sequence=4, offset=2)
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
            data: Any = cast(Any, self._yaml).load(text)
        except YAMLError as error:
            raise UsageError(f"cannot be read: {error}", where=str(self.path), remedy="mend the YAML") from error
        self._data: CommentedMap = CommentedMap() if data is None else data

    def get(self, key: str) -> Any:
        """The value as it stands in the file; a secret as `{"secure": ciphertext}`. None: no such key."""
        config = self._config()
        return None if (found := self._find(key)) is None else config[found]

    def set(self, key: str, value: Any, *, secret: bool = False) -> None:
        """Set a key (`name` or `namespace:name`). A secret's `value` is text; it is encrypted, and the file gets its salt.

        Raises UsageError for an impossible key, or a plain value where the project declares a secret.
        """
        full_key = self._full_key(key)
        declared = self._project.config.get(full_key)
        if declared is not None and declared.secret and not secret:
            raise UsageError(
                f"'{key}' is declared a secret", where=str(self._project.path), remedy="set it with --secret"
            )
        config = self._config()
        config[self._find(key) or full_key] = self._seal(str(value)) if secret else value

    def remove(self, key: str) -> bool:
        """Remove a key; False: it was not there."""
        found = self._find(key)
        if found is None:
            return False
        del self._config()[found]
        return True

    def save(self) -> None:
        """Write the file: to a temporary name, then renamed."""
        buffer = io.StringIO()
        cast(Any, self._yaml).dump(self._data, buffer)
        write_atomically(self.path, buffer.getvalue().encode())

    def _config(self) -> CommentedMap:
        if self._data.get("config") is None:
            self._data["config"] = CommentedMap()
        return cast(CommentedMap, self._data["config"])

    def _full_key(self, key: str) -> str:
        try:
            return self._project.full_key(key)
        except ValueError as error:
            raise UsageError(str(error), where=str(self.path), remedy="write <name> or <namespace>:<name>") from error

    def _find(self, key: str) -> str | None:
        """The key as the file spells it."""
        wanted = self._full_key(key)
        for spelled in cast(list[Any], list(self._config())):
            try:
                if self._project.full_key(str(spelled)) == wanted:
                    return str(spelled)
            except ValueError:
                continue
        return None

    @cached_property
    def _secrets(self) -> StackSecrets:
        secrets = self._find_secrets()
        if salt := self._data.get("encryptionsalt"):
            secrets.use_file_salt(str(salt))
        return secrets

    def _seal(self, plaintext: str) -> CommentedMap:
        manager = self._secrets.manager()
        if isinstance(manager, PassphraseManager) and self._data.get("encryptionsalt") != manager.salt:
            # Before `config`, where the Pulumi CLI writes it.
            self._data.insert(0, "encryptionsalt", manager.salt)
            self._secrets.use_file_salt(manager.salt)
        sealed = CommentedMap()
        sealed["secure"] = manager.encrypt(plaintext)
        return sealed
