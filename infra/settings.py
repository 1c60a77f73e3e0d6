"""Reads the settings of a stack file once, checks them, and reports their faults together, with file and key."""

from collections.abc import Mapping

import pulumi
from pulumi.runtime.config import is_config_secret
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.compute import Compute
from components.load_balancer import LONGEST_NAME
from infra.stack_file import LoadBalancerSettings, ServiceSettings, StackSettings
from slipway.contract.setting_faults import decode_settings, describe_faults

NAMESPACE = "slipway"


class SettingsError(pulumi.RunError):
    """The stack file cannot be used; the message names every fault. Shown without a traceback."""


SECRET_KEYS = frozenset({"webhookUrl"})
"""Keys that only `Config.require_secret` may read; they never enter the settings object, which may be printed."""


def parse_settings(raw: Mapping[str, str], *, environment: str) -> StackSettings:
    """Settings from config texts by key (without the namespace). SettingsError names every fault; combinations once values are right."""
    file = f"Pulumi.{environment}.yaml"
    document = decode_settings({key: text for key, text in raw.items() if key not in SECRET_KEYS}, StackSettings)
    faults: list[str] = []
    settings: StackSettings | None = None
    try:
        settings = StackSettings.model_validate(document)
    except ValidationError as error:
        faults = describe_faults(NAMESPACE, error)
    faults += _impossible(settings, environment) if settings else []
    if settings is None or faults:
        raise SettingsError(f"{file} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    return settings


def load_settings() -> StackSettings:
    """The settings of the stack that runs."""
    config = pulumi.Config(NAMESPACE)
    keys = [*(to_camel(name) for name in StackSettings.model_fields), *_foreign_keys()]
    raw = {key: text for key in keys if (text := config.get(key)) is not None}
    environment = pulumi.get_stack()
    _refuse_exposed(environment)
    return parse_settings(raw, environment=environment)


def _refuse_exposed(environment: str) -> None:
    """A secret in plain text is refused; none at all is fine, which `secret: true` of Pulumi.yaml cannot say."""
    texts = _config_texts()
    for key in sorted(SECRET_KEYS):
        if texts.get(key) and not is_config_secret(f"{NAMESPACE}:{key}"):
            raise SettingsError(
                f"Pulumi.{environment}.yaml: {NAMESPACE}:{key} is in plain text;"
                f" encrypt it: pulumi config set -s {environment} --secret {NAMESPACE}:{key}"
            )


def _foreign_keys() -> list[str]:
    """Keys of our namespace that no field knows: a typo would otherwise pass unseen."""
    known = {to_camel(name) for name in StackSettings.model_fields} | SECRET_KEYS
    return [key for key in _config_texts() if key not in known]


def _config_texts() -> dict[str, str]:
    """All texts of our namespace, by key without it."""
    full = pulumi.runtime.config.CONFIG.get({})
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): text for key, text in full.items() if key.startswith(prefix)}


def _unreachable(service: ServiceSettings, balancer: LoadBalancerSettings) -> list[str]:
    """Domain and certificate that do not fit each other."""
    faults: list[str] = []
    certificate = f"{NAMESPACE}:loadBalancer.certificateArn"
    if balancer.protect and not service.domain and not balancer.allow_http:
        faults.append(f"{NAMESPACE}:loadBalancer.protect: needs service.domain, or allowHttp: true for plain HTTP")
    if balancer.certificate_arn and not service.domain:
        faults.append(f"{certificate}: needs service.domain; no certificate is for the load balancer's own name")
    if service.domain and not service.zone and not balancer.certificate_arn:
        faults.append(f"{certificate}: missing; a certificate can only be made where service.hostedZone is in Route 53")
    if (
        service.zone
        and service.domain
        and service.domain != service.zone
        and not service.domain.endswith(f".{service.zone}")
    ):
        faults.append(f"{NAMESPACE}:service.hostedZone: {service.domain} is not in {service.zone}")
    if service.hosted_zone and not service.domain:
        faults.append(f"{NAMESPACE}:service.hostedZone: needs service.domain")
    return faults


def _impossible(settings: StackSettings, environment: str) -> list[str]:
    """Values that are each possible, but not together."""
    faults: list[str] = []
    longest = LONGEST_NAME - len(f"-{environment}")
    if len(settings.service.name) > longest:
        faults.append(
            f"{NAMESPACE}:service.name: want {longest} characters at most in {environment}, so that the names of load balancer and"
            f" target groups are within AWS's limit of 32, not {settings.service.name!r}"
        )
    if settings.monitoring.alarms and not (
        settings.monitoring.subscriber_emails or settings.monitoring.subscriber_urls
    ):
        faults.append(
            f"{NAMESPACE}:monitoring.alarms: nobody is told; set subscriberEmails or subscriberUrls beside it"
        )
    if settings.database.allow_major_version_upgrade and not settings.database.apply_immediately:
        faults.append(
            f"{NAMESPACE}:database.allowMajorVersionUpgrade: set applyImmediately: true beside it; until the maintenance window the"
            " instance would keep the parameter group of the version before, which cannot be deleted then"
        )
    faults += _unreachable(settings.service, settings.load_balancer)
    image = settings.image
    if image.context and not image.base_image and not image.allow_moving_base:
        faults.append(
            f"{NAMESPACE}:image: needs baseImage, by digest, or allowMovingBase: true for the Dockerfile's tag"
        )
    replicas = settings.service.replicas
    if replicas.minimum > replicas.maximum:
        faults.append(f"{NAMESPACE}:service.replicas: minimum {replicas.minimum} is above maximum {replicas.maximum}")
    nodes = settings.cluster.nodes
    if "nodes" in settings.cluster.model_fields_set and settings.cluster.compute == Compute.AUTO:
        faults.append(f"{NAMESPACE}:cluster.nodes: Auto Mode chooses the nodes; remove it, or set compute: nodeGroup")
    if not nodes.minimum <= nodes.desired <= nodes.maximum:
        faults.append(f"{NAMESPACE}:cluster.nodes: want minimum <= desired <= maximum")
    steps = [step.percent for step in settings.rollout.steps]
    is_increment = settings.rollout.strategy == "linear" and len(steps) == 1 and steps[0] > 0
    if not is_increment and (steps != sorted({*steps} - {0}) or steps[-1] != 100):
        faults.append(f"{NAMESPACE}:rollout.steps: want rising percentages that end at 100, not {steps}")
    if settings.image.context and settings.rollout.promote_from:
        faults.append(
            f"{NAMESPACE}:image.context and {NAMESPACE}:rollout.promoteFrom: an environment either builds images or takes"
            " verified ones; remove one of the two"
        )
    if not settings.image.context and not settings.rollout.promote_from:
        faults.append(
            f"{NAMESPACE}:image.context and {NAMESPACE}:rollout.promoteFrom: neither is set, so no release could ever come"
            " here; set one of the two"
        )
    return faults
