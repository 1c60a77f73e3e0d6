"""The end of an operation: what the program no longer wants is deleted, each record only after everything that depends on it.

Runs only when the whole program succeeded: a failed program has not said what it does not want.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from slipway.engine.deployment.context import Deployment, Place, StepFailedError, TerminatedError, all_dependencies
from slipway.engine.deployment.execution import StepRunner
from slipway.engine.events import Op, Step
from slipway.engine.state.model import ResourceState


def delete_leftovers(deployment: Deployment, runner: StepRunner) -> None:
    """Delete every old record that this run neither took over nor wants, in parallel where nothing forbids it."""
    steps = plan_deletes(deployment)
    if not steps:
        return
    places = list(steps)
    with deployment.lock:
        deployment.condemned.update(place.state.urn for place in places)
    waits_for = _dependents_among(deployment, places)
    _run(deployment, runner, steps, waits_for)


def plan_deletes(deployment: Deployment) -> dict[Place, Step]:
    """The step of every record that is to go, in the state's order."""
    steps: dict[Place, Step] = {}
    chosen = _chosen_by_targets(deployment)
    with deployment.lock:
        places = list(deployment.remaining)
    for place in places:
        state = place.state
        if state.view_of or (chosen is not None and state.urn not in chosen):
            continue
        if state.delete:
            op = Op.DISCARD_REPLACED if state.external else Op.DELETE_REPLACED
            steps[place] = Step(op=op, urn=state.urn, old=state, logical=False)
        elif state.urn in deployment.goals:
            continue
        elif state.pending_replacement:
            steps[place] = Step(op=Op.REMOVE_PENDING_REPLACE, urn=state.urn, old=state)
        else:
            steps[place] = Step(op=Op.DISCARD if state.external else Op.DELETE, urn=state.urn, old=state)
    return steps


def _chosen_by_targets(deployment: Deployment) -> set[str] | None:
    """The URNs that targets allow to be deleted; None: all."""
    if not deployment.options.targets:
        return None
    chosen = {place.state.urn for place in deployment.remaining if deployment.is_named_target(place.state.urn)}
    for place in deployment.remaining:  # in dependency order, so one pass finds dependents of dependents
        state = place.state
        if state.urn in chosen or state.urn in deployment.goals or not chosen.intersection(all_dependencies(state)):
            continue
        if deployment.options.target_dependents:
            chosen.add(state.urn)
        elif chosen.intersection(all_dependencies(state)) - deployment.goals.keys():
            deployment.fail(
                "depends on a target that is deleted, but is no target itself; add it, or target dependents too",
                urn=state.urn,
            )
    return chosen


def _dependents_among(deployment: Deployment, places: Sequence[Place]) -> dict[Place, set[Place]]:
    """For each record, the condemned ones that must be gone before it."""
    order = {place: index for index, place in enumerate(places)}
    by_urn: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_urn[place.state.urn].append(place)
    descendants = _descendants([*places, *deployment.remaining])
    components = {state.urn for state in _all_states(deployment) if not state.custom}
    waits_for: dict[Place, set[Place]] = {place: set() for place in places}
    for place in places:
        state = place.state
        named = set(all_dependencies(state))
        for urn in list(named):
            if urn in components and urn != state.parent:
                named |= descendants.get(urn, set())
        for urn in named:
            for dependency in by_urn.get(urn, ()):
                if order[dependency] < order[place]:
                    waits_for[dependency].add(place)
    return waits_for


def _all_states(deployment: Deployment) -> Iterable[ResourceState]:
    with deployment.lock:
        return [*(place.state for place in deployment.remaining), *deployment.states.values()]


def _descendants(places: Sequence[Place]) -> dict[str, set[str]]:
    """Every descendant's URN by URN: who depends on a component depends on what it is made of."""
    parents = {place.state.urn: place.state.parent for place in places}
    found: dict[str, set[str]] = defaultdict(set)
    for urn in parents:
        ancestor = parents.get(urn, "")
        while ancestor:
            found[ancestor].add(urn)
            ancestor = parents.get(ancestor, "")
    return found


def _run(
    deployment: Deployment, runner: StepRunner, steps: dict[Place, Step], waits_for: dict[Place, set[Place]]
) -> None:
    blocks: dict[Place, list[Place]] = defaultdict(list)
    for place, dependents in waits_for.items():
        for dependent in dependents:
            blocks[dependent].append(place)
    open_count = {place: len(dependents) for place, dependents in waits_for.items()}
    ready = [place for place in reversed(list(steps)) if not open_count[place]]
    running: dict[Future[bool], Place] = {}
    with ThreadPoolExecutor(max_workers=deployment.options.parallel, thread_name_prefix="delete") as pool:
        while ready or running:
            for place in ready:
                running[pool.submit(_delete_one, deployment, runner, steps[place], place)] = place
            ready = list[Place]()
            done = _wait_for_one(deployment, running)
            for future in done:
                place = running.pop(future)
                if not future.result():
                    continue  # what it depends on is never ready: a resource that still exists keeps its dependencies
                for dependency in blocks[place]:
                    open_count[dependency] -= 1
                    if not open_count[dependency]:
                        ready.append(dependency)


def _wait_for_one(deployment: Deployment, running: Iterable[Future[bool]]) -> set[Future[bool]]:
    try:
        return wait(running, return_when=FIRST_COMPLETED).done
    except KeyboardInterrupt:
        deployment.cancel()  # before the pool waits for what runs
        raise


def _delete_one(deployment: Deployment, runner: StepRunner, step: Step, place: Place) -> bool:
    state = place.state
    try:
        deployment.ensure_running()
        if step.op in (Op.DISCARD, Op.DISCARD_REPLACED, Op.REMOVE_PENDING_REPLACE):
            runner.drop(step, place)
            return True
        if state.protect and step.op is Op.DELETE:
            deployment.fail_softly(
                "cannot be deleted: it is protected\n  → take `protect` off it first: set it to False and run `up`",
                urn=state.urn,
            )
            return False
        runner.delete(step, place)
    except (StepFailedError, TerminatedError):
        return False
    return True
