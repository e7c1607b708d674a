"""Terraform through the adapter, in folders of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.terraform.conftest import terraform_binary as terraform_binary

from rollbook.evidence.answers import Asked
from rollbook.sandbox.home import Cache
from rollbook.terraform.command import Terraform
from rollbook.terraform.deadlines import Deadlines
from rollbook.terraform.folder import Inputs
from rollbook.terraform.port import Event

HERE = Path(__file__).parent
BUILTIN = HERE / "builtin"
NOWHERE = "http://127.0.0.1:9"
"""Stands for an emulator where nothing is asked of one."""
Make = Callable[..., Terraform]


class Kept:
    """Records in memory, by what was asked."""

    def __init__(self) -> None:
        self.records: list[tuple[Asked, str, Any]] = []

    def record(
        self, asked: Asked, status: str, answer: Any, at: object = None, *, always: bool = False
    ) -> str:
        self.records.append((asked, status, answer))
        return str(len(self.records))

    def calls(self) -> list[tuple[str, str]]:
        """Calls with their status, in order."""
        return [(asked.call, status) for asked, status, _ in self.records]

    def answers(self, call: str) -> list[Any]:
        """Answers to a call, in order."""
        return [answer for asked, _, answer in self.records if asked.call == call]


def environ(**more: str) -> dict[str, str]:
    """The environment of a user without credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    return {**kept, **more}


@pytest.fixture
def kept() -> Kept:
    """Records of one test."""
    return Kept()


@pytest.fixture
def make(terraform_binary: str, tmp_path: Path, kept: Kept) -> Make:
    """Makes an adapter for the module without providers."""

    def made(
        *,
        source: Path = BUILTIN,
        progress: Callable[[Event], None] = lambda _event: None,
        env: Mapping[str, str] | None = None,
        inputs: Inputs | None = None,
        workdir: Path | None = None,
        lock_wait_s: float = 60.0,
        within: Deadlines | None = None,
        **variables: Any,
    ) -> Terraform:
        return Terraform(
            source,
            workdir=workdir or tmp_path / "work",
            plugins=Cache.current().root / "terraform",
            environ=environ() if env is None else env,
            inputs=inputs or Inputs.emulated(source, NOWHERE, **variables),
            records=kept,
            progress=progress,
            lock_wait_s=lock_wait_s,
            within=within,
        )

    return made
