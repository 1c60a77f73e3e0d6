"""What the workflows must keep to, beyond what zizmor and actionlint know of them."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.sandbox.go_programs import PULUMI_VERSION

ROOT = Path(__file__).parents[3]
SETUP = ROOT / ".github/actions/setup/action.yml"
CREDENTIALS = "aws-actions/configure-aws-credentials@"
OURS = re.compile(r"\./|\b(?:make|slipway|python3?|pulumi) |\.ci/")
"""Steps that run code of the checkout."""
DEFAULT_ROLE_SECONDS = 3600

Job = dict[str, Any]
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
}
JOBS = {f"{name}/{job_name}": job for name, flow in WORKFLOWS.items() for job_name, job in flow["jobs"].items()}


def triggers(name: str) -> set[str]:
    return set(WORKFLOWS[name][True])  # YAML 1.1 reads the key `on` as true


def takes_role(step: Job) -> bool:
    return step.get("uses", "").startswith(CREDENTIALS)


def rights_are_the_jobs_own(name: str, job: Job) -> Iterator[str]:
    if WORKFLOWS[name].get("permissions") != {}:
        yield "the workflow itself has rights"
    rights = job.get("permissions", {})
    if ("id-token" in rights) != any(takes_role(step) for step in job["steps"]):
        yield "id-token goes with taking on a role, and with nothing else"
    if rights.get("contents", "read") != "read":
        yield "no job writes to the repository"


def writer_runs_no_code_of_the_checkout(name: str, job: Job) -> Iterator[str]:
    rights = job.get("permissions", WORKFLOWS[name].get("permissions", {}))
    if "write" in {right for kind, right in rights.items() if kind != "id-token"}:
        for step in job["steps"]:
            if "actions/checkout@" in step.get("uses", "") or OURS.search(step.get("uses", "") + step.get("run", "")):
                yield f"it may write, and runs code of the branch: {step}"


def branch_sees_no_secret_and_nothing_of_production(name: str, job: Job) -> Iterator[str]:
    condition = job.get("if", "")
    if "pull_request" not in triggers(name) or condition == "github.event_name == 'push'":
        return
    if "secrets." in str(job):
        yield "the branch's code could read a secret"
    if "prod" in str(job):
        yield "the branch's code could read production"
    if any(takes_role(step) for step in job["steps"]):
        if "github.event.pull_request.head.repo.full_name == github.repository" not in condition:
            yield "a fork could take on the role"
        if not str(job.get("environment", {})).startswith("{'name': 'preview-"):
            yield "its role must be one that only previews get"


def environment_is_changed_from_main_only(name: str, job: Job) -> Iterator[str]:
    if "workflow_dispatch" in triggers(name) and job.get("if") != "github.ref == 'refs/heads/main'":
        yield "it could be started from any branch"
    if any("ref" in step.get("with", {}) for step in job["steps"]):
        yield "it could check out another commit"
    if (WORKFLOWS[name][True].get("push") or {}).get("branches", ["main"]) != ["main"]:
        yield "it could be started by a push to any branch"
    if "secrets." in str(job) and not isinstance(job.get("environment"), str):
        yield "a secret belongs to one environment"
    if "secrets." in str({**job, "steps": [step for step in job["steps"] if "slipway" not in step.get("run", "")]}):
        yield "only the step that deploys needs the secret"


def credentials_are_fresh_and_outlast_the_job(_name: str, job: Job) -> Iterator[str]:
    steps = job["steps"]
    for before, step in itertools.pairwise(steps):
        if re.match(r"\S*slipway ", step.get("run", "")) and not takes_role(before):
            yield f"each command gets credentials of its own: {step['run']}"
        seconds = before.get("with", {}).get("role-duration-seconds", DEFAULT_ROLE_SECONDS)
        told = f"AWS_CREDENTIAL_EXPIRATION=$(date --utc --date '+{seconds} seconds' +%FT%TZ)"
        goes_forward = re.match(r"slipway (release|promote) ", step.get("run", ""))
        if goes_forward and not any(told in each.get("run", "") for each in steps[: steps.index(before)]):
            yield f"the gate is not told when the credentials end, before they are taken: {step['run']}"
        if takes_role(before) and seconds < job["timeout-minutes"] * 60:
            yield f"the credentials end after {seconds} s, the job later"


def everything_is_bounded(name: str, job: Job) -> Iterator[str]:
    if job.get("timeout-minutes", 361) > 120:
        yield "no job runs longer than two hours"
    if not WORKFLOWS[name].get("concurrency", {}).get("group"):
        yield "no concurrency group"


RULES: list[Callable[[str, Job], Iterator[str]]] = [
    rights_are_the_jobs_own,
    writer_runs_no_code_of_the_checkout,
    branch_sees_no_secret_and_nothing_of_production,
    environment_is_changed_from_main_only,
    credentials_are_fresh_and_outlast_the_job,
    everything_is_bounded,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_jobs_keep_to(rule: Callable[[str, Job], Iterator[str]]) -> None:
    faults = {where: list(rule(where.split("/")[0], job)) for where, job in JOBS.items()}
    assert {where: found for where, found in faults.items() if found} == {}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("deploy-dev", "environment-dev"),
        ("promote", "environment-${{ inputs.to }}"),
        # Of each run alone: it waits for no promotion, and a newer run does not take its place.
        ("rollback", "rollback-${{ inputs.environment }}-${{ github.run_id }}"),
    ],
)
def test_workflow_that_changes_an_environment_is_in_its_group_and_never_cut_off(name: str, group: str) -> None:
    assert WORKFLOWS[name]["concurrency"] == {"group": group, "cancel-in-progress": False}
    assert all("environment" in job for job in WORKFLOWS[name]["jobs"].values())


@pytest.mark.parametrize(
    ("name", "verbs"), [("deploy-dev", ["release"]), ("promote", ["promote"]), ("rollback", ["rollback"])]
)
def test_workflow_runs_the_one_verb_that_passes_the_gates_first(name: str, verbs: list[str]) -> None:
    (job,) = WORKFLOWS[name]["jobs"].values()
    assert re.findall(r"slipway ([a-z]+)", "\n".join(step.get("run", "") for step in job["steps"])) == verbs


def test_set_up_takes_no_role_and_its_tools_have_fixed_versions() -> None:
    steps = yaml.safe_load(SETUP.read_text())["runs"]["steps"]
    assert not any(takes_role(step) for step in steps)
    assert '.venv/bin" >> "$GITHUB_PATH"' in str(steps)
    (cli,) = [step for step in steps if step.get("uses", "").startswith("pulumi/actions@")]
    assert cli["with"]["pulumi-version"] == PULUMI_VERSION


def test_policies_run_with_the_programs_packages() -> None:
    pack, project = (
        yaml.safe_load((ROOT / name).read_text()) for name in ("policies/PulumiPolicy.yaml", "Pulumi.yaml")
    )
    found = (ROOT / "policies" / pack["runtime"]["options"]["virtualenv"]).resolve()
    assert found == (ROOT / project["runtime"]["options"]["virtualenv"]).resolve()


@pytest.mark.parametrize("name", ["Makefile", "app/Dockerfile"])
def test_packages_are_installed_by_hash(name: str) -> None:
    installs = re.findall(r"^.*pip (?:install|sync) .*$", (ROOT / name).read_text(), re.MULTILINE)
    assert installs
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []
