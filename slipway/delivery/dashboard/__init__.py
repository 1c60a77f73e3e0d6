"""The dashboard: a web page that shows every environment, its traffic and its rollouts. It reads, and changes nothing."""

from slipway.delivery.dashboard.app import build_app
from slipway.delivery.dashboard.overview import Overview
from slipway.delivery.dashboard.serving import build_server

__all__ = ["Overview", "build_app", "build_server"]
