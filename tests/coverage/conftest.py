"""A run with its coverage, and the checkout that it was made from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.coverage.good_world import good
from tests.coverage.saved import judged

from rollbook.coverage.model import Coverage
from rollbook.evidence.folder import RunFolder


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Path, Coverage]:
    """A run and its checkout, made once; tests that change something take a copy."""
    return judged(good(), tmp_path_factory.mktemp("kept"))


@pytest.fixture
def run(kept: tuple[RunFolder, Path, Coverage], tmp_path: Path) -> tuple[RunFolder, Path]:
    """A copy of the run and of its checkout."""
    folder, project, _ = kept
    shutil.copytree(folder.path, tmp_path / folder.run_id)
    shutil.copytree(project, tmp_path / "project")
    return RunFolder.open(tmp_path / folder.run_id), tmp_path / "project"
