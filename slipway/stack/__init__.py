"""Runs a stack by the Pulumi CLI: the only way that Slipway has, for every backend, on the sandbox and on AWS."""

from slipway.stack.cli import PulumiCli, find_cli
from slipway.stack.result import StackResult
from slipway.stack.stack import PulumiStack

__all__ = ["PulumiCli", "PulumiStack", "StackResult", "find_cli"]
