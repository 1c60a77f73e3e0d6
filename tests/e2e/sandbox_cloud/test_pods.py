"""What a pod reaches, found out by scanning from inside, and who it is to AWS. The image is built, pushed and pulled as a service's is."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import ADMISSION_PORT, AWS_PORT, HOST_ADDRESS, KUBELET_PORT, POD_IDENTITY_ADDRESS
from slipway.sandbox.processes import ProcessTable
from tests.aws import aws_client
from tests.listening import PROBE, listening, machine_addresses
from tests.waiting import wait_until

DOCKERFILE = "FROM python:3.11-slim-bookworm\nRUN pip install --quiet boto3 'psycopg[binary]'\nUSER 10001:10001\n"
ACCOUNTS = ("orders", "billing", "plain")
"""The last one has no association."""
IDENTITY = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ],
}
WAIT_SECONDS = 120


class Pods:
    """One pod for each account, which sleeps and runs what it is given."""

    def __init__(self, name: str, kubeconfig: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._environment = environment | {"KUBECONFIG": str(kubeconfig)}

    def kubectl(self, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            ["kubectl", *arguments],
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def start(self, image: str) -> None:
        for account in ACCOUNTS:
            self.kubectl("create", "serviceaccount", account)
            spec = {"serviceAccountName": account, "terminationGracePeriodSeconds": 1}
            argv = ["run", account, "--image", image, "--overrides", json.dumps({"spec": spec})]
            self.kubectl(*argv, "--command", "--", "sleep", "infinity")
        self.kubectl("wait", "pod", *ACCOUNTS, "--for=condition=Ready", "--timeout=120s")

    def python(self, account: str, program: str, text: str = "") -> str:
        return self.kubectl("exec", "-i", account, "--", "python", "-c", program, text=text)

    def reached(self, account: str, targets: set[tuple[str, int]]) -> set[tuple[str, int]]:
        found = json.loads(self.python(account, PROBE, json.dumps(sorted(targets))))
        return {(address, port) for address, port in found}


@pytest.fixture(scope="module")
def pods(name: str, kubeconfig: Path, paths: SandboxPaths, environment: dict[str, str]) -> Iterator[Pods]:
    import docker  # noqa: PLC0415 - as the engine's fixture, for a whole module

    ecr, iam, eks = (aws_client(service, paths.home) for service in ("ecr", "iam", "eks"))
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    engine: Any = docker.DockerClient(base_url=environment["DOCKER_HOST"], timeout=180)
    engine.images.build(fileobj=io.BytesIO(DOCKERFILE.encode()), tag=f"{uri}:1", rm=True)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    engine.images.push(uri, tag="1", auth_config={"username": user, "password": password})
    engine.close()
    (image,) = ecr.list_images(repositoryName=name)["imageIds"]
    for account in ACCOUNTS[:2]:
        role = iam.create_role(RoleName=f"{name}-{account}", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        eks.create_pod_identity_association(
            clusterName=name, namespace="default", serviceAccount=account, roleArn=role["Arn"]
        )
    made = Pods(name, kubeconfig, environment)
    made.start(f"{uri}@{image['imageDigest']}")
    yield made
    ecr.delete_repository(repositoryName=name, force=True)
    for account in ACCOUNTS[:2]:
        iam.delete_role(RoleName=f"{name}-{account}")


@pytest.fixture(scope="module")
def databases(name: str, pods: Pods, paths: SandboxPaths) -> Iterator[tuple[int, int]]:
    """The ports of two databases in the cluster's VPC; the second one's group has no rule."""
    rds, ec2, eks = (aws_client(service, paths.home) for service in ("rds", "ec2", "eks"))
    network = eks.describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]
    ports: list[int] = []
    for number in range(2):
        group = ec2.create_security_group(GroupName=f"{name}-{number}", Description="d", VpcId=network["vpcId"])
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-{number}",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="orders",
            ManageMasterUserPassword=True,
            VpcSecurityGroupIds=[group["GroupId"]],
        )
        if number == 0:
            ec2.authorize_security_group_ingress(
                GroupId=group["GroupId"], IpPermissions=[from_group(network["clusterSecurityGroupId"])]
            )
    for number in range(2):
        waiter = rds.get_waiter("db_instance_available")
        waiter.wait(DBInstanceIdentifier=f"{name}-{number}", WaiterConfig={"Delay": 1, "MaxAttempts": 90})
        described = rds.describe_db_instances(DBInstanceIdentifier=f"{name}-{number}")["DBInstances"][0]
        ports.append(described["Endpoint"]["Port"])
    yield ports[0], ports[1]
    for number in range(2):
        rds.delete_db_instance(DBInstanceIdentifier=f"{name}-{number}", SkipFinalSnapshot=True)


def from_group(group_id: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": group_id}]}


@pytest.mark.parametrize("account", ACCOUNTS[:2])
def test_pod_calls_aws_as_its_accounts_role(pods: Pods, account: str) -> None:
    arn = pods.python(account, IDENTITY).strip()

    assert arn.startswith(f"arn:aws:sts::123456789012:assumed-role/{pods.name}-{account}/eks-")


def test_pod_without_an_association_has_no_credentials_and_cannot_borrow_any(pods: Pods) -> None:
    answers = pods.python(
        "plain",
        f"""
import boto3, os, urllib.error, urllib.request
print(boto3.Session().get_credentials(), os.environ.get("AWS_ENDPOINT_URL"))
token = open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
request = urllib.request.Request("http://{POD_IDENTITY_ADDRESS}/v1/credentials", headers={{"Authorization": token}})
for what in (request, "http://{HOST_ADDRESS}:{AWS_PORT}/_slipway/status"):
    try:
        print(urllib.request.urlopen(what, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
""",
    )

    assert answers.split("\n") == ["None None", "400", "403", ""]


def test_pod_reaches_its_environment_and_nothing_else_of_the_machine(
    pods: Pods, databases: tuple[int, int], paths: SandboxPaths
) -> None:
    own = {each for each in machine_addresses() if not each.startswith(("127.", "::1", "fe80"))}
    sockets = {(str(each.address), each.port) for each in listening(ProcessTable(paths))}
    ports = {port for _, used in sockets for port in (used - 1, used, used + 1)} | {22, 53, 80, ADMISSION_PORT}
    targets = {(address, port) for address in {*own, HOST_ADDRESS} for port in ports}
    targets |= {each for each in sockets if not each[0].startswith("127.")} | {("169.254.169.254", 80)}
    info = json.loads(pods.kubectl("get", "nodes,endpoints", "--output", "json"))["items"]
    (node,) = [each["status"]["addresses"][0]["address"] for each in info if each["kind"] == "Node"]
    (api,) = [each["subsets"][0] for each in info if each["metadata"]["name"] == "kubernetes"]
    targets |= {(node, KUBELET_PORT)}

    expected = {(HOST_ADDRESS, port) for port in (AWS_PORT, api["ports"][0]["port"], databases[0])}
    assert databases[1] in ports
    assert pods.reached("plain", targets) == {*expected, (node, KUBELET_PORT)}


def test_pod_reaches_a_database_from_the_rule_on_and_until_it_goes(
    pods: Pods, databases: tuple[int, int], name: str, paths: SandboxPaths
) -> None:
    ec2, eks = aws_client("ec2", paths.home), aws_client("eks", paths.home)
    target = {(HOST_ADDRESS, databases[1])}
    network = eks.describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]
    filters = [{"Name": "group-name", "Values": [f"{name}-1"]}]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    rule = {"GroupId": group["GroupId"], "IpPermissions": [from_group(network["clusterSecurityGroupId"])]}

    ec2.authorize_security_group_ingress(**rule)
    assert pods.reached("orders", target) == target
    # Any answer of the server proves the way: the password is not the point here.
    refusal = pods.python(
        "orders",
        f"""
import psycopg
try:
    psycopg.connect("host={HOST_ADDRESS} port={databases[1]} user=orders password=x")
except psycopg.OperationalError as error:
    print(error)
""",
    )
    assert "password authentication failed" in refusal
    ec2.revoke_security_group_ingress(**rule)
    assert pods.reached("orders", target) == set()


def test_pod_finds_services_by_name(pods: Pods) -> None:
    program = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"

    wait_until(lambda: pods.python("plain", program).startswith("10."), "the name of a Service", WAIT_SECONDS)
