"""What `make demo` promises: good releases lose nothing, a bad one goes back by itself, prod runs what dev verified."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from story_kit import Demo, Slipway

ENVIRONMENTS = ("dev", "staging", "prod")


def test_good_releases_lose_no_request(demo: Demo) -> None:
    released = [phase for phase in demo.phases if phase["result"] == "live" and phase["sent"] is not None]
    assert released, "no release was made under load"
    assert [(phase["name"], phase["failed"]) for phase in released if phase["failed"]] == []
    assert min(phase["sent"] for phase in released) > 100


def test_broken_release_goes_back_by_itself(demo: Demo, slipway: Slipway) -> None:
    assert demo.phase("Release 3.").get("result") == "rolled back by itself"
    place = slipway.place("dev")
    live = place["colours"][place["live"]]
    assert not live["running"]["version"].startswith("3.")
    assert (live["wanted_percent"], live["actual_percent"]) == (100, 100)
    last = slipway.ask("history", "dev")[0]
    assert last["candidate"]["version"].startswith("3.")
    assert last["phase"] == "rolled-back"


def test_every_environment_runs_in_real_pods_the_image_that_dev_verified(demo: Demo, slipway: Slipway) -> None:
    images: set[str] = set()
    for environment in ENVIRONMENTS:
        place = slipway.place(environment)
        selector = f"slipway.dev/colour={place['live']}"
        found = slipway.kubectl(
            environment, "get", "pods", "-l", selector, "-o", "jsonpath={.items[*].spec.containers[0].image}"
        )
        assert found, f"no pods in {environment}"
        images |= {image.rsplit("@", 1)[-1] for image in found.split()}
    assert len(images) == 1
    assert images.pop().startswith("sha256:")


def test_unchanged_environment_shows_no_changes(slipway: Slipway) -> None:
    started = time.monotonic()
    seen = slipway.run("preview", "dev", "--expect-no-changes")
    assert re.search(r"Resources:\n +\d+ unchanged\n\n", seen.stdout)
    # Generous: figures are for `make bench`, and this only catches a preview that has become useless.
    assert time.monotonic() - started < 60


def test_pods_answer_at_the_load_balancers_address_and_a_killed_one_loses_no_request(slipway: Slipway) -> None:
    place = slipway.place("dev")
    running = place["colours"][place["live"]]["running"]
    answer = httpx.get(f"{place['url']}/version", timeout=10).json()
    assert (answer["release"], answer["colour"]) == (running["release"], place["live"])
    selector = f"slipway.dev/colour={place['live']}"
    before = slipway.kubectl("dev", "get", "pods", "-l", selector, "-o", "name").split()
    with slipway.load(place["url"]) as load:
        time.sleep(2)
        slipway.kubectl("dev", "delete", before[0], "--wait=true")
        slipway.kubectl("dev", "wait", "--for=condition=Ready", "pods", "-l", selector, "--timeout=60s")
        time.sleep(2)
    after = slipway.kubectl("dev", "get", "pods", "-l", selector, "-o", "name").split()
    assert before[0] not in after
    fewest = slipway.kubectl("dev", "get", "hpa", f"orders-{place['live']}", "-o", "jsonpath={.spec.minReplicas}")
    assert len(after) >= int(fewest)  # the autoscaler may take back what it added under the load before
    assert load.sent > 100
    assert load.failed == 0, load.faults
