"""The certificates that pods verify the database with: a file, since nothing may fetch them while it runs."""

import os
from pathlib import Path

import pulumi

from infra.settings import SettingsError

BUNDLE_VARIABLE = "SLIPWAY_DATABASE_CA_BUNDLE"
"""Path of the bundle of a cloud that is not AWS: like its addresses and credentials it is in the environment, and goes first."""


def load_ca_bundle(setting: str, *, environment: str, region: str) -> str:
    """The certificates in PEM, from `slipway:database.caBundle`; SettingsError saying where AWS has them."""
    named = os.environ.get(BUNDLE_VARIABLE) or setting
    file, key = f"Pulumi.{environment}.yaml", "slipway:database.caBundle"
    remedy = (
        f"save https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem beside Pulumi.yaml,"
        f" and set {key} to its path"
    )
    if not named:
        raise SettingsError(f"{file}: {key}: missing; pods verify the database with it: {remedy}")
    try:
        text = (Path(pulumi.get_root_directory()) / named).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {key}: {named} cannot be read ({error}); {remedy}") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise SettingsError(f"{file}: {key}: {named} has no certificate in PEM; {remedy}")
    return text
