"""The tables of actions and names say what the program, delivery and the components really do."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore import xform_name
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from components.zones import ZONES_WITHOUT_EKS as ZONES_OF_COMPONENTS
from infra.stack_file import StackSettings
from slipway.doctor import read_project
from slipway.doctor.actions import RIGHTS
from slipway.doctor.checks.names import NAMES
from slipway.doctor.checks.zones import ZONES_WITHOUT_EKS
from slipway.doctor.prices import ALARMS, estimate_costs
from slipway.doctor.project import StackFacts

ROOT = Path(__file__).parents[3]
BOTO3_NAMES = {"elasticloadbalancing": "elbv2"}
NO_OPERATIONS = {
    # What IAM checks beside or under another name than the operation's. Source: service authorization reference, 2026.
    "ecr": {"BatchCheckLayerAvailability"},
    "iam": {"PassRole"},
    "s3": {"ListBucket", "PutBucketPublicAccessBlock", "PutEncryptionConfiguration"},
}
S3_ACTIONS = {"PutPublicAccessBlock": "PutBucketPublicAccessBlock", "PutBucketEncryption": "PutEncryptionConfiguration"}
NO_RIGHT_NEEDED = {"sts:GetCallerIdentity"}
ALLOWED = {name for rights in RIGHTS for name in rights.names()}


@pytest.fixture(scope="module")
def operations(session: boto3.Session) -> Any:
    """The operations of a service, by IAM's prefix."""

    @cache
    def of(service: str) -> set[str]:
        loader = session._session  # no client: it would look for credentials
        return set(loader.get_service_model(BOTO3_NAMES.get(service, service)).operation_names)

    return of


@pytest.mark.parametrize("service", sorted({rights.service for rights in RIGHTS}))
def test_actions_exist(operations: Any, service: str) -> None:
    known = operations(service) | NO_OPERATIONS.get(service, set())
    assert {action.partition(":")[2] for action in ALLOWED if action.startswith(f"{service}:")} <= known


def test_what_delivery_calls_is_in_the_table(operations: Any) -> None:
    called: set[str] = set()
    # Without what `bootstrap` alone calls, in the organisation's account.
    for file in {*(ROOT / "slipway/delivery/adapters").glob("*.py")} - {
        ROOT / "slipway/delivery/adapters/state_backend.py"
    }:
        text = file.read_text()
        services = set(re.findall(r'(?:aws_client|client)\(\s*"(\w+)"', text)) | (
            {"dynamodb"} if "Table" in text else set()
        )
        methods = set(re.findall(r"client\.(\w+)", text)) | set(re.findall(r'get_paginator\("(\w+)"\)', text))
        for service in services:
            prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)
            names = {xform_name(operation): operation for operation in operations(prefix)}
            called |= {f"{prefix}:{S3_ACTIONS.get(names[each], names[each])}" for each in methods if each in names}
    assert {"elasticloadbalancing:ModifyListener", "dynamodb:PutItem", "ecr:DescribeImages"} <= called
    assert called - ALLOWED - NO_RIGHT_NEEDED == set()


def test_names_are_those_of_the_program() -> None:
    """Each kind in the table is made, and nothing of that kind has a longer name than the table's."""
    document = yaml.safe_load((ROOT / "tests/integration/infra/snapshots/dev.yaml").read_text())
    made: dict[str, list[str]] = {}
    for group in document["resources"].values():
        for key, resource in group.items():
            token, _, name = key.partition(" on ")[0].rpartition(" ")
            inputs = (resource or {}).get("inputs", {})
            own = inputs.get("name") or inputs.get("identifier") or inputs.get("dashboardName")
            made.setdefault(token, []).append(own or inputs.get("metadata", {}).get("name") or name)
    for entry in NAMES:
        name = entry.template.format(name="orders-dev", service="orders")
        assert name in made[entry.type], entry.type
        assert max(map(len, made[entry.type])) == len(name), entry.type


def test_settings_have_the_names_and_defaults_that_the_program_has() -> None:
    def compare(ours: type[BaseModel], theirs: type[BaseModel]) -> None:
        for name, field in ours.model_fields.items():
            wanted = theirs.model_fields[name]
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                assert isinstance(wanted.annotation, type)
                compare(field.annotation, wanted.annotation)
            else:
                assert field.default == wanted.default, f"{theirs.__name__}.{name}"

    for name, field in StackFacts.model_fields.items():
        if name != "region":
            assert field.alias == f"slipway:{to_camel(name)}"
            kind = StackSettings.model_fields[name].annotation
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                assert isinstance(kind, type)
                compare(field.annotation, kind)
            else:
                assert field.default == StackSettings.model_fields[name].default


def test_alarms_of_the_price_table_are_those_of_the_program() -> None:
    snapshot = (ROOT / "tests/integration/infra/snapshots/prod.yaml").read_text()
    assert len(re.findall(r"metricAlarm:MetricAlarm \S+:\n", snapshot)) == ALARMS


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_prices_of_what_the_stack_files_order_are_known(environment: str) -> None:
    facts = read_project(ROOT, environment).facts
    assert [cost.detail for cost in estimate_costs(facts) if cost.usd_per_month is None] == []


def test_zones_without_eks_are_those_of_the_components() -> None:
    assert set(ZONES_OF_COMPONENTS) == ZONES_WITHOUT_EKS
