"""`slipway sandbox …`: the cloud on this machine."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from slipway.cli.output import out, print_json, say
from slipway.cli.session import session_of
from slipway.errors import UsageError

app = typer.Typer(
    help="The cloud on this machine: AWS API, Kubernetes, load balancer, registry, PostgreSQL.", no_args_is_help=True
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(context: typer.Context) -> None:
    """Start the sandbox, or the parts of it that do not run. The first time, this installs and builds what it needs."""
    from slipway.sandbox import lifecycle  # noqa: PLC0415

    lifecycle.up(session_of(context).paths, say)


@app.command()
def down(context: typer.Context) -> None:
    """Stop the sandbox and keep everything in it."""
    from slipway.sandbox import lifecycle  # noqa: PLC0415

    lifecycle.down(session_of(context).paths)


@app.command()
def reset(
    context: typer.Context, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Stop the sandbox and remove everything in it. Built programs and base images stay in the cache."""
    from slipway.sandbox import lifecycle  # noqa: PLC0415

    paths = session_of(context).paths
    if not yes and not typer.confirm(f"Remove everything in {paths.sandbox}?", err=True):
        raise UsageError("not removed")
    lifecycle.reset(paths)


@app.command()
def status(context: typer.Context, json: JsonOption = False) -> None:
    """Show what is running, and where."""
    from rich.table import Table  # noqa: PLC0415

    from slipway.sandbox import lifecycle  # noqa: PLC0415

    session = session_of(context)
    found = lifecycle.status(session.paths)
    if json:
        print_json([vars(row) if hasattr(row, "__dict__") else row for row in found.rows])
        return
    table = Table("what", "kind", "address", "state", "detail", box=None)
    faults = [row for row in found.rows if row.kind == "fault"]
    quiet = [row for row in found.rows if row.kind == "process" and row.state == "running" and not session.verbose]
    for row in found.rows:
        if row not in faults and row not in quiet:
            table.add_row(row.name, row.kind, row.address, row.state, row.detail)
    out().print(table)
    if quiet:
        out().print(f"{len(quiet)} processes run; `slipway --verbose sandbox status` lists them", markup=False)
    for row in faults:
        out().print(f"{row.name} {row.state}: {row.detail}", markup=False)


@app.command()
def faults(
    context: typer.Context,
    plan: Annotated[
        str | None,
        typer.Argument(help="A plan's name or file, or `off`. Without it: show what is on, and the names there are."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Have calls of the sandbox's AWS API fail as they do on AWS, by a fault plan that ends by itself."""
    from slipway.sandbox import lifecycle  # noqa: PLC0415

    report = lifecycle.faults(session_of(context).paths, plan)
    if json:
        print_json(report)
        return
    if not report:
        from slipway.sandbox.aws.fault_plan.plan import plan_names  # noqa: PLC0415

        out().print(f"no fault plan is on; there are: {', '.join(plan_names())}", markup=False)
        return
    out().print(f"{report['name']}, for {report['secondsLeft']:.0f} s more:", markup=False)
    for fault, calls in zip(report["plan"]["faults"], report["calls"], strict=True):
        settings = ", ".join(f"{key} {value}" for key, value in fault.items() if key != "kind")
        out().print(f"  {fault['kind']} ({settings}): met {calls['met']} of {calls['fitting']} calls", markup=False)


@app.command()
def metrics(
    context: typer.Context,
    pace: Annotated[
        str | None,
        typer.Argument(
            help="`aws`: load balancers' metrics come as an ALB's, by the minute and two minutes late. `live`: by the second, at once."
        ),
    ] = None,
) -> None:
    """Show or set the pace at which CloudWatch has the load balancers' metrics."""
    from slipway.sandbox import lifecycle  # noqa: PLC0415

    out().print(lifecycle.metrics_pace(session_of(context).paths, pace), markup=False)


@app.command()
def env(
    context: typer.Context,
    account: Annotated[
        str, typer.Option(metavar="ID", help="Credentials of another AWS account of the sandbox, for an hour.")
    ] = "",
) -> None:
    """Print the sandbox's addresses and credentials for a shell: eval "$(slipway sandbox env)"."""
    from slipway.sandbox.environment import sandbox_environment  # noqa: PLC0415

    paths = session_of(context).paths
    variables = sandbox_environment(paths)
    if account:
        from slipway.sandbox.aws_accounts import account_credentials  # noqa: PLC0415

        variables |= account_credentials(paths, account)
    for name, value in variables.items():
        out().print(f"export {name}={shlex.quote(value)}", markup=False)


@app.command()
def pulumi(context: typer.Context) -> None:
    """Print the path of a Pulumi CLI: the one on PATH, or one built once from its source (about 3 minutes)."""
    from slipway.sandbox.pulumi.cli import have_cli  # noqa: PLC0415

    out().print(str(have_cli(session_of(context).paths, say)), markup=False)


@app.command()
def kubeconfig(
    context: typer.Context,
    cluster: Annotated[str, typer.Argument(help="The cluster, or the environment it belongs to.")],
) -> None:
    """Print the path of a kubeconfig: kubectl --kubeconfig $(slipway sandbox kubeconfig dev) get pods -A."""
    from slipway.sandbox import lifecycle  # noqa: PLC0415

    out().print(str(lifecycle.kubeconfig(session_of(context).paths, cluster)), markup=False)
