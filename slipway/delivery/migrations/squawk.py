"""Runs squawk, a PostgreSQL parser and linter: its warnings about SQL, and its syntax tree for what it has no rule for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from slipway.errors import MachineError

TIMEOUT_SECONDS = 60
OPTIONAL_RULES = ("ban-new-write-restriction", "ban-revoke")
NODE = re.compile(r'^( *)([A-Z_]+)@(\d+)\.\.(\d+)(?: "(.*)")?$', re.MULTILINE)
"""One line of the tree: depth, kind, bytes from and to, and a token's text. The format is squawk's own; its version is pinned."""


class SquawkWarning(BaseModel):
    """One of squawk's findings."""

    file: str
    line: int
    """From 0."""
    message: str
    help: str | None
    rule_name: str


@dataclass(frozen=True, kw_only=True)
class Node:
    """A part of a statement, or the statement."""

    kind: str
    line: int
    """From 0."""
    text: str = ""
    """Of a token."""
    children: list[Node] = field(default_factory=list["Node"])

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def has(self, *kinds: str) -> bool:
        """Whether a part is of one of the kinds."""
        return any(node.kind in kinds for node in self.walk())

    def name(self, kind: str) -> str:
        """The last identifier in the first part of this kind, as PostgreSQL folds it; "" without one."""
        part = next((node for node in self.walk() if node.kind == kind), None)
        words = [node.text for node in part.walk() if node.kind == "IDENT"] if part else []
        last = words[-1] if words else ""
        return last.strip('\\"') if '"' in last else last.lower()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What squawk says about one text."""

    warnings: tuple[SquawkWarning, ...]
    statements: tuple[Node, ...]


def read_sql(texts: Sequence[str]) -> list[Reading]:
    """Read each text as a file of its own."""
    if not texts:
        return []
    with tempfile.TemporaryDirectory(prefix="slipway-sql-") as folder:
        names = [f"{number:06}.sql" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (Path(folder) / name).write_text(text)
        optional = [f"--include={rule}" for rule in OPTIONAL_RULES]
        warnings = TypeAdapter(list[SquawkWarning]).validate_json(_run(folder, "--reporter=json", *optional, *names))
        trees = _run(folder, "--debug=parse", *names).split("SOURCE_FILE@")[1:]
    return [
        Reading(warnings=tuple(item for item in warnings if item.file == name), statements=tuple(_read(tree, text)))
        for name, tree, text in zip(names, trees, texts, strict=True)
    ]


def _read(tree: str, text: str) -> Iterator[Node]:
    content = text.encode()
    open_nodes: list[Node] = []
    for indent, kind, start, _, token in NODE.findall(tree):
        depth = len(indent) // 2
        node = Node(kind=kind, line=content.count(b"\n", 0, int(start)), text=json.loads(f'"{token}"'))
        del open_nodes[depth - 1 :]
        if open_nodes:
            open_nodes[-1].children.append(node)
        elif kind not in {"WHITESPACE", "COMMENT", "EMPTY_STMT"}:
            yield node
        open_nodes.append(node)


def _run(folder: str, *arguments: str) -> str:
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    program = str(beside) if beside.is_file() else shutil.which("squawk")
    if program is None:
        raise MachineError("squawk, which reads migrations, is not installed", remedy="pip install squawk-cli")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    if done.returncode not in {0, 1}:
        raise MachineError(f"squawk cannot read the migrations: {done.stderr.strip()[-300:]}")
    return done.stdout
