"""How the first edition's release is led from one refusal to the next, and that it never begins on AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.first_edition import RefusedError, history_of, release, settings_of


class Edition:
    """Three steps; what is closed is refused until it is opened."""

    def __init__(self, *closed: str) -> None:
        self.closed = {*closed}
        self.taken: list[str] = []
        self.steps: dict[str, Callable[[], None]] = {each: lambda each=each: self._take(each) for each in "abc"}
        self.remedies = {"b": ("a key", lambda: self.closed.discard("b"))}

    def _take(self, step: str) -> None:
        self.taken.append(step)
        if step in self.closed:
            raise RefusedError(f"{step} is closed")


@pytest.mark.parametrize(
    ("closed", "refused", "taken"),
    [("", [], "abc"), ("a", ["a"], "a"), ("b", ["b"], "abbc"), ("bc", ["b", "c"], "abbc"), ("ac", ["a"], "a")],
)
def test_release_goes_on_after_a_refusal_with_a_remedy_and_ends_at_any_other(
    closed: str, refused: list[str], taken: str
) -> None:
    edition: Any = Edition(*closed)
    said: list[str] = []
    assert release(edition, said.append) == refused
    assert edition.taken == [*taken]
    assert [line for line in said if "REFUSED" in line] == [f"  {each}: REFUSED: {each} is closed" for each in refused]


def test_remedy_that_does_not_help_ends_it() -> None:
    edition: Any = Edition("b")
    edition.remedies = {"b": ("a wrong key", lambda: None)}
    assert release(edition, lambda _: None) == ["b"]
    assert edition.taken == ["a", "b", "b"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_ENDPOINT_URL": "https://sts.us-east-1.amazonaws.com", "PULUMI_DEBUG_PROVIDERS": "aws:4567"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"PULUMI_DEBUG_PROVIDERS": "aws:4567"},
    ],
)
def test_it_begins_in_the_environment_of_a_sandbox_only(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="this is for the sandbox"):
        settings_of(environ, tmp_path)
    sandbox = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "PULUMI_DEBUG_PROVIDERS": "aws:4567"}
    assert settings_of(sandbox, tmp_path)["PULUMI_BACKEND_URL"].startswith(tmp_path.as_uri())


def test_clone_without_the_commit_has_no_first_edition(tmp_path: Path) -> None:
    assert history_of(tmp_path) is None
