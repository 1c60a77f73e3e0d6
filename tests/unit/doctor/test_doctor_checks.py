"""Each check with an account that is as it should be, and with one that is not.

Not proven: that AWS's own simulator, quotas and versions answer as the stubs do; their shapes are botocore's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.stub import ANY, Stubber

from slipway.doctor import Case, Finding, State
from slipway.doctor.account import Caller
from slipway.doctor.checks.cost import check_cost
from slipway.doctor.checks.domain import check_domain
from slipway.doctor.checks.identity import check_identity
from slipway.doctor.checks.kubernetes import check_kubernetes
from slipway.doctor.checks.names import check_names
from slipway.doctor.checks.networks import check_stack_files, check_vpcs
from slipway.doctor.checks.permissions import check_permissions
from slipway.doctor.checks.quotas import QUOTAS, check_quotas, is_standard
from slipway.doctor.checks.sharing import check_sharing
from slipway.doctor.checks.zones import check_zones

CaseOf = Callable[..., Case]
Stub = Callable[[Case, str], Stubber]
DOMAIN = {"name": "orders", "domain": "orders.example.com"}
OWN = [
    {"Key": "environment", "Value": "dev"},
    {"Key": "service", "Value": "orders"},
    {"Key": "managed-by", "Value": "slipway"},
]


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.state.name, finding.what) for finding in findings]


@pytest.mark.parametrize(
    ("account", "state", "text"),
    [("123456789012", "OK", "in account 123456789012"), ("210987654321", "FAILURE", "stack file says 210987654321")],
)
def test_identity_is_compared_with_the_stack_file(case_of: CaseOf, account: str, state: str, text: str) -> None:
    finding = check_identity(case_of(accountId=account))
    assert (finding.state.name, text in finding.what) == (state, True)


def test_root_user_is_warned_of_and_not_simulated(case_of: CaseOf) -> None:
    case = case_of()
    case.account.caller = Caller(account="123456789012", arn="arn:aws:iam::123456789012:root")
    assert check_identity(case).state is State.WARNING
    assert [finding.state for finding in check_permissions(case)] == [State.NOT_ASKED]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders", [("OK", "all within the limits; the tightest is LoadBalancer with 18 of 32")]),
        ("o" * 20, [("OK", "all within the limits; the tightest is LoadBalancer with 32 of 32")]),
        ("o" * 21, [("FAILURE", f"LoadBalancer {'o' * 21}-dev-0000000 has 33 characters; 32 are allowed")]),
    ],
)
def test_names_are_measured_with_what_pulumi_adds(case_of: CaseOf, name: str, expected: list[tuple[str, str]]) -> None:
    assert told(check_names(case_of(service={"name": name}))) == expected


@pytest.mark.parametrize(
    ("own", "others", "warned"),
    [
        ({"image": {"context": "app"}}, {"prod": {"database": {"protect": True}}}, ["prod"]),
        ({"image": {"context": "app"}}, {"prod": {"loadBalancer": {"protect": True}}, "staging": {}}, ["prod"]),
        ({"image": {"context": "app"}}, {"prod": {"accountId": "2" * 12, "database": {"protect": True}}}, []),
        ({"database": {"protect": True}}, {"test": {"image": {"context": "app"}}}, ["dev"]),
        ({"database": {"protect": True}}, {"prod": {"database": {"protect": True}}}, []),
        ({"image": {"context": "app"}, "database": {"protect": True}}, {"torn": {"accountId": 1}}, []),
    ],
)
def test_protected_environment_in_the_account_of_one_that_builds_is_a_warning(
    case_of: CaseOf, tmp_path: Path, own: dict[str, Any], others: dict[str, dict[str, Any]], warned: list[str]
) -> None:
    for name, blocks in others.items():
        config = {f"slipway:{key}": value for key, value in {"accountId": "123456789012", **blocks}.items()}
        (tmp_path / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": config}))
    found = [*check_sharing(case_of(**own))]
    assert [each.what.split()[0] for each in found if each.state is State.WARNING] == warned
    assert (found[-1].state is State.OK) == (not warned)


def test_ranges_of_other_stack_files_are_compared(case_of: CaseOf, tmp_path: Path) -> None:
    for name, network in {"staging": "{cidr: 10.20.128.0/17}", "prod": "{cidr: 10.21.0.0/16}", "old": "{}"}.items():
        (tmp_path / f"Pulumi.{name}.yaml").write_text(f"config: {{slipway:network: {network}}}\n")
    (tmp_path / "Pulumi.torn.yaml").write_text("config: [\n")
    assert [text for _, text in told(check_stack_files(case_of()))] == [
        "10.20.0.0/16 overlaps 10.20.128.0/17 of staging",
        "the range of old: slipway:network.cidr: field required",
        "the range of torn: line 2: did not find expected node content",
    ]
    for name in ("staging", "old", "torn"):
        (tmp_path / f"Pulumi.{name}.yaml").unlink()
    assert [state for state, _ in told(check_stack_files(case_of()))] == ["OK"]


def test_vpcs_are_compared_with_all_their_ranges_but_not_with_the_own_one(case_of: CaseOf) -> None:
    case = case_of()
    ec2 = case.account.client("ec2")
    own = [{"ResourceType": "vpc", "Tags": OWN}]
    ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=own)
    other = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    assert told(check_vpcs(case)) == [("OK", "10.20.0.0/16 overlaps no other VPC in us-east-1")]
    ec2.associate_vpc_cidr_block(VpcId=other, CidrBlock="10.20.64.0/18")
    assert told(check_vpcs(case)) == [("WARNING", f"10.20.0.0/16 overlaps 10.20.64.0/18 of {other}")]


def zones_answer(*unavailable: str) -> dict[str, Any]:
    """us-east-1 as an account has it: its third zone is the one without EKS."""
    zones = [
        {"ZoneName": f"us-east-1{letter}", "ZoneId": f"use1-az{number}", "State": "available"}
        for letter, number in {"a": 1, "b": 2, "c": 3}.items()
    ]
    return {
        "AvailabilityZones": [
            zone | ({"State": "impaired"} if zone["ZoneName"] in unavailable else {}) for zone in zones
        ]
    }


@pytest.mark.parametrize(
    ("zones", "impaired", "offered", "expected"),
    [
        (2, "", "ab", ["OK us-east-1a, us-east-1b of us-east-1a, us-east-1b", "OK t3.medium is offered in each zone"]),
        (3, "", "ab", ["FAILURE 3 zones are wanted; us-east-1 offers this account 2", "OK t3.medium"]),
        (2, "b", "ab", ["WARNING zone us-east-1b is impaired", "OK us-east-1a", "OK t3.medium"]),
        (2, "", "a", ["OK us-east-1a", "FAILURE no t3.medium in us-east-1b"]),
        (
            ["us-east-1a", "us-east-1c", "us-east-1z"],
            "",
            "a",
            ["FAILURE zone us-east-1c: EKS has", "FAILURE zone us-east-1z: this account does not", "OK t3.medium"],
        ),
    ],
)
def test_zones_are_those_with_eks_and_with_the_nodes_type(  # noqa: PLR0917 - pytest passes them by name
    case_of: CaseOf, stub: Stub, zones: Any, impaired: str, offered: str, expected: list[str]
) -> None:
    case = case_of(network={"cidr": "10.20.0.0/16", "zones": zones})
    ec2 = stub(case, "ec2")
    ec2.add_response("describe_availability_zones", zones_answer(*(f"us-east-1{letter}" for letter in impaired)))
    offers = [{"Location": f"us-east-1{letter}"} for letter in offered]
    ec2.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": offers})
    lines = [f"{state} {text}" for state, text in told(check_zones(case))]
    assert len(lines) == len(expected)
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True)), lines


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.35", ("OK", "Kubernetes 1.35 is in standard support until 2027-03-27")),
        ("1.34", ("WARNING", "standard support of Kubernetes 1.34 ends on 2026-12-02")),
        ("1.33", ("FAILURE", "Kubernetes 1.33 is out of standard support")),
        ("1.32", ("FAILURE", "Kubernetes 1.32 is out of standard support")),
        ("1.99", ("FAILURE", "EKS does not offer Kubernetes 1.99")),
    ],
)
def test_kubernetes_version_is_in_standard_support(
    case_of: CaseOf, stub: Stub, version: str, expected: tuple[str, str]
) -> None:
    ends = {"1.35": (2027, 3, 27), "1.34": (2026, 12, 2), "1.33": (2026, 7, 29), "1.32": (2026, 3, 23)}
    answer = [
        {
            "clusterVersion": name,
            "versionStatus": "EXTENDED_SUPPORT" if name == "1.32" else "STANDARD_SUPPORT",
            "endOfStandardSupportDate": datetime(*end, tzinfo=UTC),
        }
        for name, end in ends.items()
    ]
    case = case_of(cluster={"version": version})
    stub(case, "eks").add_response("describe_cluster_versions", {"clusterVersions": answer})
    assert told(check_kubernetes(case)) == [expected]


def add_quotas(quotas: Stubber, limits: dict[str, int]) -> None:
    for quota in QUOTAS:
        names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
        quotas.add_client_error("get_service_quota", "NoSuchResourceException", expected_params=names)
        value = {"Quota": {"Value": float(limits[quota.what.split()[-1]])}}
        quotas.add_response("get_aws_default_service_quota", value, names)


@pytest.mark.parametrize(
    ("limits", "failures"),
    [
        ({"addresses": 4, "instances": 6, "balancers": 2, "VPCs": 4}, []),
        ({"addresses": 3, "instances": 5, "balancers": 1, "VPCs": 2}, ["elastic", "vCPU", "application", "VPCs"]),
    ],
)
def test_quotas_have_room_for_what_others_use_and_this_environment_wants(
    case_of: CaseOf, stub: Stub, limits: dict[str, int], failures: list[str]
) -> None:
    """Others have an address, a load balancer and 2 VPCs; what the environment has already does not count twice."""
    case = case_of(
        network={"cidr": "10.20.0.0/16", "zones": 3, "natGateways": "per-zone"},
        cluster={"version": "1.35", "nodes": {"instanceType": "t3.medium", "maximum": 3}},
    )
    ec2, elb = case.account.client("ec2"), case.account.client("elbv2")
    ec2.allocate_address(Domain="vpc")
    ec2.allocate_address(Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": OWN}])
    vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": OWN}])
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.50.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for number, zone in enumerate("ab")
    ]
    for name in ("orders-dev-0a1b2c3", "orders-dev-other"):
        elb.create_load_balancer(Name=name, Subnets=[subnet["SubnetId"] for subnet in subnets])
    add_quotas(stub(case, "service-quotas"), limits)

    found = list(check_quotas(case))
    assert [finding.what.split()[0].rstrip(":") for finding in found if finding.state is State.FAILURE] == failures
    assert [finding.what.partition(": ")[2].partition(", ")[0] for finding in found] == [
        "3 wanted", "6 wanted", "1 wanted", "1 wanted"
    ]  # fmt: skip
    assert len(found) == len(QUOTAS)


def test_vcpu_are_counted_of_running_on_demand_instances_of_the_standard_families(case_of: CaseOf, stub: Stub) -> None:
    case = case_of(cluster={"version": "1.35", "nodes": {"instanceType": "m6i.xlarge", "maximum": 3}})

    def instance(kind: str, cores: int, **more: Any) -> dict[str, Any]:
        return {"InstanceType": kind, "CpuOptions": {"CoreCount": cores, "ThreadsPerCore": 2}, **more}

    instances = [
        instance("c7i.2xlarge", 4),
        instance("t3.medium", 1),
        instance("g4dn.xlarge", 2),
        instance("m5.large", 1, InstanceLifecycle="spot"),
        instance("m6i.xlarge", 2, Tags=[{"Key": "eks:cluster-name", "Value": "orders-dev"}]),
    ]
    ec2 = stub(case, "ec2")
    kinds = [{"InstanceType": "m6i.xlarge", "VCpuInfo": {"DefaultVCpus": 4}}]
    ec2.add_response("describe_instance_types", {"InstanceTypes": kinds}, {"InstanceTypes": ["m6i.xlarge"]})
    running = {"Filters": [{"Name": "instance-state-name", "Values": ["pending", "running"]}]}
    ec2.add_response("describe_instances", {"Reservations": [{"Instances": instances}]}, running)
    (vcpu,) = (quota for quota in QUOTAS if quota.what.startswith("vCPU"))
    assert vcpu.demand(case.project, case.account) == (12, 10)


def test_auto_mode_is_asked_for_no_instance_type_and_wants_the_vcpu_of_one_node_in_each_zone(
    case_of: CaseOf, stub: Stub
) -> None:
    case = case_of(cluster={"version": "1.35", "compute": "auto"}, network={"cidr": "10.20.0.0/16", "zones": 3})
    ec2 = stub(case, "ec2")
    ec2.add_response("describe_instances", {"Reservations": []})
    (vcpu,) = (quota for quota in QUOTAS if quota.what.startswith("vCPU"))
    assert vcpu.demand(case.project, case.account) == (6, 0)
    ec2.add_response("describe_availability_zones", zones_answer())
    assert [state for state, _ in told(check_zones(case))] == ["FAILURE"]  # two zones, and no word about the type
    ((_, what),) = told(check_cost(case))
    assert what.startswith("about ")


def test_quota_that_may_not_be_read_says_which_right_is_missing_and_leaves_the_others(
    case_of: CaseOf, stub: Stub
) -> None:
    case = case_of()
    quotas = stub(case, "service-quotas")
    for _ in QUOTAS[:-1]:
        quotas.add_client_error("get_service_quota", "AccessDeniedException", "no")
    quotas.add_response("get_service_quota", {"Quota": {"Value": 5.0}})
    *denied, last = check_quotas(case)
    assert {finding.state for finding in denied} == {State.NOT_ASKED}
    assert {finding.remedy for finding in denied} == {"allow servicequotas:GetServiceQuota"}
    assert last.state is State.OK


@pytest.mark.parametrize(
    ("kind", "standard"), [("t3.medium", True), ("i4g.large", True), ("g5.xlarge", False), ("hpc7a.12xlarge", False)]
)
def test_vcpu_of_other_families_have_quotas_of_their_own(kind: str, standard: bool) -> None:
    assert is_standard(kind) is standard


def test_permissions_are_told_by_purpose(case_of: CaseOf, stub: Stub) -> None:
    case = case_of(image={"context": "app"})
    case.account.caller = Caller(account="123456789012", arn="arn:aws:sts::123456789012:assumed-role/deploy/me")
    iam = case.account.client("iam")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = iam.create_role(RoleName="deploy", Path="/ci/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    asked: list[dict[str, Any]] = []

    def answer(model: Any, params: dict[str, Any], **_: Any) -> Any:
        body = params["body"]
        asked.append(body)
        actions = [value for key, value in body.items() if key.startswith("ActionNames.")]
        results = []
        for action in actions:
            result: dict[str, Any] = {"EvalActionName": action, "EvalDecision": "allowed"}
            if action == "rds:CreateDBInstance":
                result |= {"EvalDecision": "implicitDeny"}
            if action == "rds:DeleteDBInstance":
                result |= {
                    "EvalDecision": "explicitDeny",
                    "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
                }
            if action == "ec2:CreateVpc":
                missing = [{"MissingContextValues": ["aws:SourceVpc"]}]
                result |= {"EvalDecision": "implicitDeny", "ResourceSpecificResults": missing}
            results.append(result)
        return type("Response", (), {"status_code": 200})(), {"EvaluationResults": results, "IsTruncated": False}

    iam.meta.events.register("before-call.iam.SimulatePrincipalPolicy", answer)
    lines = told(check_permissions(case))

    assert lines[:2] == [
        ("WARNING", "network: depends on conditions: ec2:CreateVpc (aws:SourceVpc)"),
        ("OK", "key: 20 actions are allowed"),
    ]
    denied = "rds:CreateDBInstance, rds:DeleteDBInstance (by a policy of the organisation)"
    assert ("FAILURE", f"database: denied: {denied}") in lines
    assert [text.partition(":")[0] for _, text in lines] == [
        "network", "key", "cluster", "roles", "database", "load balancer", "monitoring", "images", "image build", "ledger"
    ]  # fmt: skip
    assert {body["PolicySourceArn"] for body in asked} == {role}
    arns = {body["ResourceArns.member.1"] for body in asked}
    assert {
        "*",
        "arn:aws:iam::123456789012:role/orders-dev-nodes-0000000",
        "arn:aws:rds:us-east-1:123456789012:db:orders-dev-postgresql",
        "arn:aws:dynamodb:us-east-1:123456789012:table/slipway-ledger",
    } <= arns


@pytest.mark.parametrize(
    ("blocks", "backend", "purposes"),
    [
        ({}, "file:///state", set()),
        ({}, "s3://acme-state?region=us-east-1", {"state"}),
        ({"image": {"context": "app"}}, "", {"image build"}),
        ({"service": DOMAIN}, "", {"domain", "certificate"}),
        ({"service": DOMAIN, "loadBalancer": {"certificateArn": "arn"}}, "", {"domain"}),
        ({"service": DOMAIN | {"hostedZone": ""}}, "", set()),
    ],
)
def test_rights_are_asked_about_only_where_they_are_used(
    case_of: CaseOf, monkeypatch: pytest.MonkeyPatch, blocks: dict[str, Any], backend: str, purposes: set[str]
) -> None:
    monkeypatch.setattr(
        "slipway.doctor.checks.permissions._simulate",
        lambda rights, *_: [{"EvalActionName": name, "EvalDecision": "allowed"} for name in rights.names()],
    )
    monkeypatch.setenv("PULUMI_BACKEND_URL", backend)
    case = case_of(**blocks)
    case.account.caller = Caller(account="123456789012", arn="arn:aws:iam::123456789012:user/me")
    asked = {text.partition(":")[0] for _, text in told(check_permissions(case))}
    assert asked & {"state", "image build", "domain", "certificate"} == purposes


@pytest.mark.parametrize(
    ("balancer", "expected"),
    [
        ({}, ("OK", "no domain and no certificate are wanted: plain HTTP")),
        ({"protect": True}, ("WARNING", "no certificate: users' requests go over plain HTTP")),
        (
            {"certificateArn": "arn:aws:acm:us-east-1:1:certificate/x"},
            ("FAILURE", "the certificate is not for the load balancer's own name"),
        ),
    ],
)
def test_service_without_a_domain_has_no_certificate(
    case_of: CaseOf, balancer: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert told(check_domain(case_of(loadBalancer=balancer))) == [expected]


OWN_ALIAS = {"HostedZoneId": "Z1", "DNSName": "orders-dev-0123abc-1.elb.example", "EvaluateTargetHealth": False}
VALUES = {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}


@pytest.mark.parametrize(
    ("zones", "record", "expected"),
    [
        (["example.com"], None, ("OK", "orders.example.com gets its record in the hosted zone example.com")),
        (["example.com"], {"Type": "A", "AliasTarget": OWN_ALIAS}, ("OK", "orders.example.com gets its record in the")),
        (["example.com"], {"Type": "A", **VALUES}, ("FAILURE", "orders.example.com has a record of type A already")),
        (["example.com"], {"Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"x"'}]}, ("OK", "orders.example")),
        (["ample.com"], None, ("FAILURE", "no public hosted zones of this account are called example.com")),
        (["example.com"] * 2, None, ("FAILURE", "2 public hosted zones of this account are called example.com")),
    ],
    ids=["free", "own", "taken", "text", "no zone", "two zones"],
)
def test_domain_gets_a_record_in_the_one_zone_of_its_parents_name(
    case_of: CaseOf, zones: list[str], record: dict[str, Any] | None, expected: tuple[str, str]
) -> None:
    case = case_of(service=DOMAIN)
    route53 = case.account.client("route53")
    for index, name in enumerate(zones):
        zone = route53.create_hosted_zone(Name=name, CallerReference=str(index))["HostedZone"]["Id"]
        if record:
            change = {"Action": "CREATE", "ResourceRecordSet": {"Name": DOMAIN["domain"], **record}}
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    ((state, what),) = told(check_domain(case))
    assert (state, what[: len(expected[1])]) == expected


def test_domain_whose_dns_is_served_elsewhere_needs_no_zone_but_a_certificate_of_this_region(case_of: CaseOf) -> None:
    elsewhere = {"certificateArn": "arn:aws:acm:eu-west-1:1:certificate/x"}
    case = case_of(service=DOMAIN | {"hostedZone": ""}, loadBalancer=elsewhere)
    assert told(check_domain(case)) == [
        ("FAILURE", "certificate arn:aws:acm:eu-west-1:1:certificate/x is not in us-east-1")
    ]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ({"instanceType": "t3.medium", "desired": 2}, ("OK", "about 227 USD a month before traffic")),
        (
            {"instanceType": "x9.huge"},
            ("NOT_ASKED", "about 163 USD a month before traffic, without nodes (1 x x9.huge"),
        ),
    ],
)
def test_cost_is_the_sum_of_what_the_price_table_has(
    case_of: CaseOf, nodes: dict[str, Any], expected: tuple[str, str]
) -> None:
    ((state, what),) = told(check_cost(case_of(cluster={"version": "1.35", "nodes": nodes})))
    assert (state, what[: len(expected[1])]) == expected


CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
RECORD = {"Name": "_a.orders.example.com.", "Type": "CNAME", "Value": "_b.acm-validations.aws."}
PENDING = {
    "Status": "PENDING_VALIDATION",
    "DomainValidationOptions": [
        {"DomainName": "orders.example.com", "ValidationStatus": "PENDING_VALIDATION", "ResourceRecord": RECORD}
    ],
}


@pytest.mark.parametrize(
    ("certificate", "published", "expected"),
    [
        ({"Status": "ISSUED", "NotAfter": datetime(2027, 11, 1, tzinfo=UTC)}, False, "OK"),
        ({"Status": "ISSUED", "NotAfter": datetime(2026, 12, 1, tzinfo=UTC), "Type": "IMPORTED"}, False, "WARNING"),
        ({"Status": "ISSUED", "NotAfter": datetime(2026, 11, 1, tzinfo=UTC)}, False, "FAILURE"),
        ({"Status": "VALIDATION_TIMED_OUT"}, False, "FAILURE"),
        (PENDING, True, "WARNING"),
        (PENDING, False, "FAILURE"),
        ({"Status": "ISSUED", "SubjectAlternativeNames": ["*.example.com"]}, False, "OK"),
        ({"Status": "ISSUED", "SubjectAlternativeNames": ["*.test.example.com", "example.com"]}, False, "FAILURE"),
        (None, False, "FAILURE"),
    ],
)
def test_certificate_is_issued_or_can_be(
    case_of: CaseOf, stub: Stub, certificate: dict[str, Any] | None, published: bool, expected: str
) -> None:
    case = case_of(service=DOMAIN, loadBalancer={"certificateArn": CERTIFICATE})
    acm = stub(case, "acm")
    if certificate:
        whole = {"DomainName": "orders.example.com", "SubjectAlternativeNames": ["orders.example.com"], **certificate}
        acm.add_response("describe_certificate", {"Certificate": whole}, {"CertificateArn": ANY})
    else:
        acm.add_client_error("describe_certificate", "ResourceNotFoundException")
    route53 = case.account.client("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    if published:
        record = {"Name": RECORD["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": RECORD["Value"]}]}
        change = {"Action": "CREATE", "ResourceRecordSet": record}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    found = told(check_domain(case))
    assert found[0][0] == expected, found
    if certificate:
        assert found[-1] == ("OK", "orders.example.com gets its record in the hosted zone example.com")
