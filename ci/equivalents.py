"""What stands in for GitHub on this machine, action by action, and which commands cannot be run here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

Environment = dict[str, str]
ONLY_AT_GITHUB = {
    "actions/attest": "signing needs the identity that GitHub gives to a job",
    "actions/deploy-pages": "publishing needs GitHub Pages",
    "aws-actions/amazon-ecr-login": "no Docker logs in: rollbook pushes to the emulated registry itself",
}
REACH_OUT = {
    "ci/image.sh": "Docker would push to a registry in AWS: rollbook builds the image for its sandbox itself",
    "ci/verify-image.sh": "it asks GitHub who built the image",
    "ci/publish.sh": "it publishes at GitHub",
}


@dataclass(frozen=True)
class Runner:
    """The place of one job: its checkout, where artefacts go, and the environment that its steps share."""

    checkout: Path
    artefacts: Path
    environment: Environment
    emulated_aws: Callable[[], str]
    """URL of an emulated AWS; starts it when it is asked for first."""


class NotHere(Exception):  # noqa: N818 - it is an answer, and no error
    """A step cannot be run on this machine; says why."""


def act(action: str, given: Mapping[str, str], runner: Runner) -> str:
    """Do what the action would do, and say what that was. NotHere when it cannot be done on a machine."""
    name = action.partition("@")[0]
    if name in ONLY_AT_GITHUB:
        raise NotHere(ONLY_AT_GITHUB[name])
    known = {
        "actions/checkout": _checkout,
        "actions/upload-artifact": _upload,
        "aws-actions/configure-aws-credentials": _credentials,
        "hashicorp/setup-terraform": _terraform,
    }
    if name not in known:
        raise NotHere(f"nothing on this machine stands in for {name}")
    return known[name](given, runner)


def need_what(command: str, runner: Runner) -> None:
    """Make ready what the command of a step needs besides; NotHere when this machine has it not.

    The cluster of an emulated AWS is the sandbox's.
    """
    script = command.split()[0]
    if script in REACH_OUT:
        raise NotHere(REACH_OUT[script])
    if script == "ci/infra.sh" and shutil.which("terraform") is None:
        raise NotHere("terraform is not on the PATH")
    if script == "ci/release.sh":
        rollbook = ROOT / ".venv" / "bin" / "rollbook"
        subprocess.run([rollbook, "sandbox", "up"], cwd=ROOT, env=runner.environment, check=True)


def _checkout(_given: Mapping[str, str], runner: Runner) -> str:
    """A clone, and in it what was changed here and is not committed: that is what one wants to try."""
    if runner.checkout.exists():
        return "is there already"
    _git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(runner.checkout))
    changed = _git(ROOT, "ls-files", "-z", "--modified", "--others", "--deleted", "--exclude-standard")
    names = sorted(set(filter(None, changed.split("\0"))))
    for name in names:
        source, target = ROOT / name, runner.checkout / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        else:
            target.unlink(missing_ok=True)
    commit = _git(ROOT, "rev-parse", "--short=12", "HEAD").strip()
    return f"git clone of {commit}" + (f", and {len(names)} files that are not committed" if names else "")


def _upload(given: Mapping[str, str], runner: Runner) -> str:
    target = runner.artefacts / given["name"]
    lines = [line.strip() for line in given["path"].splitlines() if line.strip()]
    left_out = {runner.checkout / line[1:].removesuffix("/**") for line in lines if line.startswith("!")}
    copied = 0
    for line in lines:
        for found in sorted(runner.checkout.glob(line.rstrip("/"))) if line[0] != "!" else []:
            for path in sorted(found.rglob("*")) if found.is_dir() else [found]:
                if path.is_file() and not left_out & {path, *path.parents}:
                    place = target / path.relative_to(found if found.is_dir() else found.parent)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, place)
                    copied += 1
    if not copied and given.get("if-no-files-found") == "error":
        raise FileNotFoundError(f"nothing is at {given['path'].strip()}")
    return f"{copied} files copied to {target}"


def _credentials(given: Mapping[str, str], runner: Runner) -> str:
    url = runner.emulated_aws()
    keys = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated"}
    region = given["aws-region"]
    runner.environment.update(keys, AWS_REGION=region, AWS_DEFAULT_REGION=region, AWS_ENDPOINT_URL=url)
    return f"made-up keys for the emulated AWS at {url}"


def _terraform(_given: Mapping[str, str], runner: Runner) -> str:
    found = shutil.which("terraform")
    if found is None:
        raise NotHere("terraform is not on the PATH")
    mirror = os.environ.get("ROLLBOOK_TF_MIRROR", "")
    settings = runner.artefacts.parent / "terraform.rc"
    lines = []
    if mirror:
        path = json.dumps(str(Path(mirror).resolve()))
        lines = ["provider_installation {", f"  filesystem_mirror {{\n    path = {path}\n  }}", "}"]
    settings.write_text("\n".join(lines) + "\n")
    runner.environment.update(TF_CLI_CONFIG_FILE=str(settings), CHECKPOINT_DISABLE="1")
    return f"{found}, providers from {'the mirror' if mirror else 'the registry'}"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return done.stdout
