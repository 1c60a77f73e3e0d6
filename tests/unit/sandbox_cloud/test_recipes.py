"""Stand-in images: for which tags they are honest, and what they say of themselves."""

from __future__ import annotations

import pytest

from slipway.sandbox.images.oci import image_configuration
from slipway.sandbox.images.recipes import RECIPES, find_recipe
from slipway.sandbox.images.rootfs import Layer
from slipway.sandbox.images.source import Reference

LAYER = Layer(path="x", digest="sha256:1", diff_id="sha256:2", size_bytes=3, version="1.22.1-9")


@pytest.mark.parametrize(
    ("repository", "tag", "found"),
    [
        ("python", "3.11-slim-bookworm", True),
        ("python", "3.11.9-slim", True),
        ("python", "3", True),
        ("python", "3.12-slim", False),
        ("python", "3.1", False),
        ("python", "2.7", False),
        ("debian", "bookworm-slim", True),
        ("debian", "12.5", True),
        ("debian", "trixie", False),
        ("nginx", "1.15.4", True),
        ("redis", "7-alpine", True),
        ("mysql", "8", False),
    ],
)
def test_recipe_stands_in_only_where_the_version_may_differ(repository: str, tag: str, found: bool) -> None:
    assert (find_recipe(repository, tag) is not None) is found


def test_stand_in_says_that_it_is_one_and_of_which_version() -> None:
    labels = image_configuration(RECIPES["nginx"], [LAYER])["config"]["Labels"]
    assert labels["dev.slipway.stand-in"] == "true"
    assert labels["dev.slipway.version"] == "1.22.1-9"


def test_key_changes_with_the_parent_and_the_machines_certificates() -> None:
    python = RECIPES["python"]
    assert python.key("one") == python.key("one")
    assert len({python.key("one"), python.key("two"), RECIPES["nginx"].key("one")}) == 3


def test_every_recipe_has_its_script_and_parent() -> None:
    for recipe in RECIPES.values():
        assert bool(recipe.script) == bool(recipe.script_text())
        assert not recipe.parent or recipe.parent in RECIPES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", Reference("library/nginx", "latest")),
        ("docker.io/library/nginx:1.25", Reference("library/nginx", "1.25")),
        ("someone/nginx", None),
        ("127.0.0.1:5000/orders:1", None),
    ],
)
def test_reference_is_read_as_docker_reads_it(text: str, expected: Reference | None) -> None:
    assert Reference.parse(text) == expected
