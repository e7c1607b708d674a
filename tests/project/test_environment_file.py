"""environment.yml for those who use conda: the same environment as the Makefile makes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DIRECT = [
    Requirement(text)
    for text in (*PYPROJECT["project"]["dependencies"], *PYPROJECT["dependency-groups"]["dev"])
]
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def environment() -> Any:
    return YAML(typ="safe").load((ROOT / "environment.yml").read_text())


def test_carries_the_name_of_the_project(environment: Any) -> None:
    """The environment is called as the package is."""
    assert PYPROJECT["project"]["name"] == environment["name"]


def test_asks_for_the_python_that_the_package_asks_for(environment: Any) -> None:
    """The range of Python versions is that of pyproject.toml."""
    assert f"python{PYPROJECT['project']['requires-python']}" in environment["dependencies"]


def test_takes_every_package_from_the_lock_file(environment: Any) -> None:
    """Nothing but the lock file names packages: conda gives the interpreter and pip, no library."""
    *conda, with_pip = environment["dependencies"]

    assert ["python", "pip"] == [re.split(r"[<>=]", name)[0] for name in conda]
    assert {"pip": ["-r requirements.lock"]} == with_pip


def test_the_lock_file_fits_pyproject() -> None:
    """Each direct dependency is locked at a version that pyproject.toml allows."""
    locked = {
        canonicalize_name(found["name"]): found["version"]
        for found in PINNED.finditer((ROOT / "requirements.lock").read_text())
    }
    wrong = [
        str(wanted)
        for wanted in DIRECT
        if not wanted.specifier.contains(locked.get(canonicalize_name(wanted.name), "0"), prereleases=True)
        or canonicalize_name(wanted.name) not in locked
    ]

    assert [] == wrong
