"""What a pod reaches, found out by scanning from inside, and who it is to AWS. The image is built, pushed and pulled as a service's is."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import ADMISSION_PORT, AWS_PORT, HOST_ADDRESS, KUBELET_PORT, POD_IDENTITY_ADDRESS
from slipway.sandbox.processes import ProcessTable
from tests.aws import aws_client
from tests.identities import ACCOUNT, allow, document
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
READ = """
import boto3, json, psycopg, sys
from botocore.exceptions import ClientError
asked = json.load(sys.stdin)
def client(service): return boto3.client(service, "us-east-1")
def rows():
    signed = {"DBHostname": asked["host"], "Port": asked["port"], "DBUsername": "app"}
    token = client("rds").generate_db_auth_token(**signed)
    where = f"host={asked['host']} port={asked['port']} dbname=orders user=app sslmode=require connect_timeout=10"
    with psycopg.connect(where, password=token) as connection:
        return connection.execute("SELECT name FROM owner").fetchone()[0]
reads = {
    "secret": lambda: client("secretsmanager").get_secret_value(SecretId=asked["name"])["SecretString"],
    "queue": lambda: client("sqs").receive_message(QueueUrl=asked["queue"], VisibilityTimeout=0)["Messages"][0]["Body"],
    "bucket": lambda: client("s3").get_object(Bucket=asked["name"], Key="name")["Body"].read().decode(),
    "database": rows,
}
said = {}
for kind, read in reads.items():
    try:
        said[kind] = read()
    except ClientError as error:
        said[kind] = error.response["Error"]["Code"].removesuffix("Exception")
    except psycopg.OperationalError as error:
        said[kind] = "AccessDenied" if "LDAP authentication failed" in str(error) else str(error)
print(json.dumps(said))
"""
"""Reads what belongs to a service, with whatever the pod is to AWS."""


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
            DBName="orders",
            ManageMasterUserPassword=True,
            EnableIAMDatabaseAuthentication=True,
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


def second_door(name: str, ec2: Any, eks: Any) -> dict[str, Any]:
    """The rule that lets the cluster's pods through to the second database, which has none."""
    network = eks.describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]
    filters = [{"Name": "group-name", "Values": [f"{name}-1"]}]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    return {"GroupId": group["GroupId"], "IpPermissions": [from_group(network["clusterSecurityGroupId"])]}


@pytest.mark.parametrize("account", ACCOUNTS[:2])
def test_pod_calls_aws_as_its_accounts_role(pods: Pods, account: str) -> None:
    arn = pods.python(account, IDENTITY).strip()

    assert arn.startswith(f"arn:aws:sts::123456789012:assumed-role/{pods.name}-{account}/eks-")


@pytest.fixture
def belongings(name: str, databases: tuple[int, int], paths: SandboxPaths) -> Iterator[dict[str, dict[str, Any]]]:
    """By service: a secret, a queue, a bucket and a database, each with the service's name inside. Its role may read them; the network
    lets every pod of the cluster through to both databases."""
    rds, ec2, eks, iam, s3, sqs, secrets = (
        aws_client(service, paths.home) for service in ("rds", "ec2", "eks", "iam", "s3", "sqs", "secretsmanager")
    )
    rule = second_door(name, ec2, eks)
    ec2.authorize_security_group_ingress(**rule)
    made: dict[str, dict[str, Any]] = {}
    for number, service in enumerate(ACCOUNTS[:2]):
        own = f"{name}-{service}"
        secret = secrets.create_secret(Name=own, SecretString=service)["ARN"]
        queue = sqs.create_queue(QueueName=own)["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody=service)
        s3.create_bucket(Bucket=own)
        s3.put_object(Bucket=own, Key="name", Body=service.encode())
        (database,) = rds.describe_db_instances(DBInstanceIdentifier=f"{name}-{number}")["DBInstances"]
        _name_owner(secrets, database, service)
        login = f"arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:{database['DbiResourceId']}/app"
        rights = (
            allow("secretsmanager:GetSecretValue", secret),
            allow("sqs:ReceiveMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:{own}"),
            allow("s3:GetObject", f"arn:aws:s3:::{own}/*"),
            allow("rds-db:connect", login),
        )
        iam.put_role_policy(RoleName=own, PolicyName="own", PolicyDocument=document(*rights))
        made[service] = {"name": own, "queue": queue, "host": HOST_ADDRESS, "port": databases[number]}
    yield made
    ec2.revoke_security_group_ingress(**rule)
    for own in made.values():
        iam.delete_role_policy(RoleName=own["name"], PolicyName="own")
        secrets.delete_secret(SecretId=own["name"], ForceDeleteWithoutRecovery=True)
        sqs.delete_queue(QueueUrl=own["queue"])
        s3.delete_object(Bucket=own["name"], Key="name")
        s3.delete_bucket(Bucket=own["name"])


def _name_owner(secrets: Any, database: dict[str, Any], service: str) -> None:
    """A table that says whose the database is, for a user that logs in with tokens."""
    found = json.loads(secrets.get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])["SecretString"])
    where = f"host={database['Endpoint']['Address']} port={database['Endpoint']['Port']} dbname=orders user=orders"
    with psycopg.connect(where, password=found["password"], connect_timeout=10) as connection:
        connection.execute("CREATE TABLE owner (name text)")
        connection.execute("INSERT INTO owner VALUES (%s)", [service])
        connection.execute("CREATE ROLE app LOGIN")
        connection.execute("GRANT rds_iam TO app")
        connection.execute("GRANT SELECT ON owner TO app")


def test_pod_reads_what_belongs_to_its_service_and_nothing_of_another(
    pods: Pods, belongings: dict[str, dict[str, Any]]
) -> None:
    kinds = ("secret", "queue", "bucket", "database")
    for reader, owner in product(belongings, repeat=2):
        said = json.loads(pods.python(reader, READ, json.dumps(belongings[owner])))
        expected = owner if reader == owner else "AccessDenied"
        assert said == dict.fromkeys(kinds, expected), f"{reader} reads {owner}'s"


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
    rule = second_door(name, ec2, eks)

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
