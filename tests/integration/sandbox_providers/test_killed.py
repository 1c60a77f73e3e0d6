"""kill -9 of the command, of the providers' process and of the daemon while a program is being made: one clear error, and the next run ends
in the same state, with nothing made twice and nothing forgotten.

Not proven: what a loss of power leaves.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from stack_kit import Daemon, OnEvent, Project, Result, served

from slipway.providers.provider import Caller, Provider
from slipway.providers.server import ProviderServer
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.connections import Connections
from slipway.sandbox.providers.framework.journal import Journal
from slipway.sandbox.providers.services.ec2.vpcs import Vpc
from slipway.sandbox.providers.services.ecr.repositories import Repository
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("cli_on_path")

# Keyless, auto-named, named and tagless resources, in several steps.
PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

after = lambda resource: pulumi.ResourceOptions(depends_on=[resource])
vpc = aws.ec2.Vpc("net", cidr_block="10.60.0.0/16")
for index in range(4):
    aws.ec2.Subnet(f"net-{index}", vpc_id=vpc.id, cidr_block=f"10.60.{index}.0/24")
aws.ec2.Eip("address", domain="vpc", opts=after(vpc))
repository = aws.ecr.Repository("app")
selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100}
rules = [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]
aws.ecr.LifecyclePolicy("app", repository=repository.name, policy=json.dumps({"rules": rules}))
aws.ecr.Repository("named", name="named", opts=after(repository))
"""
EXPECTED = {"vpcs": 1, "subnets": 4, "addresses": 1, "repositories": 2}
STEPS = range(3, 20)
"""Of the 22 events that the engine tells of."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with served(tmp_path_factory.mktemp("aws")) as daemon:
        yield daemon


@pytest.fixture
def project(daemon: Daemon, tmp_path: Path) -> Project:
    return Project(tmp_path / "project", daemon, PROGRAM)


def found(daemon: Daemon) -> dict[str, int]:
    """How many of each there are at AWS, without what every account has."""
    ec2 = daemon.client("ec2")
    vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]}
    return {
        "vpcs": len(vpcs),
        "subnets": sum(subnet["VpcId"] in vpcs for subnet in ec2.describe_subnets()["Subnets"]),
        "addresses": len(ec2.describe_addresses()["Addresses"]),
        "repositories": len(daemon.client("ecr").describe_repositories()["repositories"]),
    }


def interrupted(project: Project, action: OnEvent) -> Result:
    """An `up` during which `action` happens, at one of its steps."""
    left = [secrets.choice(STEPS)]
    print(f"interrupted at step {left[0]}")  # noqa: T201 - shown when the test fails

    def count(process: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            action(process)

    return project.run("up", "--yes", "--skip-preview", "--json", on_event=count)


def goes_on(project: Project) -> None:
    """The next run makes the rest, and after it there is nothing to do."""
    project.run("cancel", "--yes")  # the killed command's lock
    project.up()
    assert found(project.daemon) == EXPECTED
    assert project.preview().changes == {"same": sum(EXPECTED.values()) + 2}  # the policy and the stack
    project.destroy()
    assert set(found(project.daemon).values()) == {0}


@pytest.mark.parametrize("attempt", range(2))
def test_killed_command_is_finished_by_the_next(project: Project, attempt: int) -> None:
    interrupted(project, lambda command: command.kill())
    goes_on(project)


def test_killed_providers_are_started_again_and_the_next_run_goes_on(project: Project) -> None:
    process = project.daemon.providers_process()
    result = interrupted(project, lambda _: process.kill())
    if result.code:  # else all was made by then
        assert set(result.errors) - {"update failed"}, "the user is told nothing"
    wait_until(lambda: serves(project.daemon), "the providers' return")
    assert project.daemon.providers_process().pid != process.pid
    goes_on(project)


def serves(daemon: Daemon) -> bool:
    """Whether the providers' process listens on the ports that it had before."""
    ports = set(daemon.record["providers"].values())
    children = psutil.Process(daemon.process.pid).children()
    connections = [each for child in children for each in child.net_connections()]
    return ports == {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def test_killed_daemon_is_started_again_and_the_next_run_goes_on(project: Project) -> None:
    orphan = project.daemon.providers_process()
    result = interrupted(project, lambda _: project.daemon.kill())
    assert result.code == 0 or set(result.errors) - {"update failed"}, "the user is told nothing"
    project.daemon.kill()
    wait_until(lambda: not orphan.is_running(), "the end of the providers with their daemon")
    project.daemon.start()
    goes_on(project)


@pytest.mark.parametrize("kind", [Vpc, Repository])
@pytest.mark.parametrize("moment", ["before AWS is asked", "after AWS has answered"])
def test_command_killed_in_the_middle_of_a_create(
    project: Project, kind: type[Any], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, killed = kind.create, list[int]()

    def killing(self: Any, call: Any) -> str:
        made = create(self, call) if moment == "after AWS has answered" else ""
        for engine in [each for each in psutil.Process().children() if each.name() == "pulumi"]:
            engine.kill()
            killed.append(engine.pid)
        return made or create(self, call)

    journal = Journal(project.folder.with_name("creates.sqlite"))

    def make(caller: Caller) -> Provider:
        return AwsProvider(
            Caller(folder=caller.folder, environ={"AWS_REGION": "us-east-1", **project.daemon.environ}),
            journal,
        )

    connections = Connections(make)
    server = ProviderServer(connections)
    try:
        project.environ["PULUMI_DEBUG_PROVIDERS"] = f"aws:{server.port}"
        with monkeypatch.context() as patch:
            patch.setattr(kind, "create", killing)
            assert project.run("up", "--yes", "--skip-preview", "--json").code != 0
        assert killed
        wait_until(lambda: len(connections) == 0, "the end of the killed command's instances")
        goes_on(project)
    finally:
        server.stop()
        journal.close()
