"""Unmodified programs, run by the Pulumi CLI on the daemon's providers: up, nothing to do, refresh, a change, destroy."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stack_kit import Daemon, Project, served

pytestmark = pytest.mark.usefixtures("cli_on_path")

WEB = """
import pulumi
import pulumi_aws as aws

zones = aws.get_availability_zones(state="available").names
vpc = aws.ec2.Vpc("net", cidr_block="10.60.0.0/16", tags={"Name": "net"})
subnets = [
    aws.ec2.Subnet(f"net-{zone}", vpc_id=vpc.id, cidr_block=f"10.60.{index}.0/24", availability_zone=zone)
    for index, zone in enumerate(zones[:2])
]
balancer = aws.lb.LoadBalancer("web", subnets=[subnet.id for subnet in subnets])
shares = [
    {
        "arn": aws.lb.TargetGroup(colour, port=80, protocol="HTTP", target_type="ip", vpc_id=vpc.id).arn,
        "weight": weight,
    }
    for colour, weight in WEIGHTS.items()
]
aws.lb.Listener(
    "web",
    load_balancer_arn=balancer.arn,
    port=80,
    default_actions=[{"type": "forward", "forward": {"target_groups": shares}}],
)
principals = [{"type": "Service", "identifiers": ["eks.amazonaws.com"]}]
trust = aws.iam.get_policy_document(statements=[{"actions": ["sts:AssumeRole"], "principals": principals}]).json
role = aws.iam.Role("eks", assume_role_policy=trust)
secret = aws.secretsmanager.Secret("token")
aws.secretsmanager.SecretVersion("token", secret_id=secret.id, secret_string=pulumi.Output.secret("s3cr3t-value"))
pulumi.export("dns", balancer.dns_name)
pulumi.export("account", aws.get_caller_identity().account_id)
"""
SECURED = """
import pulumi
import pulumi_aws as aws

from components import LoadBalancer, LoadBalancerArgs

vpc = aws.ec2.Vpc("net", cidr_block="10.61.0.0/16")
subnets = [
    aws.ec2.Subnet(zone, vpc_id=vpc.id, cidr_block=f"10.61.{index}.0/24", availability_zone=zone).id
    for index, zone in enumerate(("us-east-1a", "us-east-1b"))
]
domain = DOMAIN
zone = aws.route53.get_zone_output(name="shop.example", private_zone=False).zone_id if domain else None
args = LoadBalancerArgs(
    vpc_id=vpc.id,
    subnet_ids=subnets,
    pods_security_group_id=aws.ec2.SecurityGroup("pods", vpc_id=vpc.id).id,
    weights={"blue": 100, "green": 0},
    test_colour="green",
    domain=domain,
    zone_id=zone,
)
pulumi.export("url", LoadBalancer("web", args).url)
"""
SITE = """
import os
import pulumi
import pulumi_aws as aws

bucket = aws.s3.Bucket("site")
for name in sorted(os.listdir("www")):
    aws.s3.BucketObject(name, bucket=bucket.id, source=pulumi.FileAsset(os.path.join("www", name)))
pulumi.export("bucket", bucket.id)
"""
IMAGE = """
import pulumi_docker as docker

docker.Image("app", image_name="127.0.0.1:5000/app:one", build={"context": "app"}, skip_push=True)
"""
TWO_REGIONS = """
import pulumi
import pulumi_aws as aws

other = pulumi.ResourceOptions(provider=aws.Provider("other", region="eu-west-3"))
pulumi.export("default", aws.sqs.Queue("default").arn)
pulumi.export("explicit", aws.sqs.Queue("explicit", opts=other).arn)
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with served(tmp_path_factory.mktemp("aws")) as daemon:
        yield daemon


def test_program_lives_its_life(daemon: Daemon, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", daemon, WEB.replace("WEIGHTS", str({"blue": 100, "green": 0})))
    preview = project.preview().changes
    assert set(preview) == {"create"}
    total = preview["create"]
    assert project.up() == preview
    assert project.outputs()["account"] == "123456789012"
    assert project.up() == {"same": total}
    project.refresh()
    # What a load balancer says of target groups that came before it is news to the first refresh only.
    assert project.refresh() == {"same": total}
    project.program = WEB.replace("WEIGHTS", str({"blue": 90, "green": 10}))
    assert project.preview().changes == {"same": total - 1, "update": 1}
    assert project.up() == {"same": total - 1, "update": 1}
    written = "".join(path.read_text(errors="replace") for path in project.state.rglob("*") if path.is_file())
    assert "s3cr3t-value" not in written
    assert project.destroy() == {"delete": total}


def test_load_balancer_gets_a_domain_with_its_certificate_and_another_one(daemon: Daemon, tmp_path: Path) -> None:
    """Over HTTP before: the live listener leaves port 80 to the redirect. Each certificate is issued before a listener has it."""
    route53 = daemon.client("route53")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference="shop")["HostedZone"]["Id"]

    def records() -> set[tuple[str, str]]:
        found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return {(each["Name"], each["Type"]) for each in found if each["Type"] not in {"NS", "SOA"}}

    project = Project(tmp_path / "project", daemon, SECURED.replace("DOMAIN", "None"))
    project.up()
    for domain in ("orders.shop.example", "www.shop.example"):
        project.program = SECURED.replace("DOMAIN", repr(domain))
        project.up()
        assert set(project.up()) == {"same"}
        assert project.outputs()["url"] == f"https://{domain}"
        alias, validation = sorted(records(), key=lambda record: record[1])
        assert alias == (f"{domain}.", "A")
        assert validation[0].endswith(f".{domain}.")
    (balancer,) = daemon.client("elbv2").describe_load_balancers()["LoadBalancers"]
    listeners = daemon.client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    actions = {each["Port"]: each["DefaultActions"][0]["Type"] for each in listeners}
    assert actions == {80: "redirect", 443: "forward"}
    (live,) = [each["ListenerArn"] for each in listeners if each["Port"] == 443]
    (rule,) = [each for each in daemon.client("elbv2").describe_rules(ListenerArn=live)["Rules"] if each["Conditions"]]
    (value,) = rule["Conditions"][0]["HttpHeaderConfig"]["Values"]
    assert len(value) > 40
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in kept if value.encode() in text]  # the state is among them, encrypted
    assert [text for text in kept if rule["RuleArn"].encode() in text]
    project.destroy()
    assert records() == set()


def test_files_beside_the_program_are_found_and_sent_again_when_they_change(daemon: Daemon, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", daemon, SITE, main="site")
    www = project.folder / "site/www"
    www.mkdir(parents=True)
    for name in ("index.html", "404.html"):
        (www / name).write_text(f"first {name}")
    assert project.up() == {"create": 4}  # two files, the bucket and the stack
    assert project.up() == {"same": 4}
    (www / "index.html").write_text("second")
    assert project.up() == {"same": 3, "update": 1}
    stored = daemon.client("s3").get_object(Bucket=project.outputs()["bucket"], Key="index.html")
    assert stored["Body"].read() == b"second"
    (www / "404.html").unlink()
    assert project.up() == {"same": 3, "delete": 1}
    assert project.destroy() == {"delete": 3}


def test_relative_contexts_of_two_stacks_are_their_own_at_the_same_moment(daemon: Daemon, tmp_path: Path) -> None:
    def previewed(name: str) -> str:
        project = Project(tmp_path / name / "project", daemon, IMAGE)
        (project.folder / "app").mkdir()
        (project.folder / "app/Dockerfile").write_text(f"FROM scratch\nLABEL of={name.partition('-')[0]}\n")
        return project.preview().inputs["app"]["build"]["contextDigest"]

    with ThreadPoolExecutor() as pool:
        first, second, again = pool.map(previewed, ("first", "second", "first-again"))
    assert first == again != second


def test_missing_context_is_named_by_its_full_path(daemon: Daemon, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", daemon, IMAGE)
    result = project.run("preview", "--json")
    assert result.code != 0
    assert any(f"{project.folder}/app is not a folder" in error for error in result.errors)


def test_environment_is_the_commands_where_the_configuration_says_nothing(daemon: Daemon, tmp_path: Path) -> None:
    """And each provider of one command has its own region. The endpoint is the daemon's where the environment names none."""
    project = Project(tmp_path / "project", daemon, TWO_REGIONS, environ={"AWS_REGION": "ap-south-1"})
    project.up()
    regions = {name: arn.split(":")[3] for name, arn in project.outputs().items()}
    assert regions == {"default": "ap-south-1", "explicit": "eu-west-3"}
    assert len(daemon.client("sqs", "eu-west-3").list_queues()["QueueUrls"]) == 1
