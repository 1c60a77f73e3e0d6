"""The program's side of an operation: the monitor it talks to, and what its end means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.engine.callbacks import Callbacks
from slipway.engine.deployment.context import Deployment
from slipway.engine.deployment.execution import StepRunner
from slipway.engine.deployment.functions import Functions
from slipway.engine.deployment.outputs import ComponentOutputs
from slipway.engine.deployment.reading import Reader
from slipway.engine.deployment.registration import Policies, Registrar
from slipway.engine.host import ProgramFailedError, ProgramRun, run_program
from slipway.engine.monitor import EngineLog, Monitor
from slipway.engine.project import Project
from slipway.engine.values import PropertyMap


class ProgramSession:
    """One run of the program against one deployment."""

    def __init__(self, deployment: Deployment, policies: Policies, *, on_end: Callable[[StepRunner], None]) -> None:
        self._deployment = deployment
        self._callbacks = Callbacks(deployment)
        self._runner = StepRunner(deployment, self._callbacks)
        self._outputs = ComponentOutputs(deployment)
        registrar = Registrar(deployment, self._runner, policies)
        self._monitor = Monitor(
            deployment,
            registrar=registrar,
            reader=Reader(deployment, registrar),
            functions=Functions(deployment, registrar.resolution),
            callbacks=self._callbacks,
            outputs=self._outputs,
            on_program_end=lambda: on_end(self._runner),
        )

    def run(self, project: Project, program: Callable[[], Any] | None, *, on_output: Callable[[str], None]) -> None:
        """Run the program; a failure of its own becomes one error of the deployment."""
        deployment = self._deployment
        run = ProgramRun(
            project=deployment.identity.project,
            stack=deployment.identity.stack,
            root=deployment.identity.root,
            working_directory=deployment.identity.program_directory,
            entry=program if program is not None else project.entry_point,
            preview=deployment.preview,
            parallel=deployment.options.parallel,
            config=deployment.config.values,
            secret_keys=deployment.config.secret_keys,
            on_interrupt=deployment.cancel,
        )
        try:
            run_program(run, monitor=self._monitor, engine=EngineLog(deployment), on_output=on_output)
        except ProgramFailedError as error:
            # After a failed step the SDK ends the program with an error of its own, which tells nothing new.
            if deployment.ok:
                deployment.fail(str(error))

    def finish(self) -> PropertyMap:
        """Apply the stack's outputs and let go of the program; returns the outputs."""
        try:
            return self._outputs.finish()
        finally:
            self._callbacks.close()
