"""A stack that is not there yet is made before it goes up, with the encryption and the policies that were asked for."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from slipway.stack import PulumiCli, PulumiStack

RECORDING = """#!/bin/sh
cd {folder}
echo "$*" >> asked
case "$*" in *"stack init"*) touch made ;; esac
[ -e made ] || {{ echo "error: no stack named 'org' found" >&2; exit 255; }}
"""


@pytest.mark.parametrize(("provider", "wanted"), [("awskms://alias/state", ["--secrets-provider"]), ("", [])])
def test_stack_is_made_with_the_secrets_provider_and_the_policies(
    provider: str, wanted: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "pulumi"
    program.write_text(RECORDING.format(folder=shlex.quote(str(tmp_path))))
    program.chmod(0o755)
    pack = tmp_path / "policies"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").touch()
    project = tmp_path / "foundation"
    project.mkdir()
    stack = PulumiStack(
        lambda: PulumiCli(str(program), "3.300.0"), project, "org", policy_pack=pack, secrets_provider=provider
    )
    stack.up()
    asked = (tmp_path / "asked").read_text().splitlines()
    (made,) = [line for line in asked if "stack init" in line]
    assert [word for word in made.split() if word == "--secrets-provider"] == wanted
    assert provider in made
    assert f"--policy-pack {pack}" in asked[-1]
