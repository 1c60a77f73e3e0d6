"""The hash that names an image."""

from pathlib import Path

import pytest

from components.build_context import hash_context
from components.errors import ArgsError
from components.image import ImageArgs


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("**/__pycache__\nnotes\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("print(1)\n")
    return tmp_path


def test_hash_stays_when_only_ignored_files_change(context: Path) -> None:
    before = hash_context(context)
    (context / "notes").mkdir()
    (context / "notes" / "todo.txt").write_text("later")
    (context / "code" / "__pycache__").mkdir()
    (context / "code" / "__pycache__" / "main.pyc").write_bytes(b"\0")
    assert hash_context(context) == before


@pytest.mark.parametrize("change", ["content", "name", "mode", "link", "dockerfile"])
def test_hash_changes_when_the_build_would_see_something_else(context: Path, change: str) -> None:
    before = hash_context(context)
    source = context / "code" / "main.py"
    match change:
        case "content":
            source.write_text("print(2)\n")
        case "name":
            source.rename(context / "code" / "other.py")
        case "mode":
            source.chmod(0o755)
        case "link":
            (context / "code" / "lib").symlink_to("/usr/lib")
        case _:
            (context / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
    assert hash_context(context) != before


def test_hash_changes_with_the_base_image(context: Path) -> None:
    assert hash_context(context, base_image=f"python@sha256:{'a' * 64}") != hash_context(context)


def test_hash_changes_with_the_platform_and_stays_for_the_default_one(context: Path) -> None:
    def tag(**given: str) -> str:
        return ImageArgs(repository_url="registry.example/orders", context=str(context), **given).content_hash()

    assert tag() == hash_context(context)
    assert tag(platform="linux/arm64") != tag()


@pytest.mark.parametrize("base_image", ["python:3.11", "python@sha256:abc", f"@sha256:{'a' * 64}"])
def test_refuses_a_base_image_without_a_digest(context: Path, base_image: str) -> None:
    with pytest.raises(ArgsError, match="base_image"):
        ImageArgs(repository_url="registry.example/orders", context=str(context), base_image=base_image)


def test_refuses_a_folder_without_a_dockerfile(tmp_path: Path) -> None:
    with pytest.raises(ArgsError, match="a folder with a Dockerfile in it"):
        hash_context(tmp_path)


def test_refuses_exceptions_in_dockerignore(context: Path) -> None:
    (context / ".dockerignore").write_text("*\n!code\n")
    with pytest.raises(ArgsError, match="no exceptions"):
        hash_context(context)
