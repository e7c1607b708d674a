"""Finds the `terraform` command, and refuses one that is too old."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping

from rollbook.errors import EnvironmentFailedError

OLDEST = (1, 11, 0)
"""As in terraform/versions.tf: the S3 backend locks by itself from there on."""
_GET = "https://developer.hashicorp.com/terraform/install"


def found(environ: Mapping[str, str]) -> str:
    """Path of the command on the PATH of `environ`. EnvironmentFailedError when there is none."""
    path = shutil.which("terraform", path=environ.get("PATH", ""))
    if path is None:
        raise EnvironmentFailedError(
            "terraform is not on the PATH",
            why="AWS is provisioned by Terraform 1.11 or newer",
            next_step=f"Install it: {_GET}",
        )
    return path


def new_enough(version: str) -> str:
    """The version, such as `1.11.4`. EnvironmentFailedError when it is older than `OLDEST`."""
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < OLDEST:
        raise EnvironmentFailedError(
            f"Terraform {version} is too old",
            why=f"{'.'.join(map(str, OLDEST))} is the first one whose state in S3 locks by itself",
            next_step=f"Install a newer one: {_GET}",
        )
    return version
