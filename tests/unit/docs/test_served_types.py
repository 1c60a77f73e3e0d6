"""The page for programs of one's own says which AWS types the sandbox has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from slipway.sandbox.providers.services import registry

PAGE = Path(__file__).parents[3] / "docs" / "your-own-program.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


def by_module(tokens: Iterable[str]) -> set[tuple[str, str]]:
    """`aws:s3/bucket:Bucket` as `s3` and `Bucket`."""
    return {(token.split(":")[1].split("/")[0], token.split(":")[2]) for token in tokens}


def test_page_lists_what_is_served() -> None:
    rows = ROW.findall(PAGE.read_text())
    names = [
        {(module, name.strip(" `")) for module, *cells in rows for name in cells[column].split(",") if name.strip()}
        for column in (0, 1)
    ]
    assert names == [by_module(registry.all_resources()), by_module(registry.all_functions())]
