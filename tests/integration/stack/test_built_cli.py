"""What the CLI that the sandbox builds leaves out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from slipway.sandbox.paths import SandboxPaths


@pytest.mark.parametrize("url", ["gs://state", "azblob://state"])
def test_state_in_another_cloud_is_refused_by_name(cli_folder: Path, tmp_path: Path, url: str) -> None:
    if not cli_folder.is_relative_to(SandboxPaths.from_environment().cache):
        pytest.skip("the machine's own CLI is used")
    done = subprocess.run(
        [cli_folder / "pulumi", "login", url],
        env={**os.environ, "PULUMI_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode
    assert f'no driver registered for "{url.partition(":")[0]}"' in done.stderr
    assert "available schemes: file, postgres, s3" in done.stderr
