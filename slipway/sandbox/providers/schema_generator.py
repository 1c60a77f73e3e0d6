"""Write `schema.json`: what the installed pulumi-aws SDK says about the types and functions that this provider serves.

Run `python -m slipway.sandbox.providers.schema_generator` after an upgrade of pulumi-aws; a test compares the file with the SDK.
The SDK is read as source, not imported: 30 modules of it take seconds to import, and the type hints say no more than the text.

A type is written `string`, `boolean`, `integer`, `number`, `asset`, `any`, `list<T>`, `map<T>` or `#Name`, an object of `types`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from slipway.sandbox.providers.framework.schema import SCHEMA_PATH
from slipway.sandbox.providers.services import registry

_SCALARS = {"str": "string", "bool": "boolean", "int": "integer", "float": "number", "Any": "any"}
_WRAPPERS = frozenset({"Input", "Output", "Optional", "NotRequired", "Awaitable"})


def sdk_path() -> Path:
    """The folder of the installed `pulumi_aws` package."""
    spec = importlib.util.find_spec("pulumi_aws")
    if spec is None or spec.origin is None:
        raise SystemExit("pulumi_aws is not installed")
    return Path(spec.origin).parent


def snake(name: str) -> str:
    """`loadBalancer` as the SDK's file names have it: `load_balancer`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


_STATEMENT = re.compile(r"^(?=class (\w+)|[^\s#)\]}'\"])", re.MULTILINE)
"""Where a statement of a module's top level begins; group 1 names a class."""


class _File:
    """The classes of one SDK file, each parsed when it is asked for: whole files have 50,000 lines, and few classes are wanted."""

    def __init__(self, path: Path) -> None:
        text = path.read_text() if path.exists() else ""
        starts = list(_STATEMENT.finditer(text))
        ends = [start.start() for start in starts[1:]] + [len(text)]
        self._sources = {
            start[1]: text[start.start() : end] for start, end in zip(starts, ends, strict=False) if start[1]
        }
        self._parsed: dict[str, ast.ClassDef] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def get(self, name: str) -> ast.ClassDef | None:
        """The class; None where the file has none of that name."""
        if name in self._sources and name not in self._parsed:
            (node,) = ast.parse(self._sources[name]).body
            assert isinstance(node, ast.ClassDef)  # noqa: S101 - the pattern says so
            self._parsed[name] = node
        return self._parsed.get(name)

    def __getitem__(self, name: str) -> ast.ClassDef:
        node = self.get(name)
        if node is None:
            raise KeyError(name)
        return node


class _Module:
    """One SDK module: its files, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, _File] = {}

    def classes(self, file_name: str) -> _File:
        if file_name not in self._files:
            self._files[file_name] = _File(self.folder / f"{file_name}.py")
        return self._files[file_name]


class SchemaReader:
    """Collects resources, functions and the object types that they use."""

    def __init__(self, sdk: Path) -> None:
        self._sdk = sdk
        self._modules: dict[str, _Module] = {}
        self.types: dict[str, dict[str, object]] = {}

    def resource(self, token: str) -> dict[str, object]:
        """Inputs, outputs and required inputs of one resource type."""
        module_name, file_name, class_name = _token_parts(token)
        module = self._module(module_name)
        classes = module.classes(file_name)
        # `InitArgs` where an object type of the module has the name with `Args`.
        arguments = classes.get(f"{class_name}Args") or classes[f"{class_name}InitArgs"]
        inputs, required = self._object(module, f"{module_name}/", arguments)
        outputs: dict[str, str] = {}
        always: list[str] = []
        for name, annotation in _getters(classes[class_name]):
            outputs[name] = self._type(annotation, module, f"{module_name}/out/")
            if not _is_optional(annotation):
                always.append(name)
        secrets = re.findall(r"additional_secret_outputs=\[([^\]]*)\]", (module.folder / f"{file_name}.py").read_text())
        return {
            "inputs": inputs,
            "required": sorted(required),
            "outputs": outputs,
            "always": sorted(always),
            "secrets": sorted(set(re.findall(r'"(\w+)"', " ".join(secrets)))),
        }

    def provider(self) -> tuple[dict[str, str], list[str]]:
        """The provider's configuration."""
        module = self._module("index")
        return self._object(module, "index/", module.classes("provider")["ProviderArgs"])

    def function(self, token: str) -> dict[str, object]:
        """Arguments and results of one function."""
        module_name, file_name, function_name = _token_parts(token)
        module = self._module(module_name)
        source = (module.folder / f"{file_name}.py").read_text()
        tree = ast.parse(source)
        definition = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == snake(function_name))
        annotations = {a.arg: a.annotation for a in definition.args.args + definition.args.kwonlyargs if a.annotation}
        pairs = re.findall(r"^    __args__\['(\w+)'\] = (\w+)$", source, re.MULTILINE)
        arguments = {camel: self._type(annotations[name], module, f"{module_name}/") for camel, name in pairs}
        result = module.classes(file_name).get(f"{function_name[0].upper()}{function_name[1:]}Result")
        outputs: dict[str, str] = {}
        if result is not None:
            for name, annotation in _getters(result):
                outputs[name] = self._type(annotation, module, f"{module_name}/out/")
        return {"arguments": arguments, "outputs": outputs}

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            self._modules[name] = _Module(self._sdk if name == "index" else self._sdk / name)
        return self._modules[name]

    def _object(self, module: _Module, scope: str, node: ast.ClassDef) -> tuple[dict[str, str], list[str]]:
        init = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
        defaults = {a.arg: d is not None for a, d in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)}
        properties: dict[str, str] = {}
        required: list[str] = []
        names = dict(_getter_names(node))
        for argument in init.args.kwonlyargs:
            if argument.annotation is None:
                continue
            name = names.get(argument.arg, argument.arg)
            properties[name] = self._type(argument.annotation, module, scope)
            if not defaults[argument.arg]:
                required.append(name)
        return properties, required

    def _type(self, node: ast.expr, module: _Module, scope: str) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._reference(node.value, module, scope)
        if isinstance(node, ast.Attribute):
            return _SCALARS.get(node.attr, "asset" if node.attr in {"Asset", "Archive"} else "any")
        if isinstance(node, ast.Name):
            return _SCALARS.get(node.id, "any")
        if isinstance(node, ast.Subscript):
            head = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            return self._generic(head, node.slice, module, scope)
        return "any"

    def _generic(self, head: str, inner: ast.expr, module: _Module, scope: str) -> str:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if head in _WRAPPERS:
            return self._type(parts[0], module, scope)
        if head == "Sequence":
            return f"list<{self._type(parts[0], module, scope)}>"
        if head == "Mapping":
            return f"map<{self._type(parts[1], module, scope)}>"
        kinds = [self._type(part, module, scope) for part in parts]
        if "asset" in kinds:
            return "asset"
        if "string" in kinds:
            return (
                "any" if any(kind.startswith("#") for kind in kinds) else "string"
            )  # an enum, or a document given as an object
        return kinds[0]

    def _reference(self, name: str, module: _Module, scope: str) -> str:
        bare = name.removeprefix("outputs.")
        bare = bare.removesuffix("Dict") if bare.endswith("ArgsDict") else bare
        node = module.classes("outputs" if scope.endswith("/out/") else "_inputs").get(bare)
        if node is None:
            return "string" if bare in module.classes("_enums") else "any"
        key = scope + bare.removesuffix("Args")
        if key not in self.types:
            self.types[key] = {}  # reserved first: a type may contain itself
            properties, required = self._object(module, scope, node)
            self.types[key] = {"properties": properties, "required": sorted(required)}
        return f"#{key}"


def _token_parts(token: str) -> tuple[str, str, str]:
    _, middle, name = token.split(":")
    module_name, _, file_name = middle.partition("/")
    return module_name, snake(file_name or name), name


def _getters(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    names = dict(_getter_names(node))
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name in names and item.returns is not None:
            yield names.pop(item.name), item.returns


def _getter_names(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Python name and wire name of each property, from its `pulumi.getter` decorator."""
    for item in node.body:
        if not isinstance(item, ast.FunctionDef):
            continue
        for decorator in item.decorator_list:
            text = ast.unparse(decorator)
            if text.startswith("pulumi.getter"):
                found = re.search(r"name='(\w+)'", text)
                yield item.name, found.group(1) if found else item.name


def _is_optional(node: ast.expr) -> bool:
    return "Optional[" in ast.unparse(node).removeprefix("pulumi.Output[")[:9]


def generate() -> dict[str, object]:
    """The schema of everything that the registry serves."""
    reader = SchemaReader(sdk_path())
    resources = {token: reader.resource(token) for token in sorted(registry.all_resources())}
    functions = {token: reader.function(token) for token in sorted(registry.all_functions())}
    provider, _ = reader.provider()
    return {
        "provider": provider,
        "resources": resources,
        "functions": functions,
        "types": dict(sorted(reader.types.items())),
    }


def render(schema: dict[str, object]) -> str:
    """The text of the file: one line for each resource, function and type, so that changes can be reviewed."""
    sections = [
        json.dumps(section)
        + ": {\n"
        + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items())
        + "\n}"
        for section, entries in schema.items()
        if isinstance(entries, dict)
    ]
    return "{\n" + ",\n".join(sections) + "\n}\n"


def main() -> None:
    """Write the file."""
    SCHEMA_PATH.write_text(render(generate()))
    sys.stdout.write(f"wrote {SCHEMA_PATH}\n")


if __name__ == "__main__":
    main()
