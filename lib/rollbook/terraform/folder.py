"""The folder that Terraform works in: a copy of terraform/ with a place for its state, and its environment.

A copy, because `init` writes beside the code, and because the backend of an emulator is another one.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rollbook.errors import BadInputError, EnvironmentFailedError, TargetHeldError

MIRROR = "ROLLBOOK_TF_MIRROR"
CLI_CONFIG = "TF_CLI_CONFIG_FILE"
LOCK_FILE = ".terraform.lock.hcl"
EMULATOR = Path("environments") / "emulator"
VALUES = "rollbook.tfvars.json"
PRIVATE = 0o700
_PARTS = ("*.tf", "*.tf.json", "modules", "environments", LOCK_FILE)
# Options from outside would change what is done without being in the record; logs of requests show secrets.
_NOT_PASSED = re.compile(r"TF_(?:CLI_ARGS|LOG|DATA_DIR|INPUT|REATTACH|VAR_endpoint_url)")
_OF_AN_ACCOUNT = re.compile(r"AWS_|TF_VAR_|TF_WORKSPACE$")


@dataclass(frozen=True)
class Inputs:
    """Where the state is, and values of variables: `var_files` in their order, then `variables`.

    `backend` is a file such as backend.hcl, and required unless `endpoint_url` names an emulator: then the
    state is a file in the working folder.
    """

    backend: Path | None = None
    var_files: tuple[Path, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    endpoint_url: str | None = None

    @classmethod
    def emulated(cls, folder: Path, endpoint_url: str, **variables: Any) -> Inputs:
        """Those of the emulator at `endpoint_url`, with its values in `folder`."""
        return cls(None, (folder / EMULATOR / "emulator.tfvars",), variables, endpoint_url)


def check(folder: Path, inputs: Inputs) -> None:
    """BadInputError when there is no such code, when a file is missing, or when the state has no place."""
    if not (folder / "versions.tf").is_file():
        raise BadInputError(
            f"{folder} does not hold rollbook's Terraform code",
            next_step="Give the folder terraform/ of the project.",
        )
    for file in (*((inputs.backend,) if inputs.backend else ()), *inputs.var_files):
        if not file.is_file():
            raise BadInputError(
                f"there is no file {file}", next_step="terraform/README.md says what is in it."
            )
    if inputs.backend is None and inputs.endpoint_url is None:
        raise BadInputError(
            "Terraform's state has no place",
            why="on AWS it is kept in a bucket, and nothing names that",
            next_step="Copy terraform/backend.hcl.example to backend.hcl, and give that file.",
        )


def copy(folder: Path, root: Path, inputs: Inputs) -> None:
    """Make `root` a copy of the code in `folder`; state and providers that are there stay.

    EnvironmentFailedError when the disk refuses.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        _copy(folder, root, inputs)
    except OSError as error:
        raise _unwritable(root, error) from error


def _unwritable(path: Path, error: OSError) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        f"{path} cannot be written",
        why=error.strerror or str(error),
        next_step="Make room, or give another folder.",
    )


def _copy(folder: Path, root: Path, inputs: Inputs) -> None:
    for pattern in _PARTS:
        for old in root.glob(pattern):
            # The lock file that init made here is as good as none: without one in the code, it makes it anew.
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    # What Terraform reads by itself on AWS says nothing about an emulator.
    own = () if inputs.endpoint_url else ("terraform.tfvars", "*.auto.tfvars")
    for pattern in (*_PARTS, *own):
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, root / path.name)
            else:
                shutil.copyfile(path, root / path.name)
    if inputs.backend is None:
        shutil.copyfile(folder / EMULATOR / "backend_override.tf.example", root / "backend_override.tf")


def write_values(root: Path, inputs: Inputs) -> Path:
    """The file with the values of `inputs.variables`, written anew: another one may have worked here since.

    A file and not options, for everybody on the machine can read a process's options. EnvironmentFailedError
    when the disk refuses.
    """
    values = dict(inputs.variables)
    if inputs.endpoint_url is not None:
        values["endpoint_url"] = inputs.endpoint_url
    file = root / VALUES
    try:
        file.touch(mode=0o600)
        file.write_text(json.dumps(values), "utf-8")
    except OSError as error:
        raise _unwritable(file, error) from error
    return file


def environment(
    environ: Mapping[str, str], workdir: Path, plugins: Path, inputs: Inputs, *, locked: bool
) -> dict[str, str]:
    """What Terraform sees of `environ`. Providers are kept in a folder under `plugins`, which many may share.

    With an emulator, nothing that opens an AWS account is passed on. `locked`: the code has a lock file.
    BadInputError when the SDK's own variables would send calls for AWS elsewhere, EnvironmentFailedError when
    the disk refuses.
    """
    emulated = inputs.endpoint_url is not None
    elsewhere = sorted(
        name for name, value in environ.items() if value and name.startswith("AWS_ENDPOINT_URL")
    )
    if elsewhere and not emulated:
        raise BadInputError(
            f"{elsewhere[0]} is set: calls for AWS would go elsewhere",
            why="the record would then call something AWS that is not",
            next_step=f"Unset {elsewhere[0]}, or name the emulator by --endpoint-url.",
        )
    passed = {
        name: value
        for name, value in environ.items()
        if not _NOT_PASSED.match(name) and not (emulated and _OF_AN_ACCOUNT.match(name))
    }
    mirror = passed.get(MIRROR, "")
    cache = plugins / kind(mirror)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        workdir.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    except OSError as error:
        raise _unwritable(workdir, error) from error
    passed |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_PLUGIN_CACHE_DIR": str(cache)}
    if not locked:
        # There is no lock file that the cache could disagree with: see terraform/README.md.
        passed["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
    if mirror:
        file = workdir / "terraform.rc"
        file.write_text(_mirrored(mirror), "utf-8")
        passed[CLI_CONFIG] = str(file)
    elif not Path(passed.get(CLI_CONFIG, "")).is_file():
        passed.pop(CLI_CONFIG, None)  # Terraform warns of a file that is not there, each time
    if emulated:
        passed["AWS_EC2_METADATA_DISABLED"] = "true"
    return passed


def kind(mirror: str) -> str:
    """Names the cache of one origin of providers: a file of another size is another build of a provider."""
    if not mirror:
        return "registry"
    files = sorted(path for path in Path(mirror).rglob("*") if path.is_file())
    listed = "".join(f"{path} {path.stat().st_size}\n" for path in files)
    return f"mirror-{hashlib.sha256(listed.encode()).hexdigest()[:16]}"


def _mirrored(mirror: str) -> str:
    path = json.dumps(str(Path(mirror).resolve()))
    return (
        "provider_installation {\n"
        f'  filesystem_mirror {{\n    path    = {path}\n    include = ["registry.terraform.io/*/*"]\n  }}\n'
        "}\n"
    )


@contextmanager
def taken(lock: Path, wait_s: float, doing: str) -> Iterator[None]:
    """Hold a lock within the block. TargetHeldError when another one `doing` that held it for `wait_s`."""
    file = FileLock(lock)
    try:
        file.acquire(timeout=wait_s)
    except Timeout as error:
        raise TargetHeldError(
            f"another Terraform {doing}",
            why=f"it did not end within {wait_s:g} seconds",
            next_step="Wait until it has ended, then run this again.",
        ) from error
    try:
        yield
    finally:
        file.release()
