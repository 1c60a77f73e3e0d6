"""EKS Pod Identity: from a pod's service-account token to a session of the role that its service account is associated with."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, sts_backends

from slipway.errors import SlipwayError
from slipway.sandbox.aws.callers import PARTITION
from slipway.sandbox.aws.eks.models import PodIdentityAssociation, RealEksBackend, find_cluster
from slipway.sandbox.aws.eks.pod_admission import AUDIENCE
from slipway.sandbox.aws.eks.pod_trust import PRINCIPAL, trusts_pod_identity
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.world import world

SESSION_SECONDS = 6 * 3600  # source: EKS user guide, "Understand how EKS Pod Identity works"
USER_PREFIX = "system:serviceaccount:"
POD_NAME, POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"


class PodIdentityError(Exception):
    """The refusal, as the EKS Auth API has it."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Pod:
    """Who a token stands for."""

    namespace: str
    service_account: str
    name: str
    uid: str


@dataclass(frozen=True)
class PodSession:
    """What a pod gets."""

    pod: Pod
    association: PodIdentityAssociation
    session: AssumedRole


def assume_role_for_pod(cluster_name: str, token: str) -> PodSession:
    """A session for the pod whose token this is. Raises PodIdentityError.

    The API's lock must be free: the cluster may ask the API about the token.
    """
    pod = pod_of(_review(cluster_name, token))
    with API_LOCK:
        found = find_cluster(cluster_name)
        if found is None:
            raise _no_cluster(cluster_name)
        backend, cluster = found
        association = find_association(backend, cluster_name, pod.namespace, pod.service_account)
        if association is None:
            raise PodIdentityError(
                "ResourceNotFoundException",
                f"No association found for service account {pod.service_account} in namespace {pod.namespace}",
                HTTPStatus.NOT_FOUND,
            )
        tags = session_tags(cluster.arn, pod)
        _check_trust(backend.account_id, association.role_arn, str(cluster.arn), tags)
        return PodSession(pod, association, _assume(backend, association.role_arn, pod, tags))


def find_association(
    backend: RealEksBackend, cluster_name: str, namespace: str, service_account: str
) -> PodIdentityAssociation | None:
    """The association of a service account. Needs no lock."""
    extras = backend.extras.get(cluster_name)
    associations = list(extras.associations.values()) if extras else []
    return next(
        (each for each in associations if (each.namespace, each.service_account) == (namespace, service_account)), None
    )


def pod_of(status: Mapping[str, Any]) -> Pod:
    """The pod in a TokenReview's status. Raises PodIdentityError."""
    user: Mapping[str, Any] = status.get("user") or {}
    if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or []):
        why = str(status.get("error") or "it is not a token of this cluster for EKS Pod Identity")
        raise PodIdentityError("ExpiredTokenException" if "expired" in why else "InvalidTokenException", why)
    kind, _, account = str(user.get("username")).rpartition(USER_PREFIX)
    namespace, _, name = account.partition(":")
    extra: Mapping[str, list[str]] = user.get("extra") or {}
    if kind or not name or not extra.get(POD_NAME) or not extra.get(POD_UID):
        raise PodIdentityError("InvalidTokenException", "the token is not bound to a pod")
    return Pod(namespace, name, extra[POD_NAME][0], extra[POD_UID][0])


def session_tags(cluster_arn: str, pod: Pod) -> dict[str, str]:
    """Source: EKS user guide, "Grant Pods access to AWS resources based on tags"."""
    return {
        "eks-cluster-arn": cluster_arn,
        "eks-cluster-name": cluster_arn.rpartition("/")[2],
        "kubernetes-namespace": pod.namespace,
        "kubernetes-service-account": pod.service_account,
        "kubernetes-pod-name": pod.name,
        "kubernetes-pod-uid": pod.uid,
    }


def _review(cluster_name: str, token: str) -> Mapping[str, Any]:
    clusters = world().clusters
    if clusters is None or find_cluster(cluster_name) is None:
        raise _no_cluster(cluster_name)
    try:
        return clusters.review_token(cluster_name, token, AUDIENCE)
    except SlipwayError as error:
        raise PodIdentityError("ServiceUnavailableException", str(error), HTTPStatus.SERVICE_UNAVAILABLE) from error


def _no_cluster(name: str) -> PodIdentityError:
    return PodIdentityError("ResourceNotFoundException", f"No cluster found for name: {name}.", HTTPStatus.NOT_FOUND)


def _check_trust(account_id: str, role_arn: str, cluster_arn: str, tags: Mapping[str, str]) -> None:
    context = {"aws:SourceAccount": account_id, "aws:SourceArn": cluster_arn, "aws:PrincipalService": PRINCIPAL}
    context |= {f"aws:RequestTag/{name}": value for name, value in tags.items()}
    try:
        document = iam_backends[account_id][PARTITION].get_role_by_arn(role_arn).assume_role_policy_document
    except NotFoundException:
        document = ""
    if not trusts_pod_identity(str(document), context):
        raise PodIdentityError(
            "AccessDeniedException",
            "Unauthorized Exception! EKS does not have permissions to assume the associated role.",
        )


def _assume(backend: RealEksBackend, role_arn: str, pod: Pod, tags: Mapping[str, str]) -> AssumedRole:
    sts = sts_backends[backend.account_id][PARTITION]
    now = utcnow()
    sts.assumed_roles[:] = [each for each in sts.assumed_roles if each.expiration > now]
    session = sts.assume_role(
        region_name=backend.region_name,
        role_session_name=f"eks-{tags['eks-cluster-name'][:10]}-{pod.name[:10]}-{uuid4()}",
        role_arn=role_arn,
        policy="",
        duration=SESSION_SECONDS,
        external_id="",
    )
    session.session_tags = dict(tags)  # type: ignore[attr-defined] - moto keeps none
    world().save("sts")
    return session
