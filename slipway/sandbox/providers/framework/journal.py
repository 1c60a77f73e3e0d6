"""A journal of creates, so that the next run finds what a killed one made.

Between an API call and the saving of its state, Pulumi's engine, this provider or the daemon can be killed. The engine tells the next
run's provider nothing of it. So before the call a note is written: which resource, by which connection, under which generated name; and
after the call the id that AWS gave. The note is open until a later connection shows that a state knows that id. While it is open, the next
run's check generates the same name again, and its create looks for what the interrupted one made (see `adoption`).

A resource that was taken out of the state on purpose, after a run that knew it, has no open note: it is made again, as on AWS.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLE = """
CREATE TABLE IF NOT EXISTS creates (
    backend TEXT, urn TEXT, type TEXT, name TEXT, id TEXT, connection TEXT, PRIMARY KEY (backend, urn)
)
"""


@dataclass(frozen=True, kw_only=True)
class Note:
    """A create that may have been interrupted."""

    type: str
    name: str
    """The generated name; "" when the program gave one."""
    id: str
    """"" when AWS's answer never came."""


class Journal:
    """The notes of all connections."""

    def __init__(self, path: Path | None = None) -> None:
        """`path`: None keeps the notes in memory."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        # What a killed process wrote, the kernel keeps: nothing here has to survive a loss of power, as moto's state does not.
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_TABLE)
        self._lock = threading.Lock()
        self._running: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    def execute(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        """Run one statement, and answer its rows."""
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def running(self, backend: str, urn: str) -> threading.Lock:
        """Held while a resource is being made: the create of a killed command may still run when the next one begins."""
        with self._lock:
            return self._running[backend, urn]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


class Notes:
    """One connection's view of the journal."""

    def __init__(self, journal: Journal, backend: str = "") -> None:
        """`backend`: where the stack's state is; stacks of two backends may have the same URNs."""
        self._journal = journal
        self._backend = backend
        self._connection = uuid.uuid4().hex

    def interrupted(self, urn: str, type: str) -> Note | None:
        """The open note that an earlier connection wrote."""
        rows = self._journal.execute(
            "SELECT type, name, id FROM creates WHERE backend = ? AND urn = ? AND type = ? AND connection != ?",
            self._backend,
            urn,
            type,
            self._connection,
        )
        return next((Note(type=row[0], name=row[1], id=row[2]) for row in rows), None)

    @contextmanager
    def creating(self, urn: str, type: str, name: str) -> Generator[Note | None]:
        """Around a create: the note of an interrupted one, if there is any. A note of this one is written first."""
        with self._journal.running(self._backend, urn):
            earlier = self.interrupted(urn, type)
            self._journal.execute(
                "REPLACE INTO creates VALUES (?, ?, ?, ?, ?, ?)",
                self._backend,
                urn,
                type,
                name,
                earlier.id if earlier else "",
                self._connection,
            )
            yield earlier

    def created(self, urn: str, id: str) -> None:
        """AWS has answered."""
        self._journal.execute("UPDATE creates SET id = ? WHERE backend = ? AND urn = ?", id, self._backend, urn)

    def refused(self, urn: str) -> None:
        """AWS has answered that another resource has the name: nothing was made."""
        self._journal.execute("DELETE FROM creates WHERE backend = ? AND urn = ?", self._backend, urn)

    def known(self, urn: str, id: str) -> None:
        """A state knows this resource: close the note that an earlier connection wrote of it."""
        self._journal.execute(
            "DELETE FROM creates WHERE backend = ? AND urn = ? AND id = ? AND connection != ?",
            self._backend,
            urn,
            id,
            self._connection,
        )
