"""Loads the Pulumi SDK, then runs the script that one line on standard input names, as if Python had been started with it.

The line: {"argv": […], "environ": {…}}. Argument: the folder of the script. No line: there is nothing to run.
"""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[0] = sys.argv[1]  # not the working directory, in which anything may lie

import contextlib  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402

with contextlib.suppress(Exception):  # the script says why, better than this could
    importlib.import_module("pulumi.runtime")

line = sys.stdin.buffer.readline()
if not line:
    sys.exit()
order = json.loads(line)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.environ.update(order["environ"])
sys.argv = order["argv"]
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path(sys.argv[0], run_name="__main__")
