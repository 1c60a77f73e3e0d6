"""The ways to EKS Pod Identity: the EKS Auth API, the agent that pods ask; and the webhooks that API servers ask about new pods."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from slipway.errors import SlipwayError
from slipway.sandbox.aws.answers import Answer, Environ, json_answer
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.eks.models import find_cluster
from slipway.sandbox.aws.eks.pod_admission import AUDIENCE, CREDENTIALS_PATH, RegionOf, review_gates, review_pod
from slipway.sandbox.aws.eks.pod_identity import PodIdentityError, assume_role_for_pod, find_association
from slipway.sandbox.aws.guard import user_refusal
from slipway.sandbox.aws.world import world

ADMISSION_PREFIX, GATES_PREFIX = "/pod-identity/", "/readiness-gates/"
MAXIMUM_REVIEW_BYTES = 3 << 20
"""The API server's own limit of an object in etcd is 1.5 MiB; a review has it once or twice."""

BindingGates = Callable[[str, str, str, Mapping[str, str]], Sequence[str]]
"""From cluster, API group of bindings, namespace and labels of a pod to its readiness gates. Raises SlipwayError."""


def assume_role_for_pod_identity(request: Any, _url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """AssumeRoleForPodIdentity of the EKS Auth API, for moto's table of routes."""
    try:
        wanted = json.loads(request.data or b"{}")
        made = assume_role_for_pod(str(request.path).split("/")[2], str(wanted.get("token", "")))
    except (ValueError, AttributeError, RecursionError):
        return _refusal(PodIdentityError("InvalidRequestException", "the body is no JSON object"))
    except PodIdentityError as error:
        return _refusal(error)
    session, association = made.session, made.association
    answer = {
        "subject": {"namespace": made.pod.namespace, "serviceAccount": made.pod.service_account},
        "audience": AUDIENCE,
        "podIdentityAssociation": {
            "associationArn": association.association_arn,
            "associationId": association.association_id,
        },
        "assumedRoleUser": {"arn": session.arn, "assumeRoleId": session.user_id},
        "credentials": {
            "accessKeyId": session.access_key_id,
            "secretAccessKey": session.secret_access_key,
            "sessionToken": session.session_token,
            "expiration": int(session.expiration.timestamp()),
        },
    }
    return 200, {"Content-Type": "application/json"}, json.dumps(answer)


def agent_route(environ: Environ) -> Answer:
    """GET /v1/credentials with the pod's token, as the agent on each node answers it."""
    if environ["REQUEST_METHOD"] != "GET" or environ["PATH_INFO"] != CREDENTIALS_PATH:
        return json_answer({"message": "not found"}, "404 Not Found")
    try:
        clusters = world().clusters
        cluster = clusters.name_of(str(environ["REMOTE_ADDR"])) if clusters else None
        if cluster is None:
            raise PodIdentityError("AccessDeniedException", "only pods have an identity", HTTPStatus.FORBIDDEN)
        made = assume_role_for_pod(cluster, str(environ.get("HTTP_AUTHORIZATION", "")))
    except PodIdentityError as error:
        return json_answer({"code": error.code, "message": str(error)}, f"{error.status} {error.status.phrase}")
    session = made.session
    return json_answer(
        {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.session_token,
            "AccountId": session.account_id,
            "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def admission_application(
    *accounts: str, gates: BindingGates = lambda _cluster, _group, _namespace, _labels: ()
) -> Callable[[Environ, Callable[..., Any]], Iterable[bytes]]:
    """WSGI, at an address of its own, by POST of an AdmissionReview. `accounts`: of API servers.

    /pod-identity/<cluster>, and /readiness-gates/<API group>/<cluster> for namespaces that have the group's label.
    """

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, headers, chunks = user_refusal(environ, *accounts) or _review(environ, gates)
        start_response(status, headers)
        return chunks

    return application


def _review(environ: Environ, gates: BindingGates) -> Answer:
    path = str(environ["PATH_INFO"])
    body = read_body(environ, MAXIMUM_REVIEW_BYTES)
    if environ["REQUEST_METHOD"] != "POST" or body is None:
        return json_answer({"error": "send an AdmissionReview by POST"}, "400 Bad Request")
    try:
        review = json.loads(body)
        if path.startswith(GATES_PREFIX):
            group, _, cluster = path.removeprefix(GATES_PREFIX).partition("/")
            return json_answer(review_gates(review, lambda namespace, labels: gates(cluster, group, namespace, labels)))
        return json_answer(review_pod(review, _regions(path.removeprefix(ADMISSION_PREFIX))))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return json_answer({"error": f"not an AdmissionReview of a pod: {error!r}"}, "400 Bad Request")
    except SlipwayError as error:
        return json_answer({"error": str(error)}, "503 Service Unavailable")


def _regions(cluster: str) -> RegionOf:
    def region_of(namespace: str, service_account: str) -> str | None:
        found = find_cluster(cluster)
        if found is None or find_association(found[0], cluster, namespace, service_account) is None:
            return None
        return found[0].region_name

    return region_of


def _refusal(error: PodIdentityError) -> tuple[int, dict[str, str], str]:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
    return error.status, headers, json.dumps({"message": str(error)})
