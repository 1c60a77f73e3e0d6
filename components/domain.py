"""A load balancer's name in DNS: a certificate that DNS validates, and the record that leads to the balancer."""

import re

import pulumi
import pulumi_aws as aws

from .errors import ArgsError

LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"({LABEL}\.)+{LABEL}")
MAXIMUM_DOMAIN = 64  # of a certificate's first name; source: ACM API reference, RequestCertificate, 2026
VALIDATION_TTL_SECONDS = 300


def check_domain(domain: str) -> None:
    """Raises ArgsError when ACM would refuse the name."""
    if not DOMAIN.fullmatch(domain) or len(domain) > MAXIMUM_DOMAIN:
        want = f"a name such as orders.example.com, in lower case, of {MAXIMUM_DOMAIN} characters at most"
        raise ArgsError("domain", got=domain, want=want)


def issue_certificate(
    name: str, domain: str, zone_id: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """ARN of a certificate for `domain`, known once it is issued: minutes after its record is in the zone.

    The record stays: ACM renews the certificate by it.
    """
    certificate = aws.acm.Certificate(f"{name}-certificate", domain_name=domain, validation_method="DNS", opts=opts)
    option = certificate.domain_validation_options[0]
    record = aws.route53.Record(
        f"{name}-validation",
        zone_id=zone_id,
        name=option.resource_record_name,
        type=option.resource_record_type,
        records=[option.resource_record_value],
        ttl=VALIDATION_TTL_SECONDS,
        # ACM asks an account for the same record each time: an earlier certificate of the domain may have left it.
        allow_overwrite=True,
        opts=opts,
    )
    issued = aws.acm.CertificateValidation(
        f"{name}-issued", certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=opts
    )
    return issued.certificate_arn


def point_domain(
    name: str, domain: str, zone_id: pulumi.Input[str], balancer: aws.lb.LoadBalancer, opts: pulumi.ResourceOptions
) -> None:
    """Make `domain` an alias of the balancer: its addresses change, its name does not."""
    aws.route53.Record(
        f"{name}-alias",
        zone_id=zone_id,
        name=domain,
        type="A",
        aliases=[
            aws.route53.RecordAliasArgs(name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=False)
        ],
        opts=opts,
    )
