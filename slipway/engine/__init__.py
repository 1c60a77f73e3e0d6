"""A Pulumi deployment engine in Python: runs any Pulumi Python program in-process, with no CLI, on Pulumi's own state files.

    engine = Engine(Path("."), "dev", providers={"aws": AwsProvider}, on_event=ProgressDisplay(Console()))
    result = engine.up(Options(parallel=8))

Done as Pulumi does it: components, explicit and default providers, functions, reads, imports, aliases, transforms, resource hooks, stack
references, stashes, policy packs, secrets, targets, both orders of replacement, refresh, and what is left of an interrupted operation.
Refused by name: components of other processes (`remote`), methods of packaged components, parameterized packages, state migrations,
error hooks, and environment mappings of providers. Programs that need one of these need the Pulumi CLI.
"""

from slipway.engine.engine import Engine, Options, Result

__all__ = ["Engine", "Options", "Result"]
