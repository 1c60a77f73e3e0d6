"""Takes the README's picture of the dashboard while a release moves: python -m docs.make_pictures, after `make demo`.

Makes the next patch version in the demo's checkout, releases it to dev under load, and keeps the last picture on which traffic is divided.
Needs Chromium and a font: apt-get install chromium fonts-dejavu-core
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from slipway.cli.demo.checkout import Checkout
from slipway.cli.demo.sending import Load, sending
from slipway.sandbox.paths import SandboxPaths

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "dashboard.png"
ENVIRONMENT = "dev"
PACE = ("--bake", "45", "--window", "6", "--minimum-requests", "10")
"""Steps that are long enough for the charts to show each of them."""
WIDTH, HEIGHT = 1440, 1000
LARGEST_BYTES = 200_000
POLL_SECONDS = 1.0
CHROMIUM_SECONDS = 60
START_SECONDS = 30


def main() -> None:
    """Release, and look meanwhile. Exits with a message when there is no picture."""
    chromium = shutil.which("chromium") or sys.exit("Chromium is needed: apt-get install chromium fonts-dejavu-core")
    paths = SandboxPaths.from_environment()
    checkout = Checkout(ROOT, paths.sandbox / "demo")
    if not checkout.version:
        sys.exit("the sandbox has no demo: run `make demo` first")
    slipway = [sys.executable, "-m", "slipway.cli", "--sandbox", "--project-dir", str(checkout.folder)]
    asked = subprocess.run([*slipway, "outputs", ENVIRONMENT, "url", "--json"], stdout=subprocess.PIPE, check=True)
    checkout.bump()
    with (
        serving([*slipway, "dashboard", ENVIRONMENT, "--port", "0"]) as address,
        sending(Load(), json.loads(asked.stdout)["url"], paths.sandbox / "picture-load.json"),
        subprocess.Popen([*slipway, "release", ENVIRONMENT, *PACE]) as release,
    ):
        taken = photograph(
            while_=lambda: release.poll() is None,
            divided=lambda: is_divided(read_status(address)),
            take=lambda file: take_picture(chromium, address, file),
        )
    if release.returncode:
        sys.exit(f"the release ended with exit code {release.returncode}")
    if not taken:
        sys.exit("traffic was never seen divided: no picture")
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(ROOT)}: {size:,} bytes")  # noqa: T201 - a script's result
    if size > LARGEST_BYTES:
        sys.exit(f"that is more than {LARGEST_BYTES:,}: lower HEIGHT")


def photograph(*, while_: Callable[[], bool], divided: Callable[[], bool], take: Callable[[Path], None]) -> int:
    """Take pictures while traffic is divided, and keep the last one; how many were kept."""
    kept = 0
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="slipway-picture-") as folder:
        file = Path(folder) / "dashboard.png"
        while while_():
            if divided():
                take(file)
                # Not if the traffic moved on while the page was drawn.
                if divided():
                    shutil.copyfile(file, PICTURE)
                    kept += 1
            time.sleep(POLL_SECONDS)
    return kept


def is_divided(places: Iterable[Mapping[str, Any]]) -> bool:
    """Whether both colours of the environment have traffic, in what `slipway status --json` prints."""
    for place in places:
        if place["environment"] == ENVIRONMENT:
            return all(0 < (row["actual_percent"] or 0) < 100 for row in place["colours"].values())
    return False


def read_status(address: str) -> Any:
    """The dashboard's data; empty while it cannot be read."""
    try:
        with urllib.request.urlopen(f"{address}status.json", timeout=START_SECONDS) as answer:  # noqa: S310 - loopback
            return json.load(answer)
    except (OSError, ValueError):
        return ()


def take_picture(chromium: str, address: str, file: Path) -> None:
    """One picture of the page, once its charts are drawn."""
    with tempfile.TemporaryDirectory(prefix="slipway-chromium-", ignore_cleanup_errors=True) as profile:
        argv = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        argv += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={file}", address]
        subprocess.run(argv, check=True, capture_output=True, timeout=CHROMIUM_SECONDS)


@contextlib.contextmanager
def serving(argv: list[str]) -> Generator[str]:
    """The dashboard's address while it is served."""
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as dashboard:
        try:
            assert dashboard.stderr is not None  # noqa: S101 - asked for above
            said = dashboard.stderr.readline()
            address = re.search(r"http://\S+/", said) or sys.exit(f"the dashboard does not start: {said}")
            yield address[0]
        finally:
            dashboard.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
