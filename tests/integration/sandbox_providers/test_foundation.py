"""The foundation as `slipway bootstrap` brings it up on the sandbox: its own stack file, on the daemon's providers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from stack_kit import served

from slipway.errors import SlipwayError
from slipway.stack import PulumiStack, find_cli

pytestmark = pytest.mark.usefixtures("cli_on_path")
ROOT = Path(__file__).parents[3]


def test_goes_up_stays_as_it_is_and_cannot_be_destroyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, state = tmp_path / "project", tmp_path / "state"
    # A copy: the CLI writes into the stack file of a stack that it makes.
    for folder in ("foundation", "policies"):
        shutil.copytree(ROOT / folder, project / folder)
    (project / ".venv").symlink_to(sys.prefix)
    state.mkdir()
    with served(tmp_path / "home") as daemon:
        for name, value in daemon.pulumi_environ(state, tmp_path / "pulumi-home").items():
            monkeypatch.setenv(name, value)
        stack = PulumiStack(find_cli, project / "foundation", "sandbox", policy_pack=project / "policies")

        made = stack.up().changes
        assert set(made) == {"create"}
        assert stack.up().changes == {"same": made["create"]}
        outputs = stack.outputs()
        assert outputs["ledgerTableArn"] == "arn:aws:dynamodb:us-east-1:123456789012:table/slipway-ledger"
        assert {"devDeployRoleArn", "prodPreviewRoleArn"} <= {*outputs}

        with pytest.raises(SlipwayError, match="protected"):
            stack.destroy()
        (repository,) = daemon.client("ecr").describe_repositories()["repositories"]
        assert outputs["repositoryUrls"] == {"orders": repository["repositoryUri"]}
        assert daemon.client("dynamodb").describe_table(TableName="slipway-ledger")["Table"][
            "DeletionProtectionEnabled"
        ]
