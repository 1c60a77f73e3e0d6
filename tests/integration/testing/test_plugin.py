"""The plugin in a process: policies, recorded secrets, nothing left behind, and what a user without the CLI is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from slipway.testing import Deployment, DeploymentError, Secret

Run = Callable[..., Deployment]
POLICY = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy


def tagged(args, report):
    if args.resource_type == "aws:s3/bucket:Bucket" and "owner" not in (args.props.get("tags") or {}):
        report("name an owner")


PolicyPack(
    name="house", policies=[ResourceValidationPolicy("tags", "Buckets have owners", tagged, EnforcementLevel.LEVEL)]
)
"""


def bucket(**tags: str) -> Callable[[], None]:
    return lambda: (
        aws.s3.Bucket("data", tags=tags, opts=pulumi.ResourceOptions(provider=aws.Provider("cloud"))) and None
    )


def pack(folder: Path, level: str) -> Path:
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 0.1.0\n")
    (folder / "__main__.py").write_text(POLICY.replace("LEVEL", level))
    return folder


def test_mandatory_policy_fails_the_deployment_and_an_advisory_one_is_listed(deploy: Run, tmp_path: Path) -> None:
    mandatory, advisory = pack(tmp_path / "strict", "MANDATORY"), pack(tmp_path / "mild", "ADVISORY")

    with pytest.raises(
        DeploymentError, match=r"policy tags \(mandatory\): urn:.*Bucket::data: Buckets have owners\nname an owner"
    ):
        deploy(bucket(), policy_packs=[mandatory])
    (violation,) = deploy(bucket(), policy_packs=[advisory]).violations
    assert (violation.policy, violation.level, violation.urn.rsplit("::", 1)[-1]) == ("tags", "advisory", "data")
    assert deploy(bucket(owner="web"), policy_packs=[mandatory]).violations == []


def secretive(password: str) -> Callable[[], None]:
    def program() -> None:
        aws.ssm.Parameter(
            "password",
            type="SecureString",
            value=pulumi.Output.secret(password),
            opts=pulumi.ResourceOptions(provider=aws.Provider("cloud")),
        )

    return program


def test_recorded_state_has_no_secrets_and_compares_as_equal(deploy: Run, upgrade_from: Run, tmp_path: Path) -> None:
    deployment = deploy(secretive("correct horse"))
    assert deployment.one(aws.ssm.Parameter).inputs["value"] == Secret("correct horse")

    deployment.record(tmp_path / "state.json")
    assert "correct horse" not in (tmp_path / "state.json").read_text()
    assert "ciphertext" not in (tmp_path / "state.json").read_text()
    upgrade_from(tmp_path / "state.json", secretive("battery staple")).assert_no_changes()


def test_upgrade_sees_a_database_replaced_and_one_renamed(deploy: Run, upgrade_from: Run, tmp_path: Path) -> None:
    def database(name: str, key: str, *aliases: pulumi.Alias) -> Callable[[], None]:
        def program() -> None:
            aws.rds.Instance(
                name,
                instance_class="db.t4g.small",
                kms_key_id=key,
                opts=pulumi.ResourceOptions(provider=aws.Provider("cloud"), aliases=list(aliases)),
            )

        return program

    state = tmp_path / "state.json"
    deploy(database("db", "key-1")).record(state)

    upgrade_from(state, database("db", "key-1")).assert_keeps(aws.rds.Instance)
    upgrade_from(state, database("store", "key-1", pulumi.Alias(name="db"))).assert_keeps(aws.rds.Instance)
    with pytest.raises(AssertionError, match=r"<replace urn:.*Instance::db because of kmsKeyId>"):
        upgrade_from(state, database("db", "key-2")).assert_keeps(aws.rds.Instance)
    with pytest.raises(AssertionError, match=r"<delete urn:.*Instance::db>"):
        upgrade_from(state, database("store", "key-1")).assert_keeps(aws.rds.Instance)


def test_no_state_of_the_runtime_reaches_the_next_program(deploy: Run) -> None:
    seen: list[tuple[str, str, str | None]] = []
    before = pulumi.Output.apply

    def program() -> None:
        seen.append((pulumi.get_project(), pulumi.get_stack(), pulumi.Config("app").get("size")))
        raise LookupError("ends in the middle")

    for stack, config in (("one", {"app:size": "1"}), ("two", {})):
        with pytest.raises(LookupError):
            deploy(program, stack=stack, project=f"project-{stack}", config=config)

    assert seen == [("project-one", "one", "1"), ("project-two", "two", None)]
    assert pulumi.Output.apply is before
    assert (pulumi.get_stack(), pulumi.runtime.settings.get_monitor()) == ("stack", None)


def test_import_of_the_plugin_loads_nothing_of_pulumi() -> None:
    script = (
        "import sys, slipway.testing.plugin; sys.exit(any(name in sys.modules for name in ('pulumi', 'grpc', 'yaml')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_looking_up_a_class_leaves_its_package_whole() -> None:
    """As when a state has a resource that the program no longer has, and the next test's program makes one."""
    script = (
        "import pulumi_aws as aws; from slipway.providers.schema import find_class;"
        "assert find_class('aws:ecr/repository:Repository') is aws.ecr.Repository"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_missing_cli_is_one_clear_error(deploy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_TESTING_PULUMI", "/nowhere/pulumi")
    with pytest.raises(Exception, match=r"/nowhere/pulumi: component tests need the Pulumi CLI.*\n.*install it"):
        deploy(bucket())


def test_unknown_check_is_refused(deploy: Run) -> None:
    with pytest.raises(ValueError, match="no check is called parent; there are schema, providers, parents"):
        deploy(bucket(), checks={"parent": False})
