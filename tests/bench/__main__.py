"""`make bench`: runs every measurement and prints one JSON line each. Machines are noisy: compare ratios of one run."""

import runpy
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    runpy.run_path(str(script), run_name="__main__")
