"""moto's state on disk: one pickle per service, account and region, written before the answer of the change goes out.

A pickle holds the attributes of one moto backend. References to other backends are kept by name, so that a load balancer does not
drag the whole of EC2 along; the catalogues that moto ships (machine images, managed policies) are kept by position.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import hashlib
import io
import pickle
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto import __version__ as moto_version
from moto.core.base_backend import BackendDict, BaseBackend

from slipway.errors import MachineError
from slipway.log import get_logger
from slipway.sandbox.aws.fault_plan.earlier_states import Copies
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.pickling import BackendPickler, BackendUnpickler, Catalogues, backend_of
from slipway.sandbox.paths import private_folder

SAVE_SOON_SECONDS = 0.4
UNSAVED_ATTRIBUTES = {"cloudwatch": ("metric_data", "paged_metric_data")}
"""Metrics are not kept over a restart: thousands a minute, and worthless after it."""
COMPANIONS = {"rds": ("secretsmanager", "kms"), "eks": ("ec2",), "elbv2": ("ec2",), "autoscaling": ("ec2",)}
"""Services whose state an operation of the first changes as well: a managed secret must not be lost while its database is kept."""
UNSAVED_SERVICES = frozenset({"moto_api", "instance_metadata", "lambda"})
"""moto's own, and Lambda: SQS asks it for what listens to a queue, the sandbox runs no function, and its layers are in no file's form."""

log = get_logger(__name__)


class MotoState:
    """Saves and restores all of moto's backends in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)  # the pickles hold passwords
        self._digests: dict[Path, bytes] = {}
        self._catalogues = Catalogues()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.faults: dict[str, str] = {}
        """Services whose state could not be saved, and why; shown by `slipway sandbox status`."""

    def start(self) -> None:
        """Write changes that nobody waits for in the background."""
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write everything that changed, and end."""
        self._stopped.set()
        self._wanted.set()
        if self._thread:
            self._thread.join()
        self.save_all()

    def save(self, service: str) -> None:
        """Write the state of one service and its companions now, where it changed."""
        for backend_dict in _in_use():
            if backend_dict.service_name == service or backend_dict.service_name in COMPANIONS.get(service, ()):
                self._save_backends(backend_dict)

    def save_soon(self) -> None:
        """Write whatever changed in any service within half a second (an operation may change another service's state)."""
        self._wanted.set()

    def save_all(self) -> None:
        """Write whatever changed in any service now."""
        for backend_dict in _in_use():
            self._save_backends(backend_dict)

    def copy(self, service: str) -> Copies:
        """The state of every backend of a service, for `as_of`. The caller holds the API's lock."""
        return {
            (account, region): self._dump(service, backend)
            for backend_dict in _in_use()
            if backend_dict.service_name == service
            for account, region, backend in list(backend_dict.iter_backends())
        }

    @contextmanager
    def as_of(self, service: str, copies: Copies) -> Generator[None]:
        """The service's backends are as they were when they were copied, while this is open. The caller holds the API's lock."""
        current: list[tuple[BaseBackend, dict[str, Any]]] = []
        try:
            for (account, region), content in copies.items():
                backend = backend_of(service, account, region)
                _, attributes = BackendUnpickler(io.BytesIO(content), self._catalogues).load()
                current.append((backend, dict(backend.__dict__)))
                self._catalogues.complete(service, backend, attributes)
            yield
        finally:
            for backend, attributes in current:
                backend.__dict__.clear()
                backend.__dict__.update(attributes)

    def restore(self) -> list[str]:
        """Load what was saved, before anything uses moto; the names of the services. Raises MachineError when a file cannot be read."""
        loaded: list[str] = []
        for path in sorted(self._folder.glob("*/*.pickle")):
            account, _, region = path.stem.partition("_")
            backend = backend_of(path.parent.name, account, region)
            try:
                self._catalogues.complete(path.parent.name, backend, self._load(path))
            except Exception as error:
                raise MachineError(
                    f"the saved state of {path.parent.name} cannot be read: {error}",
                    where=str(path),
                    remedy="start anew with `slipway sandbox reset`, or remove this one file to lose only that service's state",
                ) from error
            loaded.append(path.parent.name)
        return loaded

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._stopped.wait(SAVE_SOON_SECONDS)
            self._wanted.clear()
            for backend_dict in _in_use():
                with API_LOCK:
                    self._save_backends(backend_dict)

    def _save_backends(self, backend_dict: BackendDict[Any]) -> None:
        service = backend_dict.service_name
        if service in UNSAVED_SERVICES:
            return
        with API_LOCK:
            for account, region, backend in list(backend_dict.iter_backends()):
                try:
                    self._write(self._folder / service / f"{account}_{region}.pickle", self._dump(service, backend))
                    self.faults.pop(service, None)
                except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
                    if service not in self.faults:
                        log.exception("state cannot be saved", service=service)
                    self.faults[service] = f"{type(error).__name__}: {error}"

    def _dump(self, service: str, backend: BaseBackend) -> bytes:
        skipped = UNSAVED_ATTRIBUTES.get(service, ())
        attributes = {
            name: value for name, value in self._catalogues.without(service, backend).items() if name not in skipped
        }
        stream = io.BytesIO()
        BackendPickler(stream, self._catalogues).dump((moto_version, attributes))
        return stream.getvalue()

    def _load(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as stream:
            _, attributes = BackendUnpickler(stream, self._catalogues).load()
        return attributes

    def _write(self, path: Path, content: bytes) -> None:
        digest = hashlib.blake2b(content).digest()
        if self._digests.get(path) == digest:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(content)
        temporary.replace(path)
        self._digests[path] = digest


def _in_use() -> list[BackendDict[Any]]:
    """moto's services that have any state; it offers no other way to ask."""
    instances: list[BackendDict[Any]] = BackendDict._instances
    return list(instances)
