"""Which images a Dockerfile starts from."""

from __future__ import annotations

import pytest

from slipway.sandbox.providers.docker.dockerfile import base_images


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("FROM python:3.11 AS build\nFROM build\nFROM scratch\n", {}, ("python:3.11",)),
        ("from --platform=linux/amd64 nginx\n# FROM redis\n", {}, ("nginx",)),
        ("ARG TAG=1\nFROM redis:${TAG}\nARG TAG=2\n", {}, ("redis:1",)),
        ("ARG TAG=1\nFROM redis:$TAG\n", {"TAG": "7"}, ("redis:7",)),
        ("FROM redis:${NONE:-7}\n", {}, ("redis:7",)),
        (
            "FROM debian \\\n AS one\nCOPY --from=one /a /a\nCOPY --from=0 /a /a\nCOPY --from=busybox /b /b\n",
            {},
            ("debian", "busybox"),
        ),
    ],
)
def test_base_images_are_those_that_no_stage_makes(text: str, args: dict[str, str], expected: tuple[str, ...]) -> None:
    assert base_images(text, args) == expected
