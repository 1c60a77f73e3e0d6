"""Runs an unmodified Pulumi Python program inside this process, against a monitor that is a plain Python object.

As the language host does it: working directory, `sys.argv`, `sys.path`, configuration, a fresh event loop in a fresh context. The
modules of the program are forgotten after the run, so that the next one loads them anew. Only one program runs at a time in a process,
because the working directory, `sys.argv` and `sys.modules` belong to the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import importlib
import logging
import os
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import pulumi
from pulumi.runtime import rpc, set_all_config
from pulumi.runtime.settings import ROOT, Settings, configure
from pulumi.runtime.stack import run_in_stack

from slipway import collector
from slipway.engine.fresh_imports import fresh_imports
from slipway.engine.output_capture import capture_output
from slipway.engine.sdk_imports import lean_sdk_imports

EXECUTOR_THREADS = 256
"""Each registration in flight occupies one thread until it is answered; threads are only made when needed."""
LIBRARY_FRAMES = 2
"""Shown of a failure that has no frame of the user's own."""
_ORGANIZATION = "organization"
"""The file backend's one organization is called just that."""


_one_program = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class ProgramRun:
    """How a program is run."""

    project: str
    stack: str
    root: Path
    working_directory: Path
    entry: Path | Callable[[], Any]
    """The file or folder of `main`, or an inline program."""
    preview: bool
    parallel: int
    config: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secret_keys: Iterable[str] = ()
    on_interrupt: Callable[[], None] = lambda: None
    """Called at once on Ctrl-C, so that what runs can be ended before it is waited for."""


class ProgramFailedError(Exception):
    """The program raised; the message is for its author: what, and where in their own code."""


def run_program(run: ProgramRun, *, monitor: Any, engine: Any, on_output: Callable[[str], None]) -> None:
    """Run the program to its end; raises ProgramFailedError with the user's own frames when it raises.

    Returns when everything the program has asked of the monitor is answered, also after a failure.
    """
    logging.getLogger("asyncio").addFilter(_unretrieved_filter)
    with (
        _one_program,
        _as_its_process(run),
        fresh_imports(run.root),
        lean_sdk_imports(),
        _patient_collector(),
        capture_output(on_output) as mark_as_program,
    ):
        context = contextvars.copy_context()
        context.run(mark_as_program)
        context.run(_run_in_context, run, monitor, engine)


def _run_in_context(run: ProgramRun, monitor: Any, engine: Any) -> None:
    ROOT.set(None)
    configure(
        Settings(
            project=run.project,
            stack=run.stack,
            monitor=monitor,
            engine=engine,
            parallel=run.parallel,
            dry_run=run.preview,
            organization=_ORGANIZATION,
            root_directory=str(run.root),
        )
    )
    set_all_config(dict(run.config), list(run.secret_keys))
    loop = asyncio.new_event_loop()
    origins = _Origins()
    loop.set_task_factory(origins.make_task)
    executor = ThreadPoolExecutor(max_workers=EXECUTOR_THREADS, thread_name_prefix="program")
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(run_in_stack(_entry_point(run.entry)))
    except pulumi.RunError as error:
        raise ProgramFailedError(str(error)) from error
    except SystemExit as error:
        if error.code not in (None, 0):
            raise ProgramFailedError(f"the program exited with code {error.code}") from error
        raise ProgramFailedError(
            "the program called exit() before it ended; a Pulumi program ends by itself"
        ) from error
    except KeyboardInterrupt:
        run.on_interrupt()
        raise
    except Exception as error:
        raise ProgramFailedError(describe_failure(error, run, origins)) from error
    finally:
        _settle_tasks(loop)
        executor.shutdown(wait=True)
        loop.close()


class _Origins:
    """Remembers where exceptions were first raised: one that several tasks await loses its traceback at the second."""

    def __init__(self) -> None:
        self._traces: dict[int, tuple[BaseException, TracebackType | None]] = {}

    def make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        """An asyncio task factory."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        task.add_done_callback(self._note)
        return task

    def _note(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._traces.setdefault(id(error), (error, error.__traceback__))

    def trace_of(self, error: BaseException) -> TracebackType | None:
        """The traceback that leads to where the exception was raised."""
        return self._traces.get(id(error), (error, error.__traceback__))[1]


def _settle_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _entry_point(entry: Path | Callable[[], Any]) -> Callable[[], Any]:
    if not isinstance(entry, Path):
        return entry

    def run() -> None:
        if not entry.exists() or (entry.is_dir() and not (entry / "__main__.py").exists()):
            raise FileNotFoundError(f"no Python program at {entry}: want a file, or a folder with __main__.py")
        runpy.run_path(str(entry), run_name="__main__")

    return run


@contextlib.contextmanager
def _as_its_process(run: ProgramRun) -> Generator[None]:
    """Give the program the working directory, arguments and import path it would have as a process of its own."""
    directory, arguments, search_path = Path.cwd(), sys.argv, list(sys.path)
    loaded = set(sys.modules)
    if isinstance(run.entry, Path):
        os.chdir(run.working_directory)
        sys.argv = [str(run.entry)]
        sys.path.insert(0, str(run.working_directory))
        importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = search_path
        sys.argv = arguments
        os.chdir(directory)
        if isinstance(run.entry, Path):
            _forget_modules(loaded, run.root)


class _UnretrievedFilter(logging.Filter):
    """Drops asyncio's complaints about futures nobody awaited: after a failed program they are the rule.

    They come when the futures are collected, long after the run, so the filter stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = str(record.msg)
        return not ("exception was never retrieved" in message or "was destroyed but it is pending" in message)


_unretrieved_filter = _UnretrievedFilter()


@contextlib.contextmanager
def _patient_collector() -> Generator[None]:
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*collector.THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _forget_modules(loaded: set[str], root: Path) -> None:
    """Forget what the program imported from its own project, but nothing of an environment inside it, nor of this package."""
    own_package = __name__.partition(".")[0]
    gone: set[str] = set()
    for name in set(sys.modules) - loaded:
        source = getattr(sys.modules.get(name), "__file__", None)
        if not source or name.partition(".")[0] == own_package:
            continue
        path = Path(source)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            del sys.modules[name]
            gone.add(name)
    # An SDK inside the project registers its resources when it is imported, which the runtime allows only once.
    for registry in (rpc._RESOURCE_MODULES, rpc._RESOURCE_PACKAGES):  # pyright: ignore[reportPrivateUsage]
        for entries in cast("list[list[Any]]", list(registry.values())):
            entries[:] = [entry for entry in entries if type(entry).__module__ not in gone]


def describe_failure(error: BaseException, run: ProgramRun, origins: _Origins) -> str:
    """The exception with the frames of the user's own code: `infra/__main__.py:12 in <module>: bucket = ...`."""
    cause = _deepest_cause(error)
    what = cause.msg if isinstance(cause, SyntaxError) else cause
    lines = [f"the program failed: {type(cause).__name__}: {what}"]
    lines += [
        f"  {_shown(frame.filename, run)}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip()
        for frame in _own_frames(origins.trace_of(cause), run)
    ]
    if isinstance(cause, SyntaxError):
        lines.append(f"  {_shown(cause.filename or '?', run)}:{cause.lineno}: {(cause.text or '').strip()}".rstrip())
    return "\n".join(lines)


def _shown(filename: str, run: ProgramRun) -> Path:
    path = Path(filename)
    return path.relative_to(run.root) if path.is_relative_to(run.root) else path


def _deepest_cause(error: BaseException) -> BaseException:
    # The SDK re-raises failures of registrations from the exception that has the user's frames.
    seen = {id(error)}  # it also raises an exception from itself
    while (cause := error.__cause__) is not None and type(cause) is type(error) and id(cause) not in seen:
        seen.add(id(cause))
        error = cause
    return error


def _own_frames(trace: TracebackType | None, run: ProgramRun) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(trace)
    engine_folder = Path(__file__).parent
    own = [
        frame
        for frame in frames
        if "site-packages" not in frame.filename
        and not frame.filename.startswith("<frozen")
        and not Path(frame.filename).is_relative_to(engine_folder)
        and not Path(frame.filename).is_relative_to(Path(os.__file__).parent)
    ]
    inside = [frame for frame in own if Path(frame.filename).is_relative_to(run.root)]
    # An output that is transformed by a library alone has no frame of the user's: where it broke is better than nothing.
    return (inside if isinstance(run.entry, Path) else own) or own or list(frames)[-LIBRARY_FRAMES:]
