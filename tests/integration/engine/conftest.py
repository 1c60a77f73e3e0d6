"""Makes this folder's kit importable and gives each test a cloud and a stack of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_kit import MemoryStack
from recording_provider import Cloud


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def stack(cloud: Cloud, tmp_path: Path) -> MemoryStack:
    return MemoryStack(cloud, tmp_path)
