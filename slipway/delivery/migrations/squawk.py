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
from typing import Any

from slipway.errors import MachineError

TIMEOUT_SECONDS = 60
QUOTED = re.compile(r'"[^"]*"|[^"]+')
OPTIONAL_RULES = ("ban-new-write-restriction", "ban-revoke")
NODE = re.compile(r'^( *)([A-Z_]+)@(\d+)\.\.\d+(?: "(.*)")?$', re.MULTILINE)
"""One line of the tree: depth, kind, first byte, and a token's text. The format is squawk's own; its version is pinned."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A part of a statement, or the statement."""

    kind: str
    at: tuple[int, int]
    """Line and column, from 0."""
    text: str
    """Of a token; "" for what has parts."""
    children: list[Node] = field(default_factory=list["Node"])

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def has(self, *kinds: str) -> bool:
        """Whether a part is of one of the kinds."""
        return any(node.kind in kinds for node in self.walk())

    def child(self, kind: str) -> Node | None:
        """The first direct part of this kind."""
        return next((node for node in self.children if node.kind == kind), None)

    def names(self, *kinds: str) -> list[str]:
        """The parts of these kinds, which are names, as PostgreSQL folds them: `shop.orders`."""
        return [_fold("".join(leaf.text for leaf in node.walk())) for node in self.walk() if node.kind in kinds]

    def name(self, kind: str) -> str:
        """The first of these names; "" without one."""
        return next(iter(self.names(kind)), "")


def _fold(name: str) -> str:
    return "".join(part[1:-1] if part[0] == '"' else part.lower() for part in QUOTED.findall(name))


def read_sql(texts: Sequence[str]) -> list[tuple[list[Any], list[Node]]]:
    """Warnings (file, line, column, rule_name, message, help) and statements of each text."""
    if not texts:
        return []
    with tempfile.TemporaryDirectory(prefix="slipway-sql-") as folder:
        names = [f"{number:06}.sql" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (Path(folder) / name).write_text(text)
        optional = [f"--include={rule}" for rule in OPTIONAL_RULES]
        warnings: list[Any] = json.loads(_run(folder, "--reporter=json", *optional, *names))
        trees = re.split(r"^SOURCE_FILE@", _run(folder, "--debug=parse", *names), flags=re.MULTILINE)[1:]
    return [
        ([item for item in warnings if item["file"] == name], list(_read(tree, text.encode())))
        for name, tree, text in zip(names, trees, texts, strict=True)
    ]


def _read(tree: str, content: bytes) -> Iterator[Node]:
    open_nodes: list[Node] = []
    for indent, kind, first, token in NODE.findall(tree):
        before = content[: int(first)].split(b"\n")
        node = Node(kind=kind, at=(len(before) - 1, len(before[-1])), text=token.replace('\\"', '"'))
        del open_nodes[len(indent) // 2 - 1 :]
        if kind in {"WHITESPACE", "COMMENT", "EMPTY_STMT"}:
            continue
        if open_nodes:
            open_nodes[-1].children.append(node)
        else:
            yield node
        open_nodes.append(node)


def _run(folder: str, *arguments: str) -> str:
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    program = str(beside) if beside.is_file() else shutil.which("squawk")
    if program is None:
        raise MachineError("squawk, which reads migrations, is not installed", remedy="pip install squawk-cli")
    argv = [program, *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode not in {0, 1}:
        raise MachineError(f"squawk cannot read the migrations: {done.stderr.strip()[-300:]}")
    return done.stdout
