"""A Pulumi deployment engine in Python: runs any Pulumi Python program in-process, with no CLI, on Pulumi's own state files.

engine = Engine(Path("."), "dev", providers={"aws": AwsProvider})
result = engine.up(Options(parallel=8))
"""

from slipway.engine.engine import Engine, Options, Result

__all__ = ["Engine", "Options", "Result"]
