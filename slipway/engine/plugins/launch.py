"""Finding, starting and reaching plugins: processes that print the port they listen on and serve gRPC until they are killed."""

# grpc ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import grpc

from slipway.engine.plugins.messages import CHANNEL_OPTIONS
from slipway.engine.yaml_text import load_yaml_mapping
from slipway.errors import MachineError, UsageError

START_TIMEOUT_SECONDS = 60.0
"""A provider of 700 MB takes some seconds to load on a cold disk."""

STOP_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class PluginCommand:
    """What to start."""

    arguments: Sequence[str]
    directory: Path


class PluginProcess:
    """A plugin that was started and has told its port."""

    def __init__(
        self,
        command: PluginCommand,
        *,
        name: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        on_output: Callable[[str, str], None],
        timeout_seconds: float = START_TIMEOUT_SECONDS,
    ) -> None:
        """Start it and wait for the port. `on_output` takes (severity, line), from other threads.

        Raises MachineError with what it printed when it ends, or says nothing, before its port.
        """
        self._name = name
        self._on_output = on_output
        self._errors: list[str] = []
        try:
            self._process = subprocess.Popen(
                [*command.arguments, *arguments],
                cwd=command.directory,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise MachineError(
                f"the plugin {name} cannot be started: {error.strerror}",
                where=command.arguments[0],
                remedy="install it again, or make it executable",
            ) from error
        assert self._process.stdout is not None  # noqa: S101 - both are pipes
        assert self._process.stderr is not None  # noqa: S101
        self._told = threading.Event()
        self._port = 0
        self._readers = [
            threading.Thread(target=self._read_stdout, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_stderr, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.port = self._wait_for_port(timeout_seconds)

    def stop(self) -> None:
        """End the process: terminated, and killed if it does not listen."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_TIMEOUT_SECONDS)
        for reader in self._readers:
            reader.join(STOP_TIMEOUT_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _wait_for_port(self, timeout_seconds: float) -> int:
        told = self._told.wait(timeout_seconds)
        if told and self._port:
            return self._port
        if told:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_SECONDS)  # its output ends a moment before it does
        ended = self._process.poll()
        self.stop()
        reason = (
            f"did not tell its port within {timeout_seconds:.0f} s" if ended is None else f"ended with code {ended}"
        )
        printed = "".join(f"\n  {line}" for line in self._errors[-20:])
        raise MachineError(f"the plugin {self._name} {reason}{printed}", remedy="run it by hand to see why")

    def _read_stdout(self, stream: IO[str]) -> None:
        first = stream.readline().strip()
        if first.isascii() and first.isdigit():
            self._port = int(first)
        elif first:
            self._errors.append(first)
        self._told.set()
        for line in stream:
            self._on_output("info", line.rstrip())

    def _read_stderr(self, stream: IO[str]) -> None:
        for line in stream:
            if not self._told.is_set():
                self._errors.append(line.rstrip())
            self._on_output("debug", line.rstrip())


def connect(package: str, port: int, *, attached: bool) -> grpc.Channel:
    """A connection of one's own to a plugin on this machine. Raises MachineError when it does not answer."""
    # Without a pool of its own, two providers of one plugin would share a connection, and the plugin could not tell
    # which configuration a call belongs to.
    options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
    try:
        grpc.channel_ready_future(channel).result(timeout=CONNECT_TIMEOUT_SECONDS)
    except grpc.FutureTimeoutError:
        channel.close()
        raise MachineError(
            f"the plugin of package '{package}' does not answer on port {port}",
            where="PULUMI_DEBUG_PROVIDERS" if attached else "",
            remedy="start it, and give its present port",
        ) from None
    return channel


def debug_port(package: str, environ: Mapping[str, str]) -> int | None:
    """The port of a provider that runs already, by PULUMI_DEBUG_PROVIDERS (`aws:4001,kubernetes:4002`)."""
    for entry in filter(None, environ.get("PULUMI_DEBUG_PROVIDERS", "").split(",")):
        name, _, port = entry.strip().partition(":")
        if name == package:
            if not port.isdigit():
                raise UsageError(
                    f"{entry!r} names no port", where="PULUMI_DEBUG_PROVIDERS", remedy="write <package>:<port>"
                )
            return int(port)
    return None


def find_provider(
    package: str, version: str, environ: Mapping[str, str], local_paths: Mapping[str, Path]
) -> PluginCommand:
    """The plugin of a package: the project's own, on PATH, or installed. Raises UsageError that tells all ways to get one.

    `local_paths`: the project's `plugins.providers`. `version` "": the newest installed one.
    """
    binary = f"pulumi-resource-{package}"
    if package in local_paths:
        return command_in(local_paths[package], binary)
    on_path = shutil.which(binary, path=environ.get("PATH", ""))
    if on_path:
        return PluginCommand(arguments=[on_path], directory=Path.cwd())
    folder = _installed(package, version, environ)
    if folder is not None:
        return command_in(folder, binary)
    wanted = f"{package} {version}".strip()
    raise UsageError(
        f"no provider plugin for package '{wanted}'",
        remedy=f"give the engine a provider for it, set PULUMI_DEBUG_PROVIDERS={package}:<port>, put {binary} on PATH, "
        f"or run `pulumi plugin install resource {wanted}`",
    )


def command_in(path: Path, binary: str) -> PluginCommand:
    """How to start the plugin at `path`: a binary, a folder with one, or a folder with a Python PulumiPlugin.yaml."""
    if path.is_file():
        return PluginCommand(arguments=[str(path)], directory=path.parent)
    if (path / binary).is_file():
        return PluginCommand(arguments=[str(path / binary)], directory=path)
    manifest = path / "PulumiPlugin.yaml"
    if not manifest.is_file():
        raise UsageError(
            "holds no plugin", where=str(path), remedy=f"put {binary} or a PulumiPlugin.yaml into this folder"
        )
    runtime: Any = load_yaml_mapping(manifest).get("runtime")
    name: Any = cast(dict[str, Any], runtime).get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        raise UsageError(
            f"plugins of runtime {name!r} are not supported",
            where=str(manifest),
            remedy="use a Python or binary plugin",
        )
    python = path / "venv" / "bin" / "python"
    return PluginCommand(arguments=[str(python) if python.is_file() else sys.executable, str(path)], directory=path)


def _installed(package: str, version: str, environ: Mapping[str, str]) -> Path | None:
    home = environ.get("PULUMI_HOME") or str(Path(environ.get("HOME", str(Path.home()))) / ".pulumi")
    plugins = Path(home) / "plugins"
    if version:
        exact = plugins / f"resource-{package}-v{version.removeprefix('v')}"
        return exact if exact.is_dir() else None
    found = [path for path in plugins.glob(f"resource-{package}-v*") if path.is_dir()]
    return max(found, key=_version_of, default=None)


def _version_of(folder: Path) -> tuple[tuple[int, ...], bool]:
    """Sorts releases by number, and a pre-release before its release."""
    text = folder.name.rpartition("-v")[2] if "-v" in folder.name else ""
    core, _, pre = text.partition("-")
    return tuple(int(part) for part in re.findall(r"\d+", core)), not pre
