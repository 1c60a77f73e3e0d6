"""Routes as moto's, to our responses."""

from __future__ import annotations

from typing import Any

from moto.ecr.urls import url_bases

from slipway.sandbox.aws.ecr.responses import EcrResponse

__all__ = ["url_bases", "url_paths"]

url_paths: dict[str, Any] = {"{0}/$": EcrResponse.dispatch}
