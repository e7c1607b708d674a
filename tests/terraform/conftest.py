"""Terraform, its provider and its linters: had once, or a reason why not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from tests.terraform import tools

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.gotool import PASSED_ON
from rollbook.sandbox.home import Cache

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "terraform"
MIRROR = "ROLLBOOK_TF_MIRROR"
OLDEST = (1, 11, 0)
PARTS = ("*.tf", "modules", "tests", "environments")
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Terraform:
    """The command in one folder, without credentials of whoever runs the tests."""

    binary: str
    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`terraform ARGUMENTS`, whatever its exit code is."""
        return subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def done(self, *arguments: str) -> str:
        """Standard output of a command that has to succeed."""
        ended = self.run(*arguments)
        assert (0, "") == (ended.returncode, ended.stderr.strip() if ended.returncode else "")
        return ended.stdout


@pytest.fixture(scope="session")
def terraform_binary() -> str:
    """Path of the `terraform` command."""
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("terraform is not on the PATH: install Terraform 1.11 or newer to run this test")
    told = subprocess.run(
        [found, "version", "-json"],
        env=environment(Path("/nonexistent")),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    version = json.loads(told.stdout)["terraform_version"]
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < OLDEST:
        pytest.skip(f"terraform on the PATH is {version}: 1.11 or newer is needed to run this test")
    return found


@pytest.fixture(scope="session")
def terraform(terraform_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """A copy of terraform/ with local state, initialised with the real provider."""
    folder = tmp_path_factory.mktemp("terraform")
    for pattern in PARTS:
        for path in SOURCE.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
            else:
                shutil.copy(path, folder)
    override = SOURCE / "environments" / "emulator" / "backend_override.tf.example"
    shutil.copy(override, folder / "backend_override.tf")
    home = tmp_path_factory.mktemp("terraform-home")
    mirror = os.environ.get(MIRROR, "")
    plugins = Cache.current().root / "terraform" / _kind(mirror)
    plugins.mkdir(parents=True, exist_ok=True)
    (home / "terraform.rc").write_text(_configuration(mirror, plugins))
    command = Terraform(terraform_binary, folder, environment(home))
    # Terraform's cache of plugins may be filled by one at a time.
    with FileLock(plugins.with_suffix(".lock")):
        ended = command.run("init", "-no-color")
    if ended.returncode != 0:
        said = " ".join(ended.stderr.split()).partition("Error: ")[2][:200]
        if mirror:
            pytest.fail(f"the provider cannot be had from the mirror that {MIRROR} names: {said}")
        pytest.skip(f"the provider cannot be had from the registry, and {MIRROR} names no mirror: {said}")
    yield command
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def tflint() -> tools.Command:
    """tflint, from its Go module."""
    return _had(tools.tflint)


@pytest.fixture(scope="session")
def checkov() -> tools.Command:
    """checkov, from its lock file."""
    return _had(tools.checkov)


@pytest.fixture(scope="session")
def hcl_to_json() -> tools.Command:
    """A parser of HCL."""
    return _had(tools.hcl_to_json)


def environment(home: Path) -> dict[str, str]:
    """What a command sees: how registries are reached, and nothing that opens an AWS account."""
    passed = {
        name: os.environ[name] for name in PASSED_ON if name in os.environ and not name.startswith("GO")
    }
    return {
        **passed,
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TF_CLI_CONFIG_FILE": str(home / "terraform.rc"),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _had(make: object) -> tools.Command:
    assert callable(make)
    try:
        command = make(Cache.current())
    except EnvironmentFailedError as error:
        pytest.skip(f"the linter cannot be had: {error}")
    assert isinstance(command, tools.Command)
    return command


def _kind(mirror: str) -> str:
    """Names the cache of one origin of plugins: a file of another size is another build of the provider."""
    if not mirror:
        return "registry"
    files = sorted(path for path in Path(mirror).rglob("*") if path.is_file())
    listed = "".join(f"{path} {path.stat().st_size}\n" for path in files)
    return f"mirror-{hashlib.sha256(listed.encode()).hexdigest()[:16]}"


def _configuration(mirror: str, plugins: Path) -> str:
    """Terraform's own configuration: where providers are from, and a cache of 1 GB that all runs share."""
    lines = [
        f"plugin_cache_dir = {json.dumps(str(plugins))}",
        # There is no lock file here that the cache could disagree with: see terraform/README.md.
        "plugin_cache_may_break_dependency_lock_file = true",
    ]
    if mirror:
        path = json.dumps(str(Path(mirror).resolve()))
        lines += [
            "provider_installation {",
            f'  filesystem_mirror {{\n    path = {path}\n    include = ["registry.terraform.io/*/*"]\n  }}',
            "}",
        ]
    return "\n".join(lines) + "\n"
