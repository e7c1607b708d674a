"""From what a pod asks to a command line on the host."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import BadInputError
from rollbook.images.store import UnpackedImage
from rollbook.sandbox.agent.actions import Surroundings
from rollbook.sandbox.agent.environment import (
    ConfigError,
    ObjectReader,
    Placement,
    container_environment,
    expand,
)
from rollbook.sandbox.agent.paths import HostPaths
from rollbook.sandbox.agent.podspec import ContainerSpec, PodSpec
from rollbook.sandbox.agent.records import PodFolder
from rollbook.sandbox.agent.volumes import mount_paths

POD_VARIABLE = "ROLLBOOK_POD_UID"
SANDBOX_VARIABLE = "ROLLBOOK_SANDBOX"
"""The supervisor's mark on all processes of one sandbox; handed on to pods, so that `down` finds them."""

_FILE = "launch.json"
_MESSAGE = "message"
_ROOTS = frozenset({"", "0", "root"})


@dataclass(frozen=True)
class Launch:
    """A container ready to start. The surroundings are what its probes and hooks need too."""

    command: tuple[str, ...]
    here: Surroundings


async def prepare(
    pod: PodSpec,
    spec: ContainerSpec,
    place: Placement,
    image: UnpackedImage,
    *,
    attempt: Path,
    folder: PodFolder,
    tools: Path,
    objects: ObjectReader,
) -> Launch:
    """Work out command, environment and folder of a container.

    ConfigError when something that it names is not there (yet), BadInputError when its command cannot be run.
    """
    user = image.user.partition(":")[0]
    if spec.run_as_non_root and (spec.run_as_user == 0 or (spec.run_as_user is None and user in _ROOTS)):
        raise ConfigError("container has runAsNonRoot and image will run as root")
    known = await container_environment(pod, spec, place, image.env, objects)
    mounts = mount_paths(spec, folder.volumes)
    paths = HostPaths(image.rootfs, {**mounts, spec.message_path: attempt / _MESSAGE}, tools)
    env = _host_environment(pod, known, paths, folder)
    words = spec.command or image.entrypoint
    arguments = spec.args or (() if spec.command else image.cmd)
    command = paths.command([expand(word, known) for word in (*words, *arguments)], env["PATH"])
    cwd = _working_folder(expand(spec.working_dir, known) or image.workdir, paths)
    return Launch(command, Surroundings(place.pod_ip, spec.ports, paths, env, cwd))


def _host_environment(
    pod: PodSpec, known: Mapping[str, str], paths: HostPaths, folder: PodFolder
) -> dict[str, str]:
    """What the image and the pod define, the little that a process needs, and the marks for the sweeper."""
    scratch = str(paths.mounts.get("/tmp", folder.home))  # noqa: S108  # the container's /tmp, not the host's
    env = {"HOSTNAME": pod.name, "LANG": "C.UTF-8", "HOME": str(folder.home), "TMPDIR": scratch}
    env.update({name: paths.translate(value) for name, value in known.items()})
    env["PATH"] = paths.search_path(known.get("PATH", ""))
    env[POD_VARIABLE] = pod.uid
    if sandbox := os.environ.get(SANDBOX_VARIABLE):
        env[SANDBOX_VARIABLE] = sandbox
    return env


def _working_folder(wanted: str, paths: HostPaths) -> Path:
    parts = [part for part in Path(wanted).parts if part not in {"/", ".."}]
    folder = paths.host(wanted) or paths.rootfs.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)  # as container runtimes do for a folder the image lacks
    except OSError as error:
        raise BadInputError(f"the working folder {wanted!r} cannot be used", why=str(error)) from error
    return folder


def termination_message(attempt: Path, limit: int) -> str:
    """What the container left in its termination message file."""
    try:
        return (attempt / _MESSAGE).read_bytes()[:limit].decode(errors="replace")
    except OSError:
        return ""


def save_surroundings(here: Surroundings, attempt: Path) -> None:
    """Keep the surroundings for an agent that takes over; the folder is open to its owner only."""
    attempt.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "pod_ip": here.pod_ip,
        "ports": dict(here.ports),
        "rootfs": str(here.paths.rootfs),
        "mounts": {mount: str(path) for mount, path in here.paths.mounts.items()},
        "tools": str(here.paths.tools),
        "env": dict(here.env),
        "cwd": str(here.cwd),
    }
    file = attempt / _FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps(content))


def load_surroundings(attempt: Path) -> Surroundings:
    """Read what `save_surroundings` wrote. OSError, ValueError or KeyError when it cannot be."""
    content = json.loads((attempt / _FILE).read_text())
    mounts = {mount: Path(path) for mount, path in content["mounts"].items()}
    paths = HostPaths(Path(content["rootfs"]), mounts, Path(content["tools"]))
    return Surroundings(content["pod_ip"], content["ports"], paths, content["env"], Path(content["cwd"]))
