"""Where Pulumi enters. Absolute imports only: this file runs as a script, and a sibling import would load modules twice."""

import gc
import os
import sys
from pathlib import Path

# Pulumi runs this folder; the code beside it is this checkout's, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# The SDKs' millions of objects live to the end: looking through them for garbage takes a seventh of the time.
gc.disable()

from infra.lean_sdk import drop_debug_messages, lean_sdk_imports  # noqa: E402 - found by the path above

drop_debug_messages(os.environ)
with lean_sdk_imports():
    from infra.program import deploy

deploy()
