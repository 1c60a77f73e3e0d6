"""Routes as moto's, to our responses."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.ecr.urls import url_bases

from slipway.sandbox.aws.ecr.responses import EcrResponse

__all__ = ["url_bases", "url_paths"]

url_paths: dict[str, Any] = {"{0}/$": EcrResponse.dispatch}
