"""Renderers of an operation's events: a plan to read, progress to watch, JSON for machines. Give one to `Engine(on_event=...)`."""

from slipway.engine.display.machine import EventLines, PreviewObject
from slipway.engine.display.plan import PlanDisplay
from slipway.engine.display.progress import ProgressDisplay

__all__ = ["EventLines", "PlanDisplay", "PreviewObject", "ProgressDisplay"]
