"""The demo's changes of the app still apply to it, in order."""

import ast
import re
from pathlib import Path

from slipway.delivery.migrations.history import load_revisions

ROOT = Path(__file__).parents[3]
HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? ", re.MULTILINE)


def apply_patch(files: dict[str, list[str]], patch: str) -> dict[str, list[str]]:
    """`git apply`, for the plain patches that are committed here: context must match to the letter."""
    files = dict(files)
    for part in re.split(r"^diff --git .*\n", patch, flags=re.MULTILINE)[1:]:
        target = re.search(r"^\+\+\+ b/(.*)$", part, re.MULTILINE)
        assert target
        old = files.get(target[1], [])
        new: list[str] = []
        position = 0
        pieces = HUNK.split(part)[1:]
        for start, body in zip(pieces[::2], pieces[1::2], strict=True):
            first = max(int(start) - 1, 0)
            new += old[position:first]
            position = first
            for line in body.splitlines()[1:]:
                if line[:1] in (" ", "-"):
                    assert old[position] == line[1:], f"{target[1]}:{position + 1}"
                    position += 1
                if line[:1] in (" ", "+"):
                    new.append(line[1:])
        files[target[1]] = new + old[position:]
    return files


def test_patches_apply_in_order_and_leave_valid_python_and_safe_migrations(tmp_path: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix(): path.read_text().splitlines()
        for path in (ROOT / "app").rglob("*")
        if path.suffix in {".py", ".ini"} or path.name == "VERSION"
    }
    versions = []
    for patch in ("v2-currency.patch", "v3-broken.patch"):
        files = apply_patch(files, (ROOT / "demo" / patch).read_text())
        versions.append(files["app/VERSION"][0])
        for name, lines in files.items():
            if name.endswith(".py"):
                ast.parse("\n".join(lines), name)
    assert versions == ["2.0.0", "3.0.0"]
    for name, lines in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\n".join(lines))
    assert [revision.id for revision in load_revisions(tmp_path / "app")] == ["0001", "0002", "0003", "0004"]
