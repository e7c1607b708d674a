"""Add-ons as files: `k8s/addons/<name>/release.yaml` pins a chart, `values.yaml` beside it holds its values.

A folder `before/` or `after/` in it is a kustomize overlay, applied before or after the release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rollbook.errors import BadInputError
from rollbook.settings.yaml_file import read

PIN = "release.yaml"
VALUES = "values.yaml"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")]
"""A Helm release's name: 53 characters at most."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WhenSection(_Strict):
    """The Terraform output, and its value, with which an add-on is wanted."""

    output: str
    equals: str


class PinFile(_Strict):
    """The whole `release.yaml`."""

    why: str = Field(min_length=10)
    chart: Name
    repository: Annotated[str, StringConstraints(pattern=r"^(https|oci)://\S+$")]
    version: Annotated[str, StringConstraints(pattern=r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None
    namespace: Name
    needs: list[Name]
    when: WhenSection | None = None
    outputs: dict[str, str] = Field(default_factory=dict)
    rules: str = ""


@dataclass(frozen=True)
class AddOn:
    """One add-on: the pinned chart, where it is installed, and what it needs.

    `digest` is that of the chart's package (`sha256:...`); None where it is not known, and then not checked.
    `outputs` gives values, by their path in the chart (`service.spec.loadBalancerClass`), the names of
    Terraform outputs. `rules` is the path of the value that takes the service's Prometheus rules,
    empty for none.
    """

    name: str
    why: str
    chart: str
    repository: str
    version: str
    digest: str | None
    namespace: str
    needs: tuple[str, ...]
    values: Path
    outputs: Mapping[str, str]
    rules: str = ""
    when: tuple[str, str] | None = None
    """Terraform output and value with which it is wanted; None: always."""
    before: Path | None = None
    """Kustomize overlay that is applied before the release."""
    after: Path | None = None
    """Kustomize overlay that is applied after the release."""


def load(folder: Path) -> tuple[AddOn, ...]:
    """All add-ons of a folder, each after those that it needs; of equals, by name.

    BadInputError names the file and the line of what is wrong, an add-on that is needed and not there, and a
    circle of needs.
    """
    if not folder.is_dir():
        raise BadInputError(
            f"there are no add-ons at {folder}",
            next_step="Run in the project's folder, which has them in k8s/addons.",
        )
    return in_order([_addon(path.parent) for path in sorted(folder.glob(f"*/{PIN}"))])


def in_order(addons: Sequence[AddOn]) -> tuple[AddOn, ...]:
    """Each after those that it needs; of equals, by name. BadInputError for a need that cannot be met."""
    known = {addon.name: addon for addon in addons}
    for addon in addons:
        for missing in sorted(set(addon.needs) - known.keys()):
            raise BadInputError(
                f"the add-on {addon.name} needs {missing}, which is not there",
                next_step=f"Correct `needs:` in {addon.name}/{PIN}.",
            )
    sorter = TopologicalSorter({name: known[name].needs for name in sorted(known)})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise BadInputError(
            "add-ons need each other in a circle", why=circle, next_step=f"Correct `needs:` in their {PIN}."
        ) from error
    found: list[AddOn] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found += [known[name] for name in ready]
        sorter.done(*ready)
    return tuple(found)


def wanted(addons: Sequence[AddOn], outputs: Mapping[str, str]) -> tuple[AddOn, ...]:
    """Those that this cluster is to have, in the order given. BadInputError when an output is missing."""
    return tuple(
        addon
        for addon in addons
        if addon.when is None or _output(addon, addon.when[0], outputs) == addon.when[1]
    )


def values_of(
    addon: AddOn, outputs: Mapping[str, str], rules: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Values that are not in the repository: Terraform's outputs, and the service's Prometheus rules.

    `rules` are rule files by name (without suffix), each as Prometheus reads it (`groups: ...`).
    BadInputError when an output is missing.
    """
    values: dict[str, Any] = {}
    for path, output in addon.outputs.items():
        _put(values, path, _output(addon, output, outputs))
    if addon.rules and rules:
        _put(values, addon.rules, {name: dict(content) for name, content in sorted(rules.items())})
    return values


def _output(addon: AddOn, name: str, outputs: Mapping[str, str]) -> str:
    if not outputs.get(name):
        raise BadInputError(
            f"the add-on {addon.name} needs the Terraform output {name}, which is not there",
            next_step="Apply terraform/ first; its outputs are listed in terraform/README.md.",
        )
    return outputs[name]


def _put(values: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def _addon(folder: Path) -> AddOn:
    pin = read(folder / PIN, PinFile)
    if not (folder / VALUES).is_file():
        raise BadInputError(
            f"the add-on {folder.name} has no {VALUES}", next_step="Write one; it may be `{}`."
        )
    return AddOn(
        name=folder.name,
        why=pin.why,
        chart=pin.chart,
        repository=pin.repository,
        version=pin.version,
        digest=pin.digest,
        namespace=pin.namespace,
        needs=tuple(pin.needs),
        values=folder / VALUES,
        outputs=dict(pin.outputs),
        rules=pin.rules,
        when=(pin.when.output, pin.when.equals) if pin.when else None,
        before=_overlay(folder / "before"),
        after=_overlay(folder / "after"),
    )


def _overlay(folder: Path) -> Path | None:
    return folder if (folder / "kustomization.yaml").is_file() else None
