"""A stack on the real CLI: up, preview, change, outputs, refresh, destroy, and what fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from project_kit import Project

from slipway.errors import LockedError, NotFoundError, OperationError, PolicyError, UsageError
from slipway.stack.report import preview_markdown

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def small(args, report):
    if args.resource_type == "shop:index:Thing" and args.props["size"] > 5:
        report("a Thing of at most 5, please")

def noted(args, report):
    if args.resource_type == "shop:index:Thing":
        report("a Thing, by the way")

PolicyPack("shop-rules", policies=[
    ResourceValidationPolicy("small", "Things are small.", small, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("noted", "Things are noted.", noted, EnforcementLevel.ADVISORY),
])
"""


def add_policies(project: Project) -> None:
    folder = project.folder / "policies"
    folder.mkdir()
    runtime = (project.folder / "Pulumi.yaml").read_text().splitlines()[1]
    (folder / "PulumiPolicy.yaml").write_text(f"{runtime}\ndescription: rules\n")
    (folder / "__main__.py").write_text(PACK)


def test_stack_leads_a_whole_life(project: Project) -> None:
    stack = project.stack()
    assert (stack.outputs(), stack.resources()) == ({}, 0)
    with pytest.raises(NotFoundError):
        stack.export()

    assert stack.up().changes == {"create": 4}
    assert project.made() == ["thing-0", "thing-1", "thing-2"]
    assert stack.resources() == 4  # the Things and their provider
    assert stack.outputs()["password"] == "hunter2"
    assert stack.outputs(show_secrets=False)["password"] == "[secret]"
    assert stack.up().changes == {"same": 4}

    project.write(things=2, size=7)
    preview = stack.preview().preview
    assert preview
    steps = {step.name: step for step in preview.steps}
    assert (steps["thing-0"].op, steps["thing-0"].replaces_because) == ("replace", ("size",))
    assert steps["thing-2"].op == "delete"
    assert "hunter2" not in repr(preview)
    stack.up()
    assert project.made() == ["thing-0", "thing-1"]

    next(project.things.glob("*.thing")).unlink()
    assert stack.refresh().changes["delete"] == 1
    stack.destroy()
    assert project.made() == []
    assert stack.resources() == 0


def test_failure_tells_the_providers_words_and_keeps_what_was_made(project: Project) -> None:
    project.write(PROGRAM_THAT_FAILS)
    with pytest.raises(OperationError, match="no more things"):
        project.stack().up()
    assert project.made() == ["good"]
    assert project.stack().resources() == 2


PROGRAM_THAT_FAILS = """
import pulumi
good = pulumi.CustomResource("shop:index:Thing", "good", {"size": 1})
pulumi.CustomResource("shop:index:Thing", "bad", {"size": 1, "fails": True}, pulumi.ResourceOptions(depends_on=[good]))
"""


def test_program_that_a_failure_ends_tells_no_error_of_its_own(project: Project) -> None:
    project.write(
        PROGRAM_THAT_FAILS + "import asyncio\npulumi.export('late', pulumi.Output.from_input(asyncio.sleep(60)))\n"
    )
    argv = ["pulumi", "--cwd", str(project.folder), "up", "--stack", "dev", "--yes", "--skip-preview"]
    subprocess.run(["pulumi", "--cwd", str(project.folder), "stack", "init", "dev"], check=True, capture_output=True)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert "no more things" in done.stdout
    assert "Traceback" not in done.stdout


def test_programs_own_error_is_told(project: Project) -> None:
    project.write("raise ValueError('the shop is closed')")
    with pytest.raises(OperationError, match="the shop is closed"):
        project.stack().preview()


def test_program_finds_what_it_finds_when_python_is_started_for_it(project: Project) -> None:
    """Its Python has waited in the project's folder, where a module may have the name of one that the SDK needs."""
    (project.folder / "yaml.py").write_text("raise SystemExit('not the library')\n")
    project.write(
        """
import os, signal, sys
import pulumi
pulumi.export("seen", {
    "arguments": sys.argv == [os.getcwd()],
    "input": sys.stdin.read(),
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "setting": pulumi.Config("shop").require_int("size"),
})
""",
        size=3,
    )

    project.stack().up()

    assert project.stack().outputs()["seen"] == {"arguments": True, "input": "", "interrupt": True, "setting": 3}


def test_mandatory_policy_refuses_and_advice_is_reported(project: Project) -> None:
    add_policies(project)
    result = project.stack().preview()
    assert result.preview
    assert result.preview.policy == ("advisory: noted: a Thing, by the way",) * 3
    project.write(size=6)
    with pytest.raises(PolicyError, match="small: a Thing of at most 5, please"):
        project.stack().up()
    assert project.made() == []
    report = preview_markdown(project.stack())
    assert "### Preview of `dev`: refused" in report.markdown
    assert isinstance(report.failure, PolicyError)


def test_wrong_passphrase_is_told_with_the_way_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.stack().up()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(UsageError, match="secrets cannot be read") as failure:
        project.stack().up()
    assert failure.value.where == "Pulumi.dev.yaml"
    assert "PULUMI_CONFIG_PASSPHRASE" in failure.value.remedy


def test_stack_that_somebody_works_on_is_locked(project: Project) -> None:
    (project.things / "slow").touch()
    project.write(things=60, chain=True)  # longer than any machine needs to come to the lock
    argv = ["pulumi", "--cwd", str(project.folder), "up", "--stack", "dev", "--yes", "--skip-preview"]
    subprocess.run(["pulumi", "--cwd", str(project.folder), "stack", "init", "dev"], check=True, capture_output=True)
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        while not project.made():
            assert other.poll() is None
        with pytest.raises(LockedError, match="currently locked"):
            project.stack().up()
        (project.things / "slow").unlink()
        assert other.wait(60) == 0
    project.stack().up()


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ("{typechecker: mypy}", "runtime.options.typechecker: mypy"),
        ("{toolchain: conda}", "runtime.options.toolchain: conda"),
    ],
)
def test_host_refuses_by_name_what_it_lacks(project: Project, options: str, refused: str) -> None:
    (project.folder / "Pulumi.yaml").write_text(f"name: shop\nruntime: {{name: python, options: {options}}}\n")
    with pytest.raises(OperationError, match=refused):
        project.stack().preview()


def test_missing_virtualenv_is_told(project: Project) -> None:
    (project.folder / "Pulumi.yaml").write_text(
        "name: shop\nruntime: {name: python, options: {toolchain: pip, virtualenv: gone}}\n"
    )
    with pytest.raises(OperationError, match="gone"):
        project.stack().preview()


def test_component_package_of_this_repository_is_served(cli_folder: Path, project: Project) -> None:
    components = Path(__file__).parents[3] / "components"
    argv = ["pulumi", "package", "get-schema", str(components)]
    environ = {**os.environ, "PATH": f"{Path(os.sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=300, check=False, env=environ, cwd=project.folder
    )
    assert done.returncode == 0, done.stderr
    assert '"slipway:index:BlueGreenService"' in done.stdout
