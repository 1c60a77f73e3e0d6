"""One group's build: its sources, the files and patches that come from modules, and what is put beside its programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from slipway.errors import OperationError
from slipway.sandbox.go_programs.groups import Group, ModuleFile, Patch
from slipway.sandbox.go_programs.toolchain import Progress, go_build, module_folder, replace_module


def compile_group(group: Group, sources: Path, output: Path, tell: Progress) -> None:
    """Build a group into `output`. `sources` is a copy of the Go module, which is changed."""
    # In this order: Go tells no folder of a module that a patched copy stands for.
    for file in group.embedded:
        _copy(sources, file, sources / group.packages[0])
    for patch in group.patches:
        _apply(patch, sources)
    go_build(
        sources,
        group.packages,
        output,
        ldflags=group.ldflags,
        progress=lambda done, seconds: tell(
            f"{group.name}: {done} of about {max(done, group.compiled)} packages after {seconds:.0f} s"
        ),
    )
    first, *_ = group.programs
    for name in group.links:
        (output / name).symlink_to(first)
    for file in group.beside:
        _copy(sources, file, output).chmod(0o755)
    lacking = [name for name in group.programs if not (output / name).is_file()]
    if lacking:
        raise OperationError(f"`go build` succeeded without making {', '.join(lacking)}", where=group.name)


def _copy(sources: Path, file: ModuleFile, folder: Path) -> Path:
    source = module_folder(sources, file.module) / file.path
    target = folder / source.name
    content = source.read_bytes()
    if file.version:
        content = json.dumps({**json.loads(content), "version": file.version}, separators=(",", ":")).encode()
    target.write_bytes(content)
    return target


def _apply(patch: Patch, sources: Path) -> None:
    """Replace the module by a patched copy: Go refuses an overlay of a file in its module cache."""
    copy = sources / "patched" / patch.module.replace("/", "-")
    if not copy.exists():
        original = module_folder(sources, patch.module)
        # The module cache is read-only, and its modes would be copied along.
        tests = shutil.ignore_patterns("testdata", "*_test.go")
        shutil.copytree(original / patch.folder, copy / patch.folder, copy_function=shutil.copyfile, ignore=tests)
        shutil.copyfile(original / "go.mod", copy / "go.mod")
        replace_module(sources, patch.module, copy)
    path = copy / patch.folder / patch.path
    text = path.read_text()
    head, _, tail = text.partition(patch.before)
    rest = patch.until + tail.partition(patch.until)[2] if patch.until else tail
    if text.count(patch.before) != 1 or patch.until not in tail:
        raise OperationError(
            f"the text at {patch.before!r} is not as the patch expects",
            where=f"{patch.module}/{patch.folder}/{patch.path}",
            remedy="The module's version has changed: look whether the patch is still needed.",
        )
    path.write_text(f"{head}{patch.after}{rest}")
