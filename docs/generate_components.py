"""Writes components.md from the components' own docstrings: python -m docs.generate_components (a test says when it is due)."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components import ColourRelease, Compute, DatabaseLogin, NatGateways, Permission, PodSettings
from components.hosting import OFFERED

PAGE = Path(__file__).parent / "components.md"
HEAD = """# Components

Generated from the components' docstrings by `python -m docs.generate_components`; change them there.

Seven components, in the order in which `infra/program.py` composes an environment. Each takes a name, one frozen `…Args`, and
Pulumi's options; children are named `<name>-<role>`. An `Input` is only passed on and may be another resource's output; everything
else is needed at preview.
A Python project needs them on its path: install a checkout of this repository into its environment (`pip install /path/to/slipway`),
then `from components import Database, DatabaseArgs` works, as in `infra/program.py`.
Programs in other languages get the same by `pulumi package add <this repository>/components`, in camelCase; what to know then is in
[a decision](decisions/components-for-other-languages.md).
"""
ORDER = ("Environment", "Cluster", "Database", "LoadBalancer", "BlueGreenService", "Monitoring", "Image")
SECTIONS = ("Creates", "Not", "Outputs", "Errors", "Promises")


@dataclass(frozen=True)
class Attribute:
    """One annotated attribute of a class, as its source says it."""

    name: str
    type: str
    default: str
    doc: str


def attributes(owner: type) -> Iterator[Attribute]:
    """The public attributes of `owner`, with the docstring under each."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(owner)
    followers = [*definition.body[1:], None]
    for node, follower in zip(definition.body, followers, strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            kind = ast.unparse(node.annotation).replace("pulumi.", "")
            yield Attribute(node.target.id, kind, _default(node.value), _text(follower))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield Attribute(node.targets[0].id, "", ast.unparse(node.value).replace("'", '"'), _text(follower))


def _default(value: ast.expr | None) -> str:
    if value is None:
        return ""
    if isinstance(value, ast.Call) and value.keywords:
        factory = ast.unparse(value.keywords[0].value)
        return "{}" if factory.startswith("dict") else f"{factory}()"
    return ast.unparse(value).replace("'", '"')


def _text(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value).replace("\n", " ")
    return ""


def args_type(component: type) -> type:
    """The dataclass that the component takes."""
    return inspect.get_annotations(component.__init__)["args"]


def render() -> str:
    """The page."""
    components = {component.__name__: component for component in OFFERED}
    parts = [HEAD, *(_component(components[name]) for name in ORDER)]
    parts += [
        _table("ColourRelease", ColourRelease),
        _table("DatabaseLogin", DatabaseLogin),
        _table("Permission", Permission),
        _table("PodSettings", PodSettings),
        _table("NatGateways", NatGateways, values=True),
        _table("Compute", Compute, values=True),
    ]
    return "\n".join(parts)


def _component(component: type) -> str:
    summary, sections = _sections(inspect.getdoc(component) or "")
    told = [f"* **{name}**: {text}" for name, text in sections.items()]
    outputs = ", ".join(f"`{output.name}` ({output.type})" for output in attributes(component))
    args = args_type(component)
    lines = [f"## {component.__name__}", "", summary, "", *told, f"* **Types of the outputs**: {outputs}", ""]
    return "\n".join(lines) + "\n" + _table(args.__name__, args)


def _sections(doc: str) -> tuple[str, dict[str, str]]:
    summary, *rest = re.split(rf"^({'|'.join(SECTIONS)}): ", doc, flags=re.MULTILINE)
    texts = {name: " ".join(text.split()) for name, text in zip(rest[::2], rest[1::2], strict=True)}
    return " ".join(summary.split()), texts


def _table(title: str, owner: type, *, values: bool = False) -> str:
    rows = list(attributes(owner))
    head = "| value | means |\n|---|---|" if values else "| argument | type | default | means |\n|---|---|---|---|"
    lines = [f"### {title}", "", head]
    for row in rows:
        if values:
            lines.append(f"| `{row.default}` | {row.doc} |")
        else:
            default = f"`{row.default}`" if row.default else "required"
            kind = row.type.replace("|", "\\|")
            lines.append(f"| `{row.name}` | `{kind}` | {default} | {row.doc} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render())
