"""The organisation of the foundation in one account of moto, and delivery as one of CI's roles: the sandbox's judge reads each call to AWS
before moto does, by the foundation's own documents. All in this process, so that a verb can run once for each of its rights.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse

from components.foundation.ci_roles import CiEnvironment, groups_of, plan_rights, role_name
from components.foundation.policy_document import render
from slipway.delivery.adapters import aws as delivery_aws
from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.ecr import has_image
from slipway.delivery.adapters.table import Table
from slipway.delivery.model.analysis import Comparison
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.target import Target
from slipway.delivery.ports import Context, Metrics, StackResult, World
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import SimulatedEnvironment, SimulatedStack
from slipway.delivery.wiring import connect
from slipway.sandbox.aws.iam.documents import parse_policy
from slipway.sandbox.aws.iam.enforcement import judge_call
from slipway.sandbox.aws.iam.judge import Principal
from slipway.sandbox.aws.iam.principals import Identity
from slipway.sandbox.aws.iam.requests import ApiCall, iam_prefix
from slipway.sandbox.aws.iam.resources import needs_of
from tests.identities import ACCOUNT
from tests.integration.balancers import MirroredBalancer

REGION = "us-east-1"
LEDGER = "slipway-ledger"
ENVIRONMENTS = ("dev", "staging")
OPERATIONS = botocore.session.Session()
SERVICES = {"elasticloadbalancing": "elbv2"}


@dataclass(frozen=True)
class Role:
    """A role of CI with the foundation's own statements."""

    name: str
    statements: tuple[dict[str, Any], ...]

    def without(self, right: str) -> Role:
        """All its rights but one, whichever statements give it."""
        poorer = tuple(_without(each, right) for each in self.statements)
        assert poorer != self.statements, f"{self.name} has no {right}"
        return Role(self.name, tuple(each for each in poorer if each["Action"]))

    @cached_property
    def identity(self) -> Identity:
        """A session of it, as the sandbox's judge takes it."""
        document = json.dumps({"Version": "2012-10-17", "Statement": self.statements})
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/job"
        return Identity(principal=Principal(arn=arn, account=ACCOUNT), policies=(parse_policy(document),))


def role_of(kind: str, environment: str) -> Role:
    """As the foundation makes it in the account of the sandbox."""
    place = CiEnvironment(name=environment, state_bucket=f"state-{environment}", builds=environment == "dev")
    rows = [
        statement
        for group in groups_of(kind, place)
        for statement in plan_rights(group, place, account_id=ACCOUNT, region=REGION, organisation_account_id=ACCOUNT)
    ]
    return Role(role_name(kind, environment), tuple(json.loads(render(rows))["Statement"]))


def _without(statement: dict[str, Any], right: str) -> dict[str, Any]:
    if statement["Effect"] == "Deny":
        return statement
    kept = [each for action in statement["Action"] for each in _spelt_out(action, right) if each != right]
    return {**statement, "Action": kept}


def _spelt_out(action: str, right: str) -> list[str]:
    """A pattern that covers the right, as all the operations that it stands for."""
    if action == right or not fnmatchcase(right, action):
        return [action]
    prefix = action.partition(":")[0]
    names = OPERATIONS.get_service_model(SERVICES.get(prefix, prefix)).operation_names
    return [f"{prefix}:{each}" for each in names if fnmatchcase(f"{prefix}:{each}", action)]


class Counted:
    """Asked of CloudWatch, which has no requests to tell of; answered by the simulation."""

    def __init__(self, real: Metrics, simulated: Metrics) -> None:
        self._real, self._simulated = real, simulated
        self.source, self.synthetic = real.source, real.synthetic

    def compare(self, candidate: Colour, live: Colour | None, since: Any, until: Any) -> Comparison:
        self._real.compare(candidate, live, since, until)
        return replace(self._simulated.compare(candidate, live, since, until), source=self.source)


@dataclass(kw_only=True)
class CloudEnvironment(SimulatedEnvironment):
    """A simulated environment whose load balancer, topic and images are in the daemon."""

    balancer: Mapping[str, Any]
    topic: str
    owner: Any
    """ELBv2 as the account's owner: what an `up` changes is not delivery's."""

    def outputs(self) -> Mapping[str, Any]:
        found = super().outputs()
        if not found:
            return found
        more = {"loadBalancer": dict(self.balancer), "notifications": {"topicArn": self.topic}}
        return {"delivery": {**found["delivery"], **more}}

    def converge(self) -> StackResult:
        done = super().converge()
        target = self.balancer["targetGroups"][self.test.value]
        self.owner.modify_rule(
            RuleArn=self.balancer["testRuleArn"], Actions=[{"Type": "forward", "TargetGroupArn": target}]
        )
        return done

    def __deepcopy__(self, memo: dict[int, Any]) -> CloudEnvironment:
        kept = {id(each): each for each in (self.owner, self.ledger)}
        made = copy.copy(self)
        memo |= kept
        for name, value in vars(self).items():
            setattr(made, name, copy.deepcopy(value, memo))
        return made


class Organisation:
    """Everything that is the owner's, in moto."""

    def __init__(self) -> None:
        self.client: Callable[..., Any] = lambda service: boto3.client(service, REGION)  # type: ignore[call-overload]
        self._make_ledger()
        repository = self.client("ecr").create_repository(repositoryName="orders")["repository"]
        self.repository = repository["repositoryUri"]
        self.images: dict[str, str] = {}
        self.balancers = {each: self._make_balancer(each) for each in ENVIRONMENTS}
        sns = self.client("sns")
        self.topics = {
            each: sns.create_topic(Name=f"orders-{each}-events-1a2b3c4")["TopicArn"] for each in ENVIRONMENTS
        }

    def _make_ledger(self) -> None:
        keys = ("pk", "sk")
        self.client("dynamodb").create_table(
            TableName=LEDGER,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def _make_balancer(self, environment: str) -> dict[str, Any]:
        ec2, elb, name = self.client("ec2"), self.client("elbv2"), f"orders-{environment}"
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        vpc = ec2.describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
        balancer = elb.create_load_balancer(Name=f"{name}-1a2b3c4", Subnets=subnets)["LoadBalancers"][0]
        groups = {
            colour.value: elb.create_target_group(
                Name=f"{name}-{colour}-1a2b3c4"[:32], Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            for colour in Colour
        }
        forward = {
            "TargetGroups": [
                {"TargetGroupArn": groups["blue"], "Weight": 100},
                {"TargetGroupArn": groups["green"], "Weight": 0},
            ]
        }
        live = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "ForwardConfig": forward}],
        )["Listeners"][0]["ListenerArn"]
        header = {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "X-Slipway-Test", "Values": ["a secret"]},
        }
        to_green = [{"Type": "forward", "TargetGroupArn": groups["green"]}]
        (rule,) = elb.create_rule(ListenerArn=live, Priority=1, Conditions=[header], Actions=to_green)["Rules"]
        return {
            "arn": balancer["LoadBalancerArn"],
            "dnsName": "127.0.10.1",
            "url": "http://127.0.10.1",
            "listenerArn": live,
            "testRuleArn": rule["RuleArn"],
            "targetGroups": groups,
        }

    def image(self, version: str) -> str:
        """An image of this version in the registry, by digest."""
        if version not in self.images:
            kind = "application/vnd.oci.image.manifest.v1+json"
            config = {"digest": "sha256:" + version.encode().hex().ljust(64, "0")[:64]}
            manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
            pushed = self.client("ecr").put_image(repositoryName="orders", imageManifest=manifest, imageTag=version)
            self.images[version] = f"{self.repository}@{pushed['image']['imageId']['imageDigest']}"
        return self.images[version]

    # -- what a run changes

    def snapshot(self) -> tuple[list[Any], list[Any]]:
        """The ledger and the load balancers."""
        items = self.client("dynamodb").scan(TableName=LEDGER)["Items"]
        elb = self.client("elbv2")
        actions = [
            (
                each["listenerArn"],
                elb.describe_listeners(ListenerArns=[each["listenerArn"]])["Listeners"][0]["DefaultActions"],
            )
            for each in self.balancers.values()
        ]
        return items, actions

    def restore(self, found: tuple[list[Any], list[Any]]) -> None:
        """As they were."""
        dynamodb, (items, actions) = self.client("dynamodb"), found
        present = dynamodb.scan(TableName=LEDGER)["Items"]
        asked = [
            {"DeleteRequest": {"Key": {key: item[key] for key in ("pk", "sk")}}}
            for item in present
            if item not in items
        ]
        for begin in range(0, len(asked), 25):
            dynamodb.batch_write_item(RequestItems={LEDGER: asked[begin : begin + 25]})
        missing = [{"PutRequest": {"Item": item}} for item in items if item not in present]
        for begin in range(0, len(missing), 25):
            dynamodb.batch_write_item(RequestItems={LEDGER: missing[begin : begin + 25]})
        for listener, action in actions:
            self.client("elbv2").modify_listener(ListenerArn=listener, DefaultActions=action)


class Company(Rehearsal):
    """A rehearsal on the daemon's ledger and load balancers."""

    organisation: Organisation

    def environment(self, name: str, **rollout: Any) -> SimulatedEnvironment:
        """See `Rehearsal.environment`."""
        known = name in self.environments
        found = super().environment(name, **rollout)
        if not known:
            made = {key: value for key, value in vars(found).items() if not key.startswith("_")}
            found = self.environments[name] = CloudEnvironment(
                **made,
                balancer=self.organisation.balancers[name],
                topic=self.organisation.topics[name],
                owner=self.organisation.client("elbv2"),
            )
            found.weight_lag_seconds = 0.0  # the API answers with what was set last
        return found

    def check_out(self, version: str, **more: Any) -> None:
        """See `Rehearsal.check_out`."""
        super().check_out(version, **more)
        self.environment("dev").image = self.organisation.image(version)

    def context(self, name: str, **more: Any) -> Context:
        """See `Rehearsal.context`, with delivery's own adapters onto AWS."""
        ctx, environment = super().context(name, **more), self.environment(name)

        def world(target: Target) -> World:
            real, simulated = connect(target), environment.world(ctx.owner)
            return replace(
                simulated,
                balancer=MirroredBalancer(real.balancer, simulated.balancer, environment),
                metrics=(Counted(real.metrics[0], simulated.metrics[0]),),
                notifier=real.notifier,
            )

        return replace(
            ctx, connect=world, stack=SimulatedStack(environment), has_image=lambda image: has_image(image, REGION)
        )

    def copied(self) -> Company:
        """Another one in the same state."""
        kept = {id(each): each for each in (self.ledger, self.organisation)}
        return copy.deepcopy(self, kept).asking()

    def asking(self) -> Company:
        """The same company, asked as who is the caller now."""
        self.ledger = DynamoLedger(Table(LEDGER, REGION))
        for environment in self.environments.values():
            environment.ledger = self.ledger
        return self


def new_company(organisation: Organisation) -> Company:
    """Nothing was ever released."""
    Company.organisation = organisation
    return Company(ledger=DynamoLedger(Table(LEDGER, REGION)))


def refusal_of(call: ApiCall, role: Role) -> str:
    """What AWS would say; empty for what the role may do."""
    return judge_call(call, role.identity)


class Caller:
    """Who this process is to AWS, and what it has asked for."""

    def __init__(self) -> None:
        self._role: Role | None = None
        self.calls: dict[str, ApiCall] = {}
        """What was asked for, each once."""
        self.refused: list[str] = []
        self._judged: dict[str, str] = {}

    def become(self, role: Role | None) -> None:
        """A session of the role; None: the account's owner."""
        self._role, self.calls, self.refused, self._judged = role, {}, [], {}
        delivery_aws.session.cache_clear()
        events = delivery_aws.session(REGION).events
        events.register("before-parameter-build", lambda params, context, **_: context.update(asked=dict(params)))
        events.register("before-call", self._judge)

    @property
    def asked(self) -> set[str]:
        """The rights that were needed."""
        return {need.action for call in self.calls.values() for need in needs_of(call)}

    def _judge(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        """None: moto answers. Otherwise what botocore takes for an answer of AWS."""
        service = model.service_model.service_name
        call = ApiCall(
            service=service,
            prefix=iam_prefix(service),
            operation=model.name,
            region=REGION,
            account=ACCOUNT,
            parameters=context["asked"],
        )
        key = f"{service}:{model.name} {context['asked'].get('Key') or context['asked']}"
        if key not in self.calls:
            self.calls[key] = call
            self._judged[key] = refusal_of(call, self._role) if self._role else ""
        refusal = self._judged[key]
        if not refusal:
            return None
        self.refused.append(refusal)
        error = {"Code": "AccessDeniedException", "Message": refusal}
        return AWSResponse("", 403, {}, None), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}
