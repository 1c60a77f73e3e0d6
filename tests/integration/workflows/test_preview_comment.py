"""The preview's comment, run with a `gh` that writes down what it gets: what a branch printed is data."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

PREVIEW = Path(__file__).parents[3] / ".github/workflows/preview.yml"
GH = """#!/bin/sh
echo "$*" >> calls
case "$*" in
    *--jq*) printf %s "$FOUND" ;;
    *body=@*) cat comment.md > "posted" ;;
esac
"""
HOSTILE = '$(touch ran) `touch ran`"; touch ran; #\n'


@pytest.mark.parametrize(
    ("found", "call"), [("", "api --silent pull/comments"), ("7", "--method PATCH repos/o/r/issues/comments/7")]
)
def test_text_of_the_branch_is_posted_as_it_is(tmp_path: Path, found: str, call: str) -> None:
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    for environment in ("dev", "staging", "prod"):
        (tmp_path / f"previews/preview-{environment}").mkdir(parents=True)
    (tmp_path / "previews/preview-dev/preview.md").write_text(HOSTILE + "x" * 70_000)
    (tmp_path / "previews/preview-staging/preview.md").symlink_to("/etc/hostname")
    (tmp_path / "previews/preview-prod/preview.md").write_text("not asked for")

    *_, step = yaml.safe_load(PREVIEW.read_text())["jobs"]["comment"]["steps"]
    environ = {
        "PATH": f"{tmp_path}:{os.defpath}",
        "FOUND": found,
        "COMMENTS": "pull/comments",
        "GITHUB_REPOSITORY": "o/r",
    }
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=environ, check=True, timeout=30)

    assert not (tmp_path / "ran").exists()
    posted = (tmp_path / "posted").read_text()
    assert posted.startswith(f"<!-- slipway:preview:dev -->\n{HOSTILE}")
    assert len(posted) < 65_536  # what GitHub takes
    look, post = (
        (tmp_path / "calls").read_text().splitlines()
    )  # one look and one post: a link and another name are passed over
    assert "github-actions[bot]" in look
    assert call in post
