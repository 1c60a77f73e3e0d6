"""Every policy document that the programs and the components alone make, as their snapshots have them, looked through by parliament.

What it finds is mended, or explained below. An explanation that nothing needs fails, too.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it reads its data by pkg_resources, which setuptools gives up
    import parliament

INTEGRATION = Path(__file__).parents[2] / "integration"
SNAPSHOTS = [INTEGRATION / "foundation/org.yaml", *sorted(INTEGRATION.glob("*/snapshots/*.yaml"))]
OWN_RESOURCE = re.compile(r"aws:(iam/role:Role|ecr/repositoryPolicy:RepositoryPolicy) ")
"""Documents of which AWS refuses any that names a resource: it is the one that has the document."""

EXPLAINED = {
    r"RESOURCE_STAR aws:kms/key:Key .*": "In a key's policy `*` is that key.",
    r"RESOURCE_STAR aws:(iam/role:Role|ecr/repositoryPolicy:RepositoryPolicy) .*": "Put in here: see OWN_RESOURCE.",
    r"RESOURCE_STAR .* (MakeKey|(Make|Tag)Certificate) .*": "What is not made yet has no ARN. The tags that it is made with are the "
    "condition.",
    r"RESOURCE_STAR .*-preview Look .*": "A preview reads what the program describes, and most Describe calls know no resources.",
    r"UNKNOWN_CONDITION_FOR_ACTION .* kms:ResourceAliases for action kms:\w+": "A condition of every call with a key: "
    "KMS developer guide, 'kms:ResourceAliases', 2026. parliament's list of it is older.",
    r"UNKNOWN_CONDITION_FOR_ACTION aws:iam/role:Role .* token.actions.githubusercontent.com:(aud|sub) .*": "Claims of GitHub's "
    "tokens: IAM user guide, 'Create a role for OpenID Connect federation', 2026.",
    r"UNKNOWN_CONDITION_FOR_ACTION .* kms:EncryptionContext:aws:logs:arn for action kms:DescribeKey": "As the user guide of "
    "CloudWatch Logs has it: 'Encrypt log data using KMS', 2026.",
    r"UNKNOWN_FEDERATION_SOURCE .*oidc-provider/token.actions.githubusercontent.com": "GitHub's, made by the foundation.",
    r"MISMATCHED_TYPE aws:kms/key:Key \S+-key Logs .*ArnLike.*": "The context that CloudWatch Logs gives is an ARN, and its user "
    "guide compares it so: 'Encrypt log data using KMS', 2026.",
    r"RESOURCE_MISMATCH .*-up-data (Key|KeyAlias) .*": "A right on the key and one on the alias make an alias: two statements.",
    r"RESOURCE_MISMATCH .*-up-network Own .*ec2:RunInstances.*image.*": "The image is nobody's own: the statement Nodes has it.",
    r"RESOURCE_MISMATCH .*-up-network Make(Gateways|Parts|Rules) .*": "What is made has the request's tag, what it is made in is "
    "the environment's own: two statements.",
    r"RESOURCE_MISMATCH .*-up-network ClusterGroup .*security-group-rule.*": "The group is EKS's, the rule the environment's own: "
    "the statement Own has it.",
    r"RESOURCE_MISMATCH .* (Balancer|Weights) .*listener/net/.*": "The program makes no network load balancer.",
}


def documents(value: Any, owner: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each policy document with the resource that has it."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from documents(each, str(key) if str(key).startswith("aws:") and ":" in str(key)[4:] else owner)
    elif isinstance(value, list):
        for each in value:
            yield from documents(each, owner)
    elif isinstance(value, str) and value.startswith("{") and '"Statement"' in value:
        yield owner, json.loads(value)


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each statement, once, as `<type> <name> <sid>`."""
    for snapshot in SNAPSHOTS:
        for owner, document in documents(yaml.safe_load(snapshot.read_text())):
            for statement in document["Statement"]:
                if OWN_RESOURCE.match(owner):
                    assert "Resource" not in statement
                    yield f"{owner} {statement.get('Sid', '')}", {**statement, "Resource": "*"}
                else:
                    yield f"{owner} {statement.get('Sid', '')}", statement


def findings() -> Iterator[str]:
    """What parliament says, as `<issue> <type> <name> <sid> <detail>`."""
    for place, statement in statements():
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        for finding in parliament.analyze_policy_string(document).findings:
            yield f"{finding.issue} {place} {finding.detail}"


def test_every_finding_is_explained_and_every_explanation_needed() -> None:
    found = {*findings()}
    unexplained = {each for each in found if not any(re.fullmatch(one, each) for one in EXPLAINED)}
    assert unexplained == set()
    assert {one for one in EXPLAINED if not any(re.fullmatch(one, each) for each in found)} == set()


def test_documents_are_those_of_all_programs() -> None:
    owners = {place.split()[0] for place, _ in statements()}
    assert owners >= {
        "aws:dynamodb/resourcePolicy:ResourcePolicy",
        "aws:ecr/repositoryPolicy:RepositoryPolicy",
        "aws:iam/policy:Policy",
        "aws:iam/role:Role",
        "aws:kms/key:Key",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:sns/topicPolicy:TopicPolicy",
    }


@pytest.mark.parametrize(
    ("statement", "issue"),
    [
        (
            {"Action": ["eks:CreateCluster"], "Resource": ["arn:aws:eks:us-east-1:111111111111:cluster/x"]},
            "RESOURCE_MISMATCH",
        ),
        ({"Action": ["sns:Unsubscribed"], "Resource": ["*"]}, "UNKNOWN_ACTION"),
    ],
)
def test_parliament_sees_what_was_wrong_here_once(statement: dict[str, Any], issue: str) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
    assert issue in [finding.issue for finding in parliament.analyze_policy_string(document).findings]
