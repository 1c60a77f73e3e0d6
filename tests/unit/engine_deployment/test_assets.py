"""Asset hashes against the vectors of Pulumi's own tests (`sdk/go/common/resource/asset_test.go`)."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from slipway.engine.assets import with_hashes
from slipway.engine.values import Archive, Asset, Secret
from slipway.errors import UsageError

TEXT = "a test asset"
TEXT_HASH = "e34c74529110661faae4e121e57165ff4cb4dbdde1ef9770098aa3695e6b6704"
ARCHIVE_OF_TEXT_HASH = "27ab4a14a617df10cff3e1cf4e30cf510302afe56bf4cc91f84041c9f7b62fd8"
EMPTY_ARCHIVE_HASH = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def test_text_asset_has_pulumis_hash(tmp_path: Path) -> None:
    assert with_hashes(Asset(text=TEXT), tmp_path) == Asset(text=TEXT, hash=TEXT_HASH)


def test_archive_of_assets_has_pulumis_hash(tmp_path: Path) -> None:
    archive = with_hashes(Archive(assets={"foo": Asset(text=TEXT)}), tmp_path)
    assert archive == Archive(assets={"foo": Asset(text=TEXT, hash=TEXT_HASH)}, hash=ARCHIVE_OF_TEXT_HASH)


def test_empty_folder_has_pulumis_hash(tmp_path: Path) -> None:
    assert with_hashes(Archive(path="."), tmp_path) == Archive(path=".", hash=EMPTY_ARCHIVE_HASH)


def test_folder_and_its_files_as_assets_have_one_hash(tmp_path: Path) -> None:
    (tmp_path / "in/a").mkdir(parents=True)
    (tmp_path / "in/a/one").write_text("1")
    (tmp_path / "in/a.txt").write_text("2")
    (tmp_path / "in/.pulumi").mkdir()
    (tmp_path / "in/.pulumi/left-out").write_text("3")
    (tmp_path / "in/link").symlink_to(tmp_path / "in/a")
    folder = with_hashes(Archive(path="in"), tmp_path)
    nested = Archive(assets={"one": Asset(text="1")})
    assets = with_hashes(Archive(assets={"a.txt": Asset(text="2"), "a": nested}), tmp_path)
    assert folder.hash == assets.hash


def test_hash_changes_with_content_and_name_only(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in/file"
    file.write_text("1")
    first = with_hashes(Archive(path="in"), tmp_path).hash
    file.chmod(0o755)
    file.touch()
    assert with_hashes(Archive(path="in"), tmp_path).hash == first
    file.write_text("2")
    assert with_hashes(Archive(path="in"), tmp_path).hash != first


def test_archive_file_is_hashed_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    with tarfile.open(tmp_path / "one.tar", "w") as file:
        file.add(tmp_path / "one", "one")
    content = with_hashes(Asset(path="one.tar"), tmp_path).hash
    assert with_hashes(Archive(path="one.tar"), tmp_path).hash == content


def test_assets_are_found_at_any_depth(tmp_path: Path) -> None:
    value = {"list": [Secret(Asset(text=TEXT))], "other": 1}
    assert with_hashes(value, tmp_path) == {"list": [Secret(Asset(text=TEXT, hash=TEXT_HASH))], "other": 1}


def test_remote_assets_are_left_to_the_provider(tmp_path: Path) -> None:
    assert with_hashes(Asset(uri="https://example.org/x"), tmp_path).hash == ""


def test_refuses_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*missing: No such file"):
        with_hashes(Asset(path="missing"), tmp_path)


def test_refuses_a_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x")
    with pytest.raises(UsageError, match="neither a folder nor an archive"):
        with_hashes(Archive(path="text"), tmp_path)
