"""Renders a service's migrations as SQL, in a process of its own: python -P offline.py <alembic.ini>.

Migrations are the service's code: they may import what the service imports, and nothing of it stays in the process that delivers.
No database is asked and the service's env.py is not run. Imports nothing of slipway: that would take longer than the work.
"""

import ast
import io
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, cast

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.types import NullType

ASKS_FOR_DATABASE = {"is_offline_mode", "as_sql"}
"""By these names a migration does something else when there is a database."""


class _NoResult:
    """What a statement returns without a database: any use of it is an error."""

    def _refuse(self, *_arguments: Any) -> Any:
        raise LookupError("the result of a statement is read")

    __getattr__ = __iter__ = __bool__ = _refuse


class _Recorder(io.StringIO):
    """Takes what Alembic writes, with the line of the migration's file that caused it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self.chunks: list[tuple[int, str]] = []

    def write(self, text: str, /) -> int:
        lines = (line for frame, line in traceback.walk_stack(None) if frame.f_code.co_filename == self._path)
        ended = "\n;" if "--" in text.strip().rpartition("\n")[2] else ""  # Alembic's own ; is part of such a comment
        self.chunks.append((next(lines, 1), text.strip() + ended))
        return len(text)


def _untyped_literal(_type: NullType, _dialect: Any) -> Callable[[object], str]:
    """SQLAlchemy has no text for a value without a type, as in sa.column("note") == "x"."""
    return lambda value: "'" + str(value).replace("'", "''") + "'"


def _render_all(ini: Path) -> dict[str, Any]:
    try:
        config = Config(str(ini.resolve()))
        # Alembic resolves a relative script_location against the current folder, which is not the app's here.
        location = config.get_main_option("script_location") or ""
        if location and not Path(location).is_absolute():
            config.set_main_option("script_location", str(ini.resolve().parent / location))
        scripts = ScriptDirectory.from_config(config)
        migrations = [_render(config, scripts, script) for script in scripts.walk_revisions()]
        return {"heads": sorted(scripts.get_heads()), "migrations": migrations[::-1]}
    except CommandError as error:
        return {"error": str(error)}


def _render(config: Config, scripts: ScriptDirectory, script: Script) -> dict[str, Any]:
    """One migration: the fields of `lint.Migration`."""
    module: Any = script.module
    recorder = _Recorder(script.path)
    unseen = list(_database_questions(Path(script.path).read_text()))
    with EnvironmentContext(config, scripts, as_sql=True) as environment:
        environment.configure(dialect_name="postgresql", output_buffer=recorder, literal_binds=True)
        context = environment.get_context()

        def execute(statement: Any, parameters: Any = None) -> _NoResult:
            for row in parameters if isinstance(parameters, list) else [parameters]:  # pyright: ignore[reportUnknownVariableType]
                bind = getattr(statement, "bindparams", None) or statement.params
                context.impl.execute(bind(**row) if row else statement)
            return _NoResult()

        # What op.get_bind() returns. Alembic's own leaves out parameters, and tells nobody that there is no result.
        context.connection = context.impl.connection = cast("Any", MockConnection(context.dialect, execute))
        try:
            with context.begin_transaction(), Operations.context(context):
                module.upgrade()
        except Exception as error:  # noqa: BLE001 - the service's code, which may raise anything
            frames = traceback.walk_tb(error.__traceback__)
            lines = [line for frame, line in frames if frame.f_code.co_filename == script.path]
            unseen = unseen or [(lines[-1] if lines else 1, f"{type(error).__name__}: {error}")]
    return {
        "id": script.revision,
        "file": Path(script.path).name,
        "phase": getattr(module, "phase", None),
        "allowed": list(getattr(module, "lint_allow", [])),
        "chunks": recorder.chunks,
        "unseen": unseen,
    }


def _database_questions(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in ASKS_FOR_DATABASE and isinstance(node, ast.expr):
            yield node.lineno, name


if __name__ == "__main__":
    NullType.literal_processor = _untyped_literal  # pyright: ignore[reportAttributeAccessIssue]
    with redirect_stdout(sys.stderr):  # the service's code may print
        rendered = _render_all(Path(sys.argv[1]))
    json.dump(rendered, sys.stdout, default=repr)
