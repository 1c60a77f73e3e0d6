"""Which API call a request is: operation and parameters by botocore's models, read as moto will read them.

What two readers could understand differently is refused, so that nothing else runs than what was judged.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from botocore.exceptions import BotoCoreError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model, service_name_from_moto_package_name
from werkzeug.exceptions import HTTPException

from slipway.sandbox.aws.answers import Environ
from slipway.sandbox.aws.iam.ownership import SeveralAccountsError, account_of
from slipway.sandbox.aws.iam.parameters import tag_pairs

PREFIXES = {
    "cloudwatch": "cloudwatch",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
}
"""IAM's name of a service where it is not the one that signs."""
PRESIGNED = "X-Amz-"
LARGEST_BODY_BYTES = 64 << 20


class UnclearRequestError(Exception):
    """The request names more than one operation or resource, or none that the service has."""


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """One operation with its parameters."""

    service: str
    """botocore's name."""
    prefix: str
    """IAM's."""
    operation: str
    region: str
    account: str
    """The caller's."""
    serving_account: str = ""
    """In which it runs, and what it names is; the caller's unless it names something of another's."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    path: str = "/"
    in_path: Mapping[str, Any] = field(default_factory=dict)
    """The parameters that stand in the path."""
    headers: Mapping[str, str] = field(default_factory=dict)
    source_ip: str = "127.0.0.1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "serving_account", self.serving_account or self.account)

    def text(self, name: str) -> str:
        """A parameter as a text; empty where it is not given."""
        return str(self.parameters.get(name) or "")

    def texts(self, *names: str) -> list[str]:
        """The items of parameters that are lists."""
        return [str(item) for name in names for item in cast(list[object], self.parameters.get(name) or [])]

    def entries(self, *path: str) -> list[Mapping[str, Any]]:
        """The items of a list of structures, which may be inside of others."""
        value: Any = self.parameters
        for name in path:
            value = (value or {}).get(name)
        return list(value or [])


def read_call(service: str, environ: Environ, body: bytes, *, region: str, account: str) -> ApiCall:
    """The call that a request to moto's `service` makes. Raises UnclearRequestError."""
    name = service_name_from_moto_package_name(service)
    try:
        model = get_service_model(name)
        plain = body if name == "s3" else _unpack(environ, body)  # S3 keeps the encoding with the object
        request = Request({**environ, "wsgi.input": io.BytesIO(plain)})
        protocol = determine_request_protocol(model, request.content_type)
        _check_form(protocol, name, request)
        operation, in_path = get_service_router(name).match(request)
        _check_query(protocol, name, operation, request)
        parameters = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": in_path,
            }
        )
    except (
        BotoCoreError,
        HTTPException,
        NotImplementedError,
        RequestParserError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise UnclearRequestError(f"no operation of {name} is known for this request") from error
    _check_tags(parameters)
    try:
        serving_account = account_of(name, str(operation.name), parameters, account)
    except SeveralAccountsError as error:
        raise UnclearRequestError(str(error)) from error
    return ApiCall(
        service=name,
        prefix=iam_prefix(name),
        operation=str(operation.name),
        region=region,
        account=account,
        serving_account=serving_account,
        parameters=parameters,
        path=request.path,
        in_path=dict(in_path),
        headers={key.lower(): value for key, value in request.headers.items()},
        source_ip=str(environ.get("REMOTE_ADDR", "127.0.0.1")),
    )


@cache
def iam_prefix(service: str) -> str:
    """How IAM's actions of a service begin."""
    model = get_service_model(service)
    return PREFIXES.get(service) or model.metadata.get("signingName") or str(model.endpoint_prefix)


def _unpack(environ: Environ, body: bytes) -> bytes:
    """Replace a compressed body by what is in it: the judge and the service must read the same."""
    if environ.get("HTTP_CONTENT_ENCODING") != "gzip":
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            plain = packed.read(LARGEST_BODY_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnclearRequestError("the body is not compressed as it says") from error
    if len(plain) > LARGEST_BODY_BYTES:
        raise UnclearRequestError("the body is too large")
    del environ["HTTP_CONTENT_ENCODING"]
    environ["wsgi.input"] = io.BytesIO(plain)
    environ["CONTENT_LENGTH"] = str(len(plain))
    return plain


def _check_form(protocol: str, service: str, request: Request) -> None:
    """A form says everything once, in one place, and only where the protocol has forms."""
    if protocol in {"query", "ec2"}:
        fields = Counter(key for key, _ in [*request.args.items(multi=True), *request.form.items(multi=True)])
        if request.form and request.args and not all(key.startswith(PRESIGNED) for key in request.args):
            raise UnclearRequestError("the request has parameters in its address and in its body")
        if any(count > 1 for count in fields.values()) or request.files or "HTTP_X_AMZ_TARGET" in request.environ:
            raise UnclearRequestError("the request says something twice")
        if not request.form and request.get_data(cache=True):
            raise UnclearRequestError("the body is no form")
    elif service != "s3" and (request.form or request.files):
        raise UnclearRequestError("the service takes no forms")


def _check_query(protocol: str, service: str, operation: OperationModel, request: Request) -> None:
    """The address asks for nothing that the operation does not have."""
    if protocol in {"query", "ec2"}:
        return
    if any(
        count > 1
        for key, count in Counter(key for key, _ in request.args.items(multi=True)).items()
        if key != "tagKeys"
    ):
        raise UnclearRequestError("the address says something twice")
    asked = {key for key in request.args if not key.startswith(PRESIGNED)}
    own = {*_query_names(operation), *operation.http_trait.query_args, "x-id"}
    # S3 takes what it does not know, for logs; the names that choose another operation are not among that.
    refused = asked & _choosing(service) if service == "s3" else asked
    if refused - own:
        raise UnclearRequestError(f"{operation.name} has no {', '.join(sorted(refused - own))}")
    if "HTTP_X_AMZ_TARGET" in request.environ and protocol != "json":
        raise UnclearRequestError("the service has no targets")


@cache
def _choosing(service: str) -> frozenset[str]:
    """What addresses ask for in any operation of a service."""
    model = get_service_model(service)
    operations = [model.operation_model(name) for name in model.operation_names]
    return frozenset(name for each in operations for name in (*each.http_trait.query_args, *_query_names(each)))


def _check_tags(parameters: Mapping[str, Any]) -> None:
    """Conditions know one value for each tag, whatever its case."""
    pairs = set(tag_pairs(parameters))
    if len({key.lower() for key, _ in pairs}) < len(pairs):
        raise UnclearRequestError("the request gives a tag two values")


def _query_names(operation: OperationModel) -> Iterable[str]:
    members: Mapping[str, Any] = getattr(operation.input_shape, "members", {})
    for name, shape in members.items():
        if shape.serialization.get("location") == "querystring":
            yield str(shape.serialization.get("name", name))
