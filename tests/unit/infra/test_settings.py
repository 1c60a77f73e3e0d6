"""The stack files and what is said of faulty ones."""

import json
from contextvars import copy_context
from pathlib import Path

import pytest
import yaml
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

import slipway.delivery.model.target
from infra.settings import SettingsError, load_settings, parse_settings
from infra.stack_file import RolloutSettings, StackSettings
from slipway.delivery.strategies.linear import plan_linear

ROOT = Path(__file__).parents[3]


def raw_settings(environment: str) -> dict[str, str]:
    """The config texts of a committed stack file, as Pulumi hands them to the program."""
    document = yaml.safe_load((ROOT / f"Pulumi.{environment}.yaml").read_text())
    assert [*document] == ["config"], "the CLI writes the salt of one machine's passphrase, which no other machine has"
    config = document["config"]
    return {
        key.removeprefix("slipway:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
        if key.startswith("slipway:")
    }


def faults(raw: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw, environment="dev")
    return str(caught.value)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_settings_are_accepted_as_committed(environment: str) -> None:
    settings = parse_settings(raw_settings(environment), environment=environment)
    assert settings.service.name == "orders"


def test_environments_differ_where_they_should() -> None:
    dev, staging, prod = (parse_settings(raw_settings(name), environment=name) for name in ("dev", "staging", "prod"))
    assert len({settings.network.cidr for settings in (dev, staging, prod)}) == 3
    assert (dev.rollout.promote_from, staging.rollout.promote_from, prod.rollout.promote_from) == (
        None,
        "dev",
        "staging",
    )
    assert dev.image.context == "app"
    assert not staging.image.context
    assert not prod.image.context
    assert prod.database.protect
    assert prod.database.multi_az


def test_refuses_everything_wrong_at_once_naming_file_and_keys() -> None:
    raw = raw_settings("dev") | {
        "database": json.dumps({"storageGib": "many", "instanceClass": "t3.micro", "colour": "red"}),
        "netwrok": "{}",
    }
    del raw["owner"]
    message = faults(raw)
    assert "Pulumi.dev.yaml cannot be used" in message
    assert "slipway:owner: missing" in message
    assert "slipway:netwrok: unknown key" in message
    assert "slipway:database.storageGib: input should be a valid integer" in message
    assert "slipway:database.instanceClass:" in message
    assert "slipway:database.colour: unknown key" in message


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("service", {"name": "orders", "replicas": {"minimum": 5, "maximum": 4}}, "slipway:service.replicas"),
        (
            "cluster",
            {"version": "1.35", "nodes": {"minimum": 3, "desired": 1}, "access": {"deploy": ["arn"]}},
            "slipway:cluster.nodes",
        ),
        (
            "cluster",
            {"version": "1.35", "compute": "auto", "nodes": {"minimum": 1}, "access": {"deploy": ["arn"]}},
            "slipway:cluster.nodes: Auto Mode chooses the nodes",
        ),
        (
            "cluster",
            {"version": "1.35", "compute": "fargate", "access": {"deploy": ["arn"]}},
            "slipway:cluster.compute: ",
        ),
        ("cluster", {"version": "34"}, "slipway:cluster.version"),
        ("cluster", {"version": "1.35"}, "slipway:cluster.access: missing"),
        ("service", {"name": "recommendations-of-us"}, "slipway:service.name: want 20 characters at most in dev"),
        ("accountId", "123", "slipway:accountId"),
        (
            "database",
            {"allowMajorVersionUpgrade": True},
            "slipway:database.allowMajorVersionUpgrade: set applyImmediately",
        ),
        ("monitoring", {"alarms": True}, "slipway:monitoring.alarms: nobody is told"),
        ("loadBalancer", {"protect": True}, "slipway:loadBalancer.protect: needs service.domain"),
        ("loadBalancer", {"certificateArn": "arn:aws:acm:us-east-1:1:certificate/1"}, "needs service.domain"),
        ("service", {"name": "orders", "domain": "shop_1.example.com"}, "slipway:service.domain"),
        ("service", {"name": "orders", "domain": "a.example.com", "hostedZone": ""}, "certificateArn: missing"),
        ("service", {"name": "orders", "domain": "a.ample.com", "hostedZone": "example.com"}, "is not in example.com"),
        (
            "service",
            {"name": "orders", "hostedZone": "example.com"},
            "slipway:service.hostedZone: needs service.domain",
        ),
        (
            "service",
            {"name": "orders", "permissions": [{"actions": ["SendMessage"], "resources": ["*"]}]},
            "slipway:service.permissions[0].actions[0]",
        ),
        (
            "service",
            {"name": "orders", "permissions": [{"actions": ["sqs:SendMessage"], "resources": []}]},
            "slipway:service.permissions[0].resources",
        ),
        ("network", {"cidr": "10.0.0.0/16", "zones": 1}, "slipway:network.zones"),
        ("rollout", {"steps": [10, 50]}, "slipway:rollout.steps"),
        ("rollout", {"steps": [50, 10, 100]}, "slipway:rollout.steps"),
        ("rollout", {"strategy": "linear", "steps": [0]}, "slipway:rollout.steps"),
        ("rollout", {"metrics": {"latencies": {}}}, "slipway:rollout.metrics.latencies"),
        ("rollout", {"routes": [{}]}, "slipway:rollout.routes[0]: want a header or a cookie, and not both"),
        (
            "rollout",
            {"routes": [{"header": {"name": "Host", "value": "a"}}]},
            "slipway:rollout.routes[0].header: the load balancer does not compare the header Host",
        ),
        (
            "rollout",
            {"routes": [{"cookie": {"name": "canary", "value": 1}}]},
            "slipway:rollout.routes[0].cookie.value: input should be a valid string, not 1",
        ),
        ("rollout", {"metrics": {"errors": {"dryrun": True}}}, "slipway:rollout.metrics.errors.dryrun: unknown key"),
        (
            "rollout",
            {"metrics": {"probe.errors": {"onNoData": "fail"}}},
            "slipway:rollout.metrics: probe.errors: onNoData has no effect",
        ),
        ("rollout", {"maxErrorRatio": 0.6}, "slipway:rollout.maxErrorRatio"),
        ("rollout", {"detectFactor": 1.000001}, "slipway:rollout.detectFactor"),
        ("rollout", {"detectFactor": 1e31}, "slipway:rollout.detectFactor"),
        ("rollout", {"errorFactor": 1e300}, "slipway:rollout.errorFactor"),
        ("rollout", {"promoteFrom": "staging"}, "an environment either builds images or takes verified ones"),
        ("image", {"context": "app"}, "slipway:image: needs baseImage, by digest, or allowMovingBase"),
        ("image", {}, "no release could ever come here"),
        ("network", {"cidr": "10.0.0.0/16", "zones": ["us-east-1a"]}, "slipway:network.zones"),
        ("network", "wide", "slipway:network"),
        (
            "rollout",
            {"freezeWindows": [{"start": "2026-12-23", "end": "2026-12-27"}]},
            "freezeWindows[0]: start and end want an offset",
        ),
        (
            "rollout",
            {"freezeWindows": [{"start": "2026-12-27T00:00:00+01:00", "end": "2026-12-23T00:00:00+01:00"}]},
            "slipway:rollout.freezeWindows[0]: ends at 2026-12-23T00:00:00+01:00, before it starts",
        ),
    ],
)
def test_refuses_impossible_combinations(key: str, value: object, says: str) -> None:
    assert says in faults(raw_settings("dev") | {key: value if isinstance(value, str) else json.dumps(value)})


@pytest.mark.parametrize(
    ("hosted_zone", "zone"),
    [
        (None, "shop.example.com"),
        ("example.com", "example.com"),
        ("a.shop.example.com", "a.shop.example.com"),
        ("", ""),
    ],
)
def test_hosted_zone_is_the_domains_parent_unless_it_is_named(hosted_zone: str | None, zone: str) -> None:
    service = {"name": "orders", "domain": "a.shop.example.com"}
    service |= {} if hosted_zone is None else {"hostedZone": hosted_zone}
    balancer = {"protect": True, "certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
    raw = raw_settings("dev") | {"service": json.dumps(service), "loadBalancer": json.dumps(balancer)}
    assert parse_settings(raw, environment="dev").service.zone == zone


def test_settings_never_hold_the_webhook_address() -> None:
    settings = parse_settings(
        raw_settings("dev") | {"webhookUrl": "https://hooks.example/T0/secret"}, environment="dev"
    )
    assert "hooks.example" not in repr(settings)


def test_every_setting_of_a_rollout_can_be_set_in_a_stack_file_with_the_default_that_delivery_has() -> None:
    ours, theirs = RolloutSettings(), slipway.delivery.model.target.RolloutSettings()
    handed_on = slipway.delivery.model.target.RolloutSettings.model_validate(ours.model_dump(by_alias=True))
    of_where_it_runs = {"metric_period_seconds", "settle_seconds"}
    assert set(type(ours).model_fields) == set(type(theirs).model_fields) - of_where_it_runs
    assert handed_on == theirs


def test_a_linear_rollout_is_given_by_its_increment_alone() -> None:
    rollout = {"rollout": json.dumps({"strategy": "linear", "steps": [25]})}
    exported = parse_settings(raw_settings("dev") | rollout, environment="dev").rollout.model_dump(by_alias=True)
    handed_on = slipway.delivery.model.target.RolloutSettings.model_validate(exported)
    assert [step.percent for step in plan_linear(handed_on)] == [25, 50, 75, 100]


def test_a_fault_shows_the_value_that_is_wrong_and_no_whole_block() -> None:
    raw = raw_settings("dev") | {
        "network": json.dumps({"cidr": 7, "zones": 2}),
        "rollout": json.dumps({"routes": [{"header": None}], "bakeSeconds": {"dev": 1}}),
    }
    said = faults(raw)
    assert "slipway:network.cidr: input should be a valid string, not 7" in said
    assert "not {" not in said


def test_freeze_windows_reach_delivery_as_they_are_written() -> None:
    window = {"start": "2026-01-02T18:00:00", "end": "2026-01-05T06:00:00", "reason": "weekend"}
    window |= {"timeZone": "Europe/Berlin", "rrule": "FREQ=WEEKLY;BYDAY=FR", "exceptions": ["2026-12-25"]}
    raw = raw_settings("dev") | {"rollout": json.dumps({"freezeWindows": [window]})}
    exported = parse_settings(raw, environment="dev").rollout.model_dump(by_alias=True)
    assert json.loads(json.dumps(exported))["freezeWindows"] == [window]


def test_analysis_reaches_delivery_as_it_is_written_and_its_faults_are_told_with_their_place() -> None:
    entry = {"name": "age", "type": "prometheus", "url": "https://p.example", "value": "max(age)", "maximum": 60}
    raw = raw_settings("dev") | {"rollout": json.dumps({"analysis": [entry]})}
    exported = parse_settings(raw, environment="dev").rollout.model_dump(by_alias=True)
    handed_on = slipway.delivery.model.target.RolloutSettings.model_validate(json.loads(json.dumps(exported)))
    assert handed_on.analysis == parse_settings(raw, environment="dev").rollout.analysis
    wrong = {"rollout": json.dumps({"analysis": [entry, entry | {"name": "b", "limit": 3, "maximum": "many"}]})}
    said = faults(raw_settings("dev") | wrong)
    assert "slipway:rollout.analysis[1]" in said
    assert "limit: unknown key" in said
    assert "maximum: input should be a valid number" in said


def test_refuses_a_webhook_address_in_plain_text() -> None:
    texts = {f"slipway:{key}": text for key, text in raw_settings("dev").items()}
    key = "slipway:webhookUrl"

    def load(address: str, secrets: list[str]) -> StackSettings:
        def run() -> StackSettings:
            reset_options(project="slipway", stack="dev")
            set_all_config({**texts, key: address}, secrets)
            return load_settings()

        return copy_context().run(run)

    assert load("", []) == load("https://hooks.example/T0/secret", [key])
    with pytest.raises(SettingsError, match=r"Pulumi\.dev\.yaml: slipway:webhookUrl is in plain text") as caught:
        load("https://hooks.example/T0/secret", [])
    assert "hooks.example" not in str(caught.value)
    assert "pulumi config set -s dev --secret slipway:webhookUrl" in str(caught.value)
