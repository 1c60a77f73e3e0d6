"""Puts our backends in the place of moto's. Called once, before anything uses moto."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from moto.acm.models import CertBundle
from moto.ecr.models import ecr_backends
from moto.eks.models import eks_backends
from moto.moto_server.werkzeug_app import SIGNING_ALIASES
from moto.rds.models import rds_backends
from moto.sts.models import STSBackend

from slipway.sandbox.aws.certificates import check_certificate, sign_certificates
from slipway.sandbox.aws.ecr.models import RegistryBackend
from slipway.sandbox.aws.eks.models import RealEksBackend
from slipway.sandbox.aws.iam.assume_role import install_sessions
from slipway.sandbox.aws.iam.iam_operations import install_iam_operations
from slipway.sandbox.aws.kms import take_digests
from slipway.sandbox.aws.kms_states import check_states
from slipway.sandbox.aws.rds.authorities import install_authorities
from slipway.sandbox.aws.rds.master_secrets import replace_secret_text
from slipway.sandbox.aws.rds.models import PostgresBackend
from slipway.sandbox.aws.rds.rotation import install_rotation
from slipway.sandbox.aws.service_access import ask_policies
from slipway.sandbox.aws.zones import install_zones
from slipway.sandbox.domain_tls import DomainAuthority

_original_identity = STSBackend.get_caller_identity


def install_backends(authority: DomainAuthority) -> None:
    """From here on, moto makes our backends for the services that have something real behind them. `authority`: ACM's."""
    ecr_backends.backend = RegistryBackend
    eks_backends.backend = RealEksBackend
    rds_backends.backend = PostgresBackend
    replace_secret_text()
    install_rotation()
    install_authorities()
    take_digests()
    check_states()
    ask_policies()
    STSBackend.get_caller_identity = _caller_identity
    CertBundle.check = check_certificate
    sign_certificates(authority)
    install_zones()
    SIGNING_ALIASES["eks-auth"] = "eks"  # moto has no EKS Auth; its one operation is among our routes of EKS
    install_sessions()
    install_iam_operations()


def _caller_identity(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
    """moto names its default user `arn:aws:sts::…:user/…`, which no IAM policy or access entry can name."""
    user_id, arn, account = _original_identity(self, access_key_id, region)
    return user_id, arn.replace(":sts:", ":iam:") if ":user/" in arn else arn, account
