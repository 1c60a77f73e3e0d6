"""Pulumi.<stack>.yaml: configuration values, read, checked against Pulumi.yaml and edited in place.

A value is text, a number, a boolean, a list or an object; a secret is `secure: <ciphertext>` at any depth. To the program all values
are text: objects and lists as JSON with sorted keys, booleans as `true` and `false`. Source: `sdk/go/common/resource/config` and
`pkg/workspace/config.go` of pulumi/pulumi.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from slipway.engine.project import ConfigDeclaration, Project, matches_type
from slipway.engine.secrets import DecryptionError, PassphraseManager, StackSecrets
from slipway.engine.yaml_text import load_yaml_mapping
from slipway.errors import UsageError

_NOTHING = object()


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The configuration of one stack, decrypted, with the project's defaults applied."""

    values: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """Full key -> text; objects and lists as JSON text, booleans `true`/`false`."""
    secret_keys: frozenset[str] = frozenset()
    """Full keys that hold a secret at any depth."""
    path: Path | None = None
    recorded: dict[str, Any] = field(default_factory=dict[str, Any])
    """Full key -> text, {"secure": ciphertext}, or an object or list with such at any depth: what a stack's history keeps."""


def load_stack_config(project: Project, stack: str, secrets: StackSecrets) -> StackConfig:
    """Read, decrypt and validate. Raises one UsageError that names every fault by file and key, with its remedy.

    A missing file is an empty configuration. A salt in the file becomes `secrets`' own.
    """
    path = project.stack_config_path(stack)
    data = load_yaml_mapping(path) if path.is_file() else {}
    faults = list(_file_faults(data))
    if faults:
        raise _error(path, faults)
    salt = data.get("encryptionsalt")
    if salt:
        secrets.use_file_salt(salt)
    reader = _Reader(project, stack, secrets)
    reader.read(cast(dict[Any, Any], data.get("config") or {}))
    reader.apply_declarations()
    if reader.faults:
        raise _error(path, reader.faults)
    return StackConfig(
        values=reader.values, secret_keys=frozenset(reader.secret_keys), path=path, recorded=reader.recorded
    )


def config_text(value: Any) -> str:
    """A value as the program gets it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _recorded(value: Any) -> Any:
    """A value as the history keeps it: Pulumi's own keeps numbers and booleans of the file as text, too."""
    return cast(Any, value) if isinstance(value, (dict, list)) else config_text(value)


def _error(path: Path, faults: list[str]) -> UsageError:
    if len(faults) == 1:
        what, _, remedy = faults[0].partition(" → ")
        return UsageError(what, where=str(path), remedy=remedy)
    listed = "".join(f"\n  {number}. {fault}" for number, fault in enumerate(faults, start=1))
    return UsageError(f"the stack's configuration has {len(faults)} faults:{listed}", where=str(path))


def _file_faults(data: dict[str, Any]) -> Iterator[str]:
    provider = data.get("secretsprovider")
    if provider and provider != "passphrase":
        yield f"secretsprovider: {provider!r} is not supported → use the passphrase provider, or the Pulumi CLI"
    if data.get("encryptedkey"):
        yield "encryptedkey: keys of a cloud's key service are not supported → use the Pulumi CLI for this stack"
    if data.get("environment"):
        yield "environment: Pulumi ESC environments are not supported → write their values under `config`"
    if not isinstance(data.get("encryptionsalt") or "", str):
        yield "encryptionsalt: must be text → restore the salt the secrets were encrypted with"
    if not isinstance(data.get("config") or {}, dict):
        yield "config: must be a mapping of keys to values → write `namespace:name: value` lines below it"


class _Reader:
    """Collects values and faults of one stack file."""

    def __init__(self, project: Project, stack: str, secrets: StackSecrets) -> None:
        self._project = project
        self._stack = stack
        self._secrets = secrets
        self._plain: dict[str, Any] = {}
        self.values: dict[str, str] = {}
        self.secret_keys: set[str] = set()
        self.recorded: dict[str, Any] = {}
        self.faults: list[str] = []

    def read(self, config: dict[Any, Any]) -> None:
        for key, value in config.items():
            try:
                full_key = self._project.full_key(str(key))
            except ValueError as error:
                self.faults.append(f"config: {error}")
                continue
            self._read_value(full_key, value)

    def _read_value(self, key: str, value: Any) -> None:
        found_secrets: list[str] = []

        def open_secret(ciphertext: str) -> str:
            found_secrets.append(ciphertext)
            return self._decrypt(ciphertext)

        try:
            plain = map_secure(value, open_secret)
        except DecryptionError as error:
            self.faults.append(f"{key}: {error} → set it again with `slipway config set --secret`")
            plain = ""
        self._plain[key] = plain
        self.values[key] = config_text(plain)
        self.recorded[key] = _recorded(value)
        if found_secrets:
            self.secret_keys.add(key)

    def _decrypt(self, ciphertext: str) -> str:
        manager = self._secrets.manager()
        if not self._secrets.file_salt and isinstance(manager, PassphraseManager):
            raise DecryptionError("is a secret, but the file has no `encryptionsalt` to open it with")
        return manager.decrypt(ciphertext)

    def apply_declarations(self) -> None:
        missing: list[str] = []
        for key, declared in sorted(self._project.config.items()):
            if key in self.values:
                self.faults.extend(self._value_faults(declared, self._plain[key]))
                continue
            fallback = declared.default if declared.default is not None else declared.value
            if fallback is not None:
                self.values[key], self.recorded[key] = config_text(fallback), _recorded(fallback)
                # Pulumi's rule, too: what is declared a secret can have no default, which is plain text.
                self.faults.extend(self._value_faults(declared, fallback))
            elif key.startswith(f"{self._project.name}:"):
                missing.append(key.partition(":")[2])
        if missing:
            names = ", ".join(f"'{name}'" for name in missing)
            plural = "value" if len(missing) == 1 else "values"
            commands = "; ".join(self._command(name) for name in missing)
            self.faults.append(f"Stack '{self._stack}' is missing configuration {plural} {names} → run {commands}")

    def _command(self, name: str) -> str:
        declared = self._project.config[f"{self._project.name}:{name}"]
        return f"slipway config set {self._stack} {name} {'--secret' if declared.secret else '<value>'}"

    def _value_faults(self, declared: ConfigDeclaration, value: Any) -> Iterator[str]:
        name = declared.key.removeprefix(f"{self._project.name}:")
        if declared.secret and declared.key not in self.secret_keys:
            yield (
                f"Stack '{self._stack}' with configuration key '{name}' must be encrypted as it's secret"
                f" → run slipway config set {self._stack} {name} --secret"
            )
        # A number or boolean of the file is text to the program, so text is what a declared type is checked against.
        checked: Any = value if isinstance(value, (list, dict)) else config_text(value)  # pyright: ignore[reportUnknownVariableType]
        if not matches_type(checked, declared.type, declared.items):
            shown = "a secret" if declared.secret or declared.key in self.secret_keys else config_text(value)
            yield (
                f"Stack '{self._stack}' with configuration key '{name}' must be of type '{declared.type_text}',"
                f" but is {shown} → write a value of that type"
            )


def map_secure(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with the ciphertext of every `{secure: …}` replaced by what `change` makes of it (a plain text)."""
    if isinstance(value, dict):
        fields = cast(dict[Any, Any], value)
        secure: Any = fields.get("secure", _NOTHING)
        if len(fields) == 1 and isinstance(secure, str):
            return change(secure)
        return {str(key): map_secure(item, change) for key, item in fields.items()}
    if isinstance(value, list):
        return [map_secure(item, change) for item in cast(list[Any], value)]
    return value
