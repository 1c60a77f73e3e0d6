"""Base images made on this machine when no public registry can be reached: honest stand-ins under the usual names."""

from slipway.sandbox.images.builder import ImageBuilder
from slipway.sandbox.images.recipes import find_recipe
from slipway.sandbox.images.source import ImageSource

__all__ = ["ImageBuilder", "ImageSource", "find_recipe"]
