"""The machine's file of names, `/etc/hosts`: one block of it is the sandbox's, and everything else stays to the letter."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from slipway.errors import MachineError

HOSTS = Path("/etc/hosts")
BEGIN = "# BEGIN names of the Slipway sandbox's Route 53; `slipway sandbox down` takes them away"
END = "# END names of the Slipway sandbox"
OWN_LINE = re.compile(r"127\.\d+\.\d+\.\d+ \S+")
"""In a block whose end is missing, whatever else there is belongs to somebody else."""


class HostsFile:
    """Whoever else writes the file keeps no lock, so it is read again before each change, and changed only where it must be."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path

    def show(self, names: Mapping[str, str]) -> None:
        """Have exactly these, address by name, but for names that are there already. Raises MachineError where it cannot be written."""
        try:
            text = self._path.read_text(errors="surrogateescape") if self._path.exists() else ""
            wanted = with_block(text, names)
            if wanted != text:
                _replace(self._path.resolve(), wanted)
        except OSError as error:
            raise MachineError(
                f"names of Route 53 cannot be shown to this machine's programs: {error.strerror or error}",
                where=str(self._path),
                remedy="let root write it, or ask load balancers by their address: `curl --resolve`",
            ) from error

    def clear(self) -> None:
        """Take the block away; none is fine."""
        self.show({})


def with_block(text: str, names: Mapping[str, str]) -> str:
    """The text with these names in the block, which is gone when there are none. The first of two lines of a name counts: others' stay."""
    others = "".join(_others(text.splitlines(keepends=True)))
    taken = {name.lower() for line in others.splitlines() for name in line.partition("#")[0].split()[1:]}
    lines = [f"{address} {name}\n" for name, address in sorted(names.items()) if name not in taken]
    if not lines:
        return others
    end_of_line = "" if not others or others.endswith("\n") else "\n"
    return f"{others}{end_of_line}{BEGIN}\n{''.join(lines)}{END}\n"


def _others(lines: Iterable[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        bare = line.rstrip("\r\n")
        if bare == BEGIN:
            inside = True
        elif inside and bare == END:
            inside = False
        elif not (inside and OWN_LINE.fullmatch(bare)):
            inside = False
            yield line


def _replace(path: Path, text: str) -> None:
    """All or nothing, with the file's mode, owner and labels; in a container the file is a mount, which nothing can be put in place of."""
    content, made = text.encode(errors="surrogateescape"), path.with_name(f".{path.name}.slipway")
    try:
        made.write_bytes(content)
        if path.exists():
            shutil.copystat(path, made)
            owner = path.stat()
            os.chown(made, owner.st_uid, owner.st_gid)
        made.replace(path)
    except OSError as error:
        if error.errno not in {errno.EBUSY, errno.EXDEV}:
            raise
        # The block is last: what comes before it is written over by itself.
        with path.open("r+b") as handle:
            handle.write(content)
            handle.truncate()
    finally:
        made.unlink(missing_ok=True)
