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

    def name(self, kind: str) -> str:
        """The last identifier in the first part of this kind, as PostgreSQL folds it; "" without one."""
        part = next((node for node in self.walk() if node.kind == kind), self)
        last = ["", *(node.text for node in part.walk() if node.kind == "IDENT" and part is not self)][-1]
        return last.strip('"') if '"' in last else last.lower()


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
        trees = _run(folder, "--debug=parse", *names).split("SOURCE_FILE@")[1:]
    return [
        ([item for item in warnings if item["file"] == name], list(_read(tree, text.encode())))
        for name, tree, text in zip(names, trees, texts, strict=True)
    ]


def _read(tree: str, content: bytes) -> Iterator[Node]:
    open_nodes: list[Node] = []
    for indent, kind, first, token in NODE.findall(tree):
        before = content[: int(first)].split(b"\n")
        node = Node(kind=kind, at=(len(before) - 1, len(before[-1])), text=json.loads(f'"{token}"'))
        del open_nodes[len(indent) // 2 - 1 :]
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
    argv = [program, *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode not in {0, 1}:
        raise MachineError(f"squawk cannot read the migrations: {done.stderr.strip()[-300:]}")
    return done.stdout
