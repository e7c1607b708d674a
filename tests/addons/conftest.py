"""helm, the charts that k8s/addons pins, and what they render: had once, or a reason why not."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from ruamel.yaml import YAML
from tests.addons import tools
from tests.addons.charts import OUTPUTS, Objects, objects_of

from rollbook.errors import EnvironmentFailedError
from rollbook.helm import addons, command
from rollbook.helm.releases import Helm
from rollbook.sandbox.home import Cache

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s" / "addons"
CHARTS = "ROLLBOOK_CHARTS"
KUBERNETES = "1.36.0"

PINNED = addons.load(FOLDER)


@pytest.fixture(scope="session")
def helm_command() -> command.Command:
    """The helm of this machine where it is new enough, and one that is compiled otherwise."""
    try:
        return command.find()
    except EnvironmentFailedError:
        pass
    try:
        return command.at(tools.helm(Cache.current()))
    except EnvironmentFailedError as error:
        pytest.skip(f"helm is not on the PATH, and cannot be built: {error}")


@pytest.fixture(scope="session")
def charts(helm_command: command.Command) -> Path:
    """A folder with the pinned charts: the one that ROLLBOOK_CHARTS names, or a cache of repositories'."""
    named = os.environ.get(CHARTS, "")
    if named:
        return Path(named).resolve()
    pins = "".join(f"{each.chart} {each.version} {each.repository}\n" for each in PINNED)
    cache = Cache.current()
    target = cache.tools / f"charts-{hashlib.sha256(pins.encode()).hexdigest()[:16]}"
    cache.create()
    with FileLock(cache.lock("tool-charts")), tempfile.TemporaryDirectory(dir=cache.tools) as scratch:
        if not target.is_dir():
            made = Path(scratch) / "made"
            made.mkdir()
            helm = Helm(helm_command, command.Access.kubeconfig(Path(os.devnull)))
            try:
                for addon in PINNED:
                    helm.pull(addon, made)
            except EnvironmentFailedError as error:
                pytest.skip(
                    f"{CHARTS} names no folder with charts, and a repository cannot be reached: {error}"
                )
            shutil.move(made, target)
    return target


@pytest.fixture(scope="session")
def rules() -> dict[str, dict[str, object]]:
    """The rules in monitoring/rules, by the names of their files."""
    files = sorted((ROOT / "monitoring" / "rules").glob("*.yaml"))
    return {path.stem: YAML(typ="safe").load(path.read_text()) for path in files}


@pytest.fixture(scope="session")
def texts(helm_command: command.Command, charts: Path, rules: dict[str, dict[str, object]]) -> dict[str, str]:
    """What each chart renders with our values, as YAML, by the add-on's name; checked by its schema."""
    helm = Helm(helm_command, command.Access.kubeconfig(Path(os.devnull)), charts=charts)
    return {each.name: helm.render(each, OUTPUTS, rules, KUBERNETES) for each in PINNED}


@pytest.fixture(scope="session")
def rendered(texts: dict[str, str]) -> dict[str, Objects]:
    """The same as objects."""
    return {name: objects_of(text) for name, text in texts.items()}
