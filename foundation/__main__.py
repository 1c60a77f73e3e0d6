"""Where Pulumi enters. Absolute imports only: this file runs as a script, and a sibling import would load modules twice."""

import sys
from pathlib import Path

# Pulumi runs this folder; the code beside it is this checkout's, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from foundation.program import deploy

deploy()
