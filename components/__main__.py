"""Where Pulumi enters to use the components from another language: `python <this folder> <engine's address>`."""

import runpy
import sys
from pathlib import Path

if __package__:
    from .hosting import host

    host(sys.argv[1:])
else:
    # Run as a folder, the files here would be modules of their own, whose relative imports lead nowhere.
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    runpy.run_module(folder.name, run_name="__main__")
