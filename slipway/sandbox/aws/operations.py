"""Which AWS operation a request is: its service, its name, and whether it changes anything.

The AWS protocols name the operation in four places: the form field `Action` (query and ec2), the header `X-Amz-Target`
(json), the end of the path (cbor), or method and path (rest-json and rest-xml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from slipway.sandbox.ports import HOST_ADDRESS

LOAD_BALANCING_V2 = b"Version=2015-12-01"
READ_PREFIXES = (
    "Describe",
    "List",
    "Get",
    "BatchGet",
    "Head",
    "Query",
    "Scan",
    "Select",
    "Lookup",
    "Search",
    "Filter",
    "Simulate",
)
READ_NAMES = frozenset({
    "AssumeRole", "AssumeRoleWithWebIdentity", "BatchCheckLayerAvailability", "Decrypt", "Encrypt", "GenerateDataKey", "ReEncrypt",
    "Sign", "TestMetricFilter", "TransactGetItems", "ValidateTemplate", "Verify",
})  # fmt: skip
"""Operations without a reading prefix that keep nothing a restart would miss, but AssumeRole: see MUTATING_NAMES."""
MUTATING_NAMES = frozenset(
    {"AssumeRole", "AssumeRoleWithWebIdentity", "GetSessionToken", "GetFederationToken", "GetRandomPassword"}
)
"""AssumeRole and its like store the session that later calls are recognised by."""
UNSAVED_NAMES = frozenset({"PutMetricData", "PutLogEvents", "ReceiveMessage"})
"""Changes that come many times a second and are saved within half a second instead of before the answer."""
POD_IDENTITY, POD_IDENTITY_END = "AssumeRoleForPodIdentity", "/assume-role-for-pod-identity"
CONCURRENT_NAMES = frozenset({"ReceiveMessage", "Publish", "PublishBatch", POD_IDENTITY})
"""Operations that wait (long polling) or call out (HTTP subscriptions, a cluster's review of a token): they must not hold the lock that
all others take."""
UNSIGNED_NAMES = {
    "sns": frozenset({"ConfirmSubscription", "Unsubscribe"}),
    "sts": frozenset({"AssumeRoleWithWebIdentity"}),
}
"""Operations whose caller needs no credentials: a token in them is the proof.

Not among them is AssumeRoleWithSAML: moto checks no assertion."""
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Operation:
    """One request to the AWS API."""

    service: str
    """moto's name of the service: `elbv2`, `dynamodb`, `eks`."""
    name: str
    """`ModifyListener`; for REST services the method and the path: `POST /clusters`."""
    mutates: bool
    protocol: str = "json"
    """How it was asked, and how an error must be answered: `json`, `cbor` or `xml`."""

    @property
    def saved_at_once(self) -> bool:
        """Whether the change must be on disk before the answer goes out."""
        return self.mutates and self.name not in UNSAVED_NAMES

    @property
    def concurrent(self) -> bool:
        """Whether the operation runs beside others instead of alone."""
        return self.name in CONCURRENT_NAMES


def recognise_operation(service: str, environ: Mapping[str, object], body: bytes) -> Operation:
    """The operation that a WSGI request to `service` asks for."""
    name = _operation_name(environ, body)
    protocol = _protocol(environ)
    if service == "elb" and LOAD_BALANCING_V2 in body:
        # Both generations share one host name, and moto's dispatcher stops at the first.
        service = "elbv2"
    if name:
        mutates = name in MUTATING_NAMES or (name not in READ_NAMES and not name.startswith(READ_PREFIXES))
        return Operation(service, name, mutates, protocol)
    if service == "eks" and str(environ.get("PATH_INFO")).endswith(POD_IDENTITY_END):
        return Operation("sts", POD_IDENTITY, True, protocol)
    method = str(environ.get("REQUEST_METHOD", "GET"))
    return Operation(service, f"{method} {environ.get('PATH_INFO', '/')}", method not in READ_METHODS, protocol)


def is_unsigned(operation: Operation, environ: Mapping[str, object], body: bytes) -> bool:
    """Whether AWS takes this without credentials. Every place that may name an operation must name the same.

    Pods have EKS Pod Identity, and none by an identity provider: the sandbox's clusters are no such provider.
    """
    if operation.service == "sts" and environ.get("SERVER_NAME") == HOST_ADDRESS:
        return False
    if "HTTP_X_AMZ_TARGET" in environ or "HTTP_SMITHY_PROTOCOL" in environ or "HTTP_AUTHORIZATION" in environ:
        return False
    asked = parse_qs(str(environ.get("QUERY_STRING", ""))), parse_qs(body.decode(errors="replace"))
    names = {name for fields in asked for name in fields.get("Action", [])}
    return len(names) == 1 and names <= UNSIGNED_NAMES.get(operation.service, frozenset())


def _operation_name(environ: Mapping[str, object], body: bytes) -> str:
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2]
    if environ.get("HTTP_SMITHY_PROTOCOL"):
        return str(environ.get("PATH_INFO", "")).rpartition("/operation/")[2]
    query = parse_qs(str(environ.get("QUERY_STRING", "")))
    if "Action" not in query and _is_form(environ):
        query = parse_qs(body.decode(errors="replace"))
    return query.get("Action", [""])[0]


def _protocol(environ: Mapping[str, object]) -> str:
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "cbor"
    return "xml" if _is_form(environ) else "json"


def _is_form(environ: Mapping[str, object]) -> bool:
    return str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
