"""ACM certificates, and the wait until one is issued."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import Call, Lookup, Resource, present, utc_time
from slipway.sandbox.providers.framework.tags import MARKER_TAG, Tagging, marker_value, tag_map

ISSUE_SECONDS = 4500  # Terraform's own limit: 75 minutes
KEY_ALGORITHM = "RSA_2048"
_IMPORTED = ("certificateBody", "certificateChain", "privateKey")


class Certificate(Resource):
    """aws.acm.Certificate: requested and validated by DNS, or imported."""

    token = "aws:acm/certificate:Certificate"
    service = "acm"
    lookup = Lookup("describe_certificate", "CertificateArn", "Certificate")
    deletion = "delete_certificate"
    id_arguments = ("CertificateArn",)
    tagging = Tagging("add_tags_to_certificate", "remove_tags_from_certificate", "CertificateArn", by="")
    force_new = frozenset({"domainName", "keyAlgorithm", "subjectAlternativeNames", "validationMethod"})
    one_of = (("domainName", "privateKey"),)
    conflicts = (("domainName", "certificateBody"), ("privateKey", "validationMethod"))
    write_only = frozenset(_IMPORTED)
    secret = frozenset({"privateKey"})
    unsupported = frozenset(
        {
            "certificateAuthorityArn",
            "earlyRenewalDuration",
            "options",
            "privateKeyWo",
            "privateKeyWoVersion",
            "validationOptions",
        }
    )

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """What belongs together, and what the sandbox cannot do."""
        if "privateKey" in inputs and "certificateBody" not in inputs:
            yield "certificateBody", "certificateBody is required with privateKey"
        if inputs.get("validationMethod") == "EMAIL":
            yield "validationMethod", "nobody answers mail in the sandbox; use DNS"
        if isinstance(inputs.get("keyAlgorithm"), str) and inputs["keyAlgorithm"] != KEY_ALGORITHM:
            yield "keyAlgorithm", f"only {KEY_ALGORITHM} is supported by the sandbox's AWS provider"

    def create(self, call: Call) -> str:
        """Import or request; a requested one waits for its records in DNS, this create does not."""
        acm, inputs = call.client("acm"), call.inputs
        if "privateKey" in inputs:
            return acm.import_certificate(**_imported(inputs), Tags=call.tag_list)["CertificateArn"]
        return acm.request_certificate(
            DomainName=inputs["domainName"],
            ValidationMethod=inputs.get("validationMethod") or "DNS",
            **call.given("keyAlgorithm", "subjectAlternativeNames"),
            Tags=call.tag_list,
        )["CertificateArn"]

    def find_marked(self, call: Call) -> list[str]:
        """A certificate has no name: two of the same domain may stand side by side."""
        acm, wanted = call.client("acm"), marker_value(call.ctx.urn)
        pages = acm.get_paginator("list_certificates").paginate()
        arns = [each["CertificateArn"] for page in pages for each in page["CertificateSummaryList"]]
        return [arn for arn in arns if _tags(acm, arn).get(MARKER_TAG) == wanted]

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The certificate; never its key."""
        records = [each for each in live.get("DomainValidationOptions") or () if "ResourceRecord" in each]
        options = live.get("Options") or {}
        domain = str(live["DomainName"])
        names: list[str] = sorted(set(live.get("SubjectAlternativeNames") or ()))
        return {
            "arn": id,
            "domainName": domain,
            "domainValidationOptions": sorted(
                (
                    {
                        "domainName": each["DomainName"],
                        "resourceRecordName": each["ResourceRecord"]["Name"],
                        "resourceRecordType": each["ResourceRecord"]["Type"],
                        "resourceRecordValue": each["ResourceRecord"]["Value"],
                    }
                    for each in records
                ),
                key=lambda each: each["domainName"],
            ),
            "keyAlgorithm": str(live.get("KeyAlgorithm") or KEY_ALGORITHM).replace("-", "_"),
            "notAfter": utc_time(live.get("NotAfter")),
            "notBefore": utc_time(live.get("NotBefore")),
            "options": present(
                certificateTransparencyLoggingPreference=options.get("CertificateTransparencyLoggingPreference"),
                export=options.get("Export"),
            ),
            "pendingRenewal": False,
            "renewalEligibility": live.get("RenewalEligibility") or "INELIGIBLE",
            "renewalSummaries": [],
            "subjectAlternativeNames": _as_given(call, names, domain),
            "tagsAll": _tags(call.client("acm"), id),
            "validationEmails": [],
            "validationMethod": "NONE" if live["Type"] == "IMPORTED" else "DNS",
        }

    def update(self, call: Call, id: str) -> None:
        """An imported one is imported again, under the same ARN."""
        if call.changes(*_IMPORTED):
            call.client("acm").import_certificate(CertificateArn=id, **_imported(call.inputs))


class CertificateValidation(Resource):
    """aws.acm.CertificateValidation: nothing in AWS, but the wait until a certificate is issued."""

    token = "aws:acm/certificateValidation:CertificateValidation"
    force_new = frozenset({"certificateArn", "validationRecordFqdns"})
    write_only = frozenset({"validationRecordFqdns"})

    def create(self, call: Call) -> str:
        """Wait. ProviderError when the named records are not those that ACM asked for."""
        acm, arn = call.client("acm"), str(call.inputs["certificateArn"])
        live = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        if live["Type"] != "AMAZON_ISSUED":
            raise ProviderError(f"certificate ({arn}) has type {live['Type']}, no validation necessary")
        if call.inputs.get("validationRecordFqdns"):
            _check_names(arn, live, call.inputs["validationRecordFqdns"])

        def issued() -> bool:
            status = acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
            if status not in {"ISSUED", "PENDING_VALIDATION"}:
                raise ProviderError(f"certificate {arn} is {status}")
            return status == "ISSUED"

        call.wait(f"certificate {arn} to be issued (are its validation records in DNS?)", issued, seconds=ISSUE_SECONDS)
        live = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        return utc_time(live["IssuedAt"]) or arn

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """Gone when the certificate is not issued (any more)."""
        arn = str(call.state["certificateArn"])
        live = call.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        return {"certificateArn": arn} if live["Status"] == "ISSUED" else None

    def delete(self, call: Call, id: str) -> None:
        """Nothing: the certificate stays issued."""


def _imported(inputs: PropertyMap) -> dict[str, bytes]:
    names = dict(zip(_IMPORTED, ("Certificate", "CertificateChain", "PrivateKey"), strict=True))
    return {argument: str(inputs[name]).encode() for name, argument in names.items() if inputs.get(name)}


def _as_given(call: Call, names: list[str], domain: str) -> list[str]:
    """ACM adds the domain itself to the other names; Terraform takes lists that differ in that for the same."""
    given = call.state.get("subjectAlternativeNames")
    return list(given) if given is not None and {*given, domain} == {*names, domain} else names


def _check_names(arn: str, live: dict[str, Any], given: list[str]) -> None:
    wanted = {each["ResourceRecord"]["Name"].rstrip(".") for each in live.get("DomainValidationOptions") or ()}
    if missing := sorted(wanted - {name.rstrip(".") for name in given}):
        raise ProviderError(f"missing validation records for certificate {arn}: {', '.join(missing)}")


def _tags(acm: Any, arn: str) -> dict[str, str]:
    return tag_map(acm.list_tags_for_certificate(CertificateArn=arn)["Tags"])


def _certificate_arn(call: FunctionCall) -> str:
    """The one of this domain; with mostRecent the newest of several."""
    client, domain = call.client("acm"), str(call.required("domain"))
    pages = client.get_paginator("list_certificates").paginate(
        CertificateStatuses=call.args.get("statuses") or ["ISSUED"]
    )
    found = [each for page in pages for each in page["CertificateSummaryList"] if each["DomainName"] == domain]
    if types := call.args.get("types"):
        found = [each for each in found if each.get("Type") in types]
    if call.args.get("mostRecent"):
        found = sorted(found, key=lambda each: each["NotBefore"])[-1:]
    return the_one(f"ACM Certificate of {domain}", [each["CertificateArn"] for each in found])


get_certificate = looked_up(
    "aws:acm/getCertificate:getCertificate", Certificate(), _certificate_arn, {"domainName": "domain"}
)
