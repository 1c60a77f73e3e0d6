"""Pulumi.yaml: the project, its program and the types of its configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from slipway.engine.yaml_text import load_yaml_mapping
from slipway.errors import UsageError

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
TYPES = ("string", "integer", "boolean", "array", "object")


@dataclass(frozen=True, kw_only=True)
class ConfigDeclaration:
    """One key of Pulumi.yaml's `config:`."""

    key: str
    """Full key, `namespace:name`."""
    type: str | None = None
    """`string`, `integer`, `boolean`, `array`, `object`; None: untyped (a short form, or a key of another namespace)."""
    items: Mapping[str, Any] | None = None
    """The element's {"type", "items"?} of an array."""
    description: str = ""
    default: Any = None
    """Used where the stack file has no such key; None: none."""
    value: Any = None
    """The same, for keys of other namespaces and the short form."""
    secret: bool = False
    """True: the stack file must hold it encrypted."""

    @property
    def type_text(self) -> str:
        """The type in Pulumi's words: `array<array<string>>`."""
        return _type_text({"type": self.type, "items": self.items})


@dataclass(frozen=True, kw_only=True)
class Project:
    """A loaded Pulumi.yaml."""

    name: str
    runtime: str
    root: Path
    """The folder of Pulumi.yaml."""
    path: Path
    """Pulumi.yaml itself."""
    runtime_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    main: str = ""
    description: str = ""
    stack_config_dir: str = ""
    backend_url: str = ""
    """`backend.url`: used when PULUMI_BACKEND_URL is not set."""
    refresh_always: bool = False
    """`options.refresh: always`."""
    config: Mapping[str, ConfigDeclaration] = field(default_factory=dict[str, ConfigDeclaration])
    """By full key."""
    provider_paths: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """`plugins.providers`: folder of a local plugin by package name."""

    @property
    def entry_point(self) -> Path:
        """The file or folder to run: `main`, else the root."""
        return (self.root / self.main).resolve() if self.main else self.root

    @property
    def program_directory(self) -> Path:
        """The working directory of the program: the entry point, or the folder it lies in."""
        return self.entry_point if self.entry_point.is_dir() else self.entry_point.parent

    def full_key(self, key: str) -> str:
        """`name` as `<project>:name`, `namespace:config:name` as `namespace:name`. Raises ValueError for another form."""
        parts = key.split(":")
        if len(parts) == 1:
            parts = [self.name, *parts]
        elif len(parts) == 3 and parts[1] == "config":
            parts = [parts[0], parts[2]]
        if len(parts) != 2 or not all(parts):
            raise ValueError(f"{key!r} is no configuration key: want <name> or <namespace>:<name>")
        return ":".join(parts)

    def stack_config_path(self, stack: str) -> Path:
        """Pulumi.<stack>.yaml, in `stackConfigDir` if that is given. A `.yml` or `.json` file is taken where it exists."""
        folder = self.root / self.stack_config_dir
        candidates = [folder / f"Pulumi.{stack}{suffix}" for suffix in (".yaml", ".yml", ".json")]
        return next((path for path in candidates if path.is_file()), candidates[0])


def load_project(directory: Path) -> Project:
    """Read Pulumi.yaml (or .yml, .json) of `directory` or of its nearest parent. Raises one UsageError with every fault."""
    path = find_project(directory)
    data = load_yaml_mapping(path)
    faults = list(_faults(data))
    if faults:
        raise UsageError("\n  ".join(["the project file has faults:", *faults]), where=str(path), remedy="mend them")
    name = str(data["name"])
    runtime = data.get("runtime")
    options = cast(dict[str, Any], runtime) if isinstance(runtime, dict) else {"name": runtime}
    # Old projects wrote the folder of the stack files as `config: <folder>`.
    config = data.get("config")
    folder = config if isinstance(config, str) else data.get("stackConfigDir") or ""
    return Project(
        name=name,
        runtime=str(options.get("name") or ""),
        runtime_options=options.get("options") or {},
        root=path.parent,
        path=path,
        main=data.get("main") or "",
        description=data.get("description") or "",
        stack_config_dir=folder,
        backend_url=str(_mapping(data, "backend").get("url") or ""),
        refresh_always=_mapping(data, "options").get("refresh") == "always",
        config=_declarations(name, _mapping(data, "config")),
        provider_paths=_provider_paths(path.parent, data),
    )


def find_project(directory: Path) -> Path:
    """The project file that governs `directory`. Raises UsageError when there is none."""
    for folder in (directory.resolve(), *directory.resolve().parents):
        for name in PROJECT_FILES:
            if (folder / name).is_file():
                return folder / name
    raise UsageError(
        "no Pulumi.yaml project file found in this folder or above it",
        where=str(directory),
        remedy="run from inside a project, or name one",
    )


def matches_type(value: Any, type_name: str | None, items: Mapping[str, Any] | None) -> bool:
    """Whether a configuration value is of a declared type, by Pulumi's rules: text that reads as a number is an integer."""
    if type_name is None:
        return True
    if type_name == "integer":
        return _is_integer(value)
    if type_name == "boolean":
        return isinstance(value, bool) or value in {"true", "false"}
    if type_name == "array":
        return isinstance(value, list) and all(
            matches_type(item, (items or {}).get("type"), (items or {}).get("items")) for item in cast(list[Any], value)
        )
    return isinstance(value, str if type_name == "string" else dict)


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        digits = value[1:] if value[:1] in {"+", "-"} else value
        return digits.isascii() and digits.isdigit()
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _type_text(declared: Mapping[str, Any]) -> str:
    items: Any = declared.get("items")
    if declared.get("type") == "array" and items:
        return f"array<{_type_text(items)}>"
    return str(declared.get("type"))


def _declarations(project: str, config: dict[str, Any]) -> dict[str, ConfigDeclaration]:
    result: dict[str, ConfigDeclaration] = {}
    for key, declared in config.items():
        full_key = key if ":" in key else f"{project}:{key}"
        if not isinstance(declared, dict):
            # Short form: a default in the own namespace, a value in another one. Pulumi infers no type from it.
            own = full_key.startswith(f"{project}:")
            fields: dict[str, Any] = {"default" if own else "value": declared}
        else:
            fields = cast(dict[str, Any], declared)
        known = {name: fields.get(name) for name in ("type", "items", "default", "value")}
        result[full_key] = ConfigDeclaration(
            key=full_key, description=fields.get("description") or "", secret=fields.get("secret") is True, **known
        )
    return result


def _provider_paths(root: Path, data: Mapping[str, Any]) -> dict[str, Path]:
    return {str(plugin["name"]): (root / str(plugin["path"])).resolve() for plugin in _plugin_list(data)}


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value: Any = data.get(key)
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _faults(data: Mapping[str, Any]) -> Iterator[str]:
    name = data.get("name")
    if not isinstance(name, str) or not name:
        yield "`name` is missing: write the project's name"
    runtime = data.get("runtime")
    if not isinstance(runtime, (str, dict)) or not runtime:
        yield "`runtime` is missing: write `runtime: python`"
    for key in ("main", "stackConfigDir", "description"):
        if not isinstance(data.get(key) or "", str):
            yield f"`{key}` must be text"
    for key in ("backend", "options", "plugins"):
        if not isinstance(data.get(key) or {}, dict):
            yield f"`{key}` must be a mapping"
    for plugin in _plugin_list(data):
        if not isinstance(plugin, dict) or not {"name", "path"} <= set(cast(dict[str, Any], plugin)):
            yield "`plugins.providers` must hold entries with `name` and `path`"
    yield from _schema_faults(str(name), data.get("config"), bool(data.get("stackConfigDir")))


def _schema_faults(project: str, config: Any, has_folder: bool) -> Iterator[str]:
    if isinstance(config, str):
        if has_folder:
            yield "`config` holds a folder and so does `stackConfigDir`: keep `stackConfigDir` only"
    elif isinstance(config, dict):
        for key, declared in cast(dict[Any, Any], config).items():
            yield from _config_faults(project, str(key), declared)
    elif config is not None:
        yield "`config` must be a mapping of keys to declarations"


def _plugin_list(data: Mapping[str, Any]) -> list[Any]:
    found: Any = _mapping(data, "plugins").get("providers")
    return cast(list[Any], found) if isinstance(found, list) else []


def _config_faults(project: str, key: str, declared: Any) -> Iterator[str]:
    own = ":" not in key or key.startswith(f"{project}:")
    if not isinstance(declared, dict):
        return
    fields = cast(dict[str, Any], declared)
    type_name, default = fields.get("type"), fields.get("default")
    if default is not None and fields.get("value") is not None:
        yield f"config key '{key}' has both `default` and `value`: keep one"
    if not own:
        if type_name is not None or default is not None:
            yield f"config key '{key}' belongs to another namespace: write `value`, no `type` and no `default`"
        elif fields.get("value") is None:
            yield f"config key '{key}' belongs to another namespace and needs a `value`"
        return
    if type_name is not None and type_name not in TYPES:
        yield f"config key '{key}' has the unknown type {type_name!r}: want one of {', '.join(TYPES)}"
    elif type_name == "array" and not isinstance(fields.get("items"), dict):
        yield f"config key '{key}' is an array: say what of in `items`"
    elif default is not None and not matches_type(default, type_name, fields.get("items")):
        yield f"config key '{key}': the default {json.dumps(default)} is not of type {_type_text(fields)}"
