"""Exceptions from security rules: each has its reason on its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (".github", "app", "components", "demo", "docs", "infra", "policies", "slipway", "tests")
EXCEPTION = re.compile(r"# noqa:.*\bS\d{3}|(?:#|//) checkov:skip=|# nosec|# zizmor: ignore")
EXPLAINED = re.compile(r"# noqa: [A-Z0-9, ]+ - \S|# checkov:skip=CKV\w*_\d+: ?\S|# zizmor: ignore\[[\w-]+\] \S")


def exceptions() -> list[str]:
    found: list[str] = []
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yml", ".yaml") or path.name == "Dockerfile":
                lines = enumerate(path.read_text().splitlines(), 1)
                found += [f"{path}:{number}: {line.strip()}" for number, line in lines if EXCEPTION.search(line)]
    return found


def test_each_exception_has_a_reason() -> None:
    found = [each for each in exceptions() if not each.startswith(__file__)]
    assert len(found) > 20
    assert [each for each in found if not EXPLAINED.search(each)] == []


@pytest.mark.parametrize(
    "line", ["x  # noqa: S102", "# checkov:skip=CKV_GHA_7", "x  # nosec", "x # zizmor: ignore[foo]"]
)
def test_line_without_a_reason_is_found(line: str) -> None:
    assert EXCEPTION.search(line)
    assert not EXPLAINED.search(line)
