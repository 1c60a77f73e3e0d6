"""Reset: nothing is left of a sandbox that had everything. Uses a sandbox of its own, so this machine's is down meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from slipway.sandbox import lifecycle
from slipway.sandbox.accounts import SERVICES
from slipway.sandbox.hosts_file import HOSTS
from slipway.sandbox.kubernetes.layout import kubernetes_folder
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.requirements import CLAIM
from tests.aws import aws_client

PATIENCE = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 180}}


def silent(_text: str) -> None:
    """Nobody reads the progress."""


@pytest.fixture
def own_sandbox(paths: SandboxPaths) -> Iterator[SandboxPaths]:
    """A second sandbox with the first one's cache."""
    # Not tmp_path: the container runtime's sockets lie below, and their paths may not be longer than 107 bytes.
    own = SandboxPaths(Path(tempfile.mkdtemp(prefix="slipway-")))
    (own.home / "cache").symlink_to(paths.cache)
    lifecycle.down(paths)
    leave_like_a_killed_sandbox()
    try:
        lifecycle.up(own, silent)
        yield own
    finally:
        lifecycle.reset(own)
        shutil.rmtree(own.home)
        lifecycle.up(paths, silent)


def leave_like_a_killed_sandbox() -> None:
    """The claim, a node's network and its cluster's rule, of a sandbox in a folder that is gone."""
    CLAIM.write_text('{"home": "/nowhere"}')
    for command in (
        "ip netns add slipway-7",
        "ip link add slipway7n0 type veth peer name eth0 netns slipway-7",
        "iptables -w -t nat -I OUTPUT -d 127.0.0.1 -p tcp --dport 6513 -j DNAT --to-destination 10.87.0.1",
    ):
        subprocess.run(command.split(), timeout=20, check=True)


def use_everything(home: Path) -> None:
    rds, eks, ec2, route53 = (aws_client(service, home) for service in ("rds", "eks", "ec2", "route53"))
    zone = route53.create_hosted_zone(Name="gone.test", CallerReference="gone")["HostedZone"]["Id"]
    record = {"Name": "gone.test", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "127.0.10.1"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    role = "arn:aws:iam::123456789012:role/cluster"
    rds.create_db_instance(
        DBInstanceIdentifier="gone",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="orders",
        ManageMasterUserPassword=True,
    )
    eks.create_cluster(name="gone", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    eks.get_waiter("cluster_active").wait(name="gone", **PATIENCE)
    eks.create_nodegroup(clusterName="gone", nodegroupName="workers", subnets=subnets, nodeRole=role)
    eks.get_waiter("nodegroup_active").wait(clusterName="gone", nodegroupName="workers", **PATIENCE)
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="gone", **PATIENCE)


def remains(folder: Path) -> dict[str, list[str]]:
    """What of a sandbox is still on this machine, by kind."""
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    rules = subprocess.run(
        ["iptables-save"], capture_output=True, text=True, timeout=20, check=True
    ).stdout.splitlines()
    return {
        "processes": [command for command in commands if str(folder) in command or str(SERVICES) in command],
        "mounts": [
            line
            for line in Path("/proc/self/mounts").read_text().splitlines()
            if str(folder) in line or str(SERVICES) in line
        ],
        "namespaces": [path.name for path in Path("/run/netns").glob("slipway-*")],
        "interfaces": [name for name in psutil.net_if_addrs() if name.startswith(("slipway", "docker0"))],
        "packet filter": [
            line for line in rules if any(word in line for word in ("DOCKER", "slipway", "SLIPWAY", "10.87."))
        ],
        "names": [line for line in HOSTS.read_text().splitlines() if "gone.test" in line or "Slipway" in line],
        "files": [str(path) for path in (folder, Path("/run/slipway-docker"), CLAIM) if path.exists()],
    }


@pytest.mark.parametrize("clusters", ["listed", "not a list"])
def test_nothing_is_left_when_a_sandbox_with_everything_is_reset(own_sandbox: SandboxPaths, clusters: str) -> None:
    use_everything(own_sandbox.home)
    before = remains(own_sandbox.sandbox)
    assert before["processes"]
    assert before["namespaces"] == ["slipway-0"]
    assert "127.0.10.1 gone.test" in before["names"]
    if clusters == "not a list":
        (kubernetes_folder(own_sandbox) / "clusters.json").write_text("{")
    lifecycle.reset(own_sandbox)
    assert remains(own_sandbox.sandbox) == {kind: [] for kind in before}
    assert (own_sandbox.home / "cache").exists()
