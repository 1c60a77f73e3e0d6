"""A snapshot that holds only what a stack has otherwise than another one of the same program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.testing.result import Deployment, Resource
from slipway.testing.snapshot import compare_snapshot


def deployed(stack: str, resources: dict[str, dict[str, Any]], **outputs: Any) -> Deployment:
    """Components with these registered outputs, by name."""
    made = [
        Resource(
            urn=f"urn:{name}",
            type="shop:index:Part",
            name=name,
            id="",
            parent="",
            provider="",
            inputs={},
            outputs=values,
            custom=False,
            protect=False,
            aliases=(),
            dependencies=(),
        )
        for name, values in resources.items()
    ]
    nothing: Any = None
    return Deployment(stack, made, outputs, (), (), (), (), nothing, nothing)


def test_only_differences_are_kept_and_stack_names_are_none(tmp_path: Path) -> None:
    base, path = tmp_path / "dev.yaml", tmp_path / "prod.yaml"
    dev = {"web-dev": {"host": "web-dev.slipway.dev", "json": '{"a": [1, {"b": 2}]}', "gone": 1}, "only": {"x": 1}}
    prod = {"web-prod": {"host": "web-prod.slipway.dev", "json": '{"a":[1, {"b": 3}]}', "new": 1}, "more": {"y": 1}}
    compare_snapshot(deployed("dev", dev, url="dev"), base, update=True)
    compare_snapshot(deployed("prod", prod, url="prod"), path, base=base, update=True)

    assert path.read_text().splitlines() == [
        "added:",
        "  below the stack:",
        "    shop:index:Part more:",
        "      outputs: {y: 1}",
        "removed: ['shop:index:Part only']",
        "changed:",
        "  shop:index:Part web-{stack}: {outputs.gone: <absent>, 'outputs.json.a[1].b': 3, outputs.new: 1}",
    ]
    prod["web-prod"]["host"] = "elsewhere"
    with pytest.raises(AssertionError, match=r"outputs\.host: elsewhere"):
        compare_snapshot(deployed("prod", prod, url="prod"), path, base=base, update=False)
