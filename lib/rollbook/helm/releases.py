"""Releases of a cluster, by the helm command: installed, looked at, and removed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.answers import Asked, Records
from rollbook.helm.addons import AddOn, values_of
from rollbook.helm.answers import Installed, described, digest_of, installed, kept
from rollbook.helm.command import Access, Command, Done, run
from rollbook.helm.refusals import refusal

HELM = "helm"
TIMEOUT_S = 300.0
"""How long a release may take until everything in it is ready. A token of EKS lasts for 14 minutes."""
PULL_TIMEOUT_S = 120.0
SLACK_S = 60.0
"""What helm may need beyond its own timeout, to put a failed release back."""
HISTORY = 5
"""Revisions of a release that are kept."""
NOT_FOUND = "not found"
API_VERSIONS = (
    "policy/v1/PodDisruptionBudget",
    "monitoring.coreos.com/v1",
    "monitoring.coreos.com/v1/ServiceMonitor",
)
"""What charts ask whether the cluster has it, told to `helm template`, which asks no cluster."""


class Helm:
    """Releases of one cluster.

    `charts` is a folder with packages (`<chart>-<version>.tgz`) or unpacked charts (`<chart>/`) that are
    taken instead of the repositories', where these cannot be reached; None asks the repositories.
    `records` keeps what helm is asked and answers.
    """

    def __init__(
        self, command: Command, access: Access, *, charts: Path | None = None, records: Records | None = None
    ) -> None:
        self._command = command
        self._access = access
        self._charts = charts
        self._records = records

    def install(
        self,
        addon: AddOn,
        outputs: Mapping[str, str],
        rules: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Installed:
        """Install or upgrade to what is pinned, and wait until all of it is ready; taken back if it is not.

        `outputs` are Terraform's, `rules` the service's Prometheus rules by name. The namespace has to be
        there. Raises BadInputError when values or outputs are wrong, EnvironmentFailedError otherwise.
        """
        values = values_of(addon, outputs, rules or {})
        with self._home() as home:
            chart, package = self._chart(addon, home)
            done = self._run(
                "upgrade",
                addon,
                [
                    *("upgrade", "--install", addon.name, str(chart), "--namespace", addon.namespace),
                    *("--values", str(addon.values), "--values", "-"),
                    *("--wait", self._command.rollback_option, "--timeout", f"{timeout_s:g}s"),
                    *("--history-max", str(HISTORY), "--output", "json"),
                ],
                home,
                text=json.dumps(values),
                timeout_s=timeout_s + SLACK_S,
                more={"values": values, "values_sha256": digest_of(addon.values), "package": package},
            )
        if done.code != 0:
            raise refusal(addon, "installed", done)
        return installed(json.loads(done.output), package)

    def status(self, addon: AddOn) -> Installed | None:
        """The release as Helm holds it now; None when there is none."""
        with self._home() as home:
            arguments = ["get", "metadata", addon.name, "--namespace", addon.namespace, "--output", "json"]
            done = self._run("get metadata", addon, arguments, home, timeout_s=PULL_TIMEOUT_S, always=False)
        if done.code != 0 and NOT_FOUND in done.errors:
            return None
        if done.code != 0:
            raise refusal(addon, "looked at", done)
        return described(json.loads(done.output))

    def uninstall(self, addon: AddOn, *, timeout_s: float = TIMEOUT_S) -> bool:
        """Remove the release and wait until what was in it is gone; False when there was none.

        CustomResourceDefinitions stay where a chart asks for that. Remove add-ons in the reverse order of
        `addons.load`: the edge's load balancer is taken away by a controller that has to be there still.
        """
        if self.status(addon) is None:
            return False
        with self._home() as home:
            done = self._run(
                "uninstall",
                addon,
                [
                    *("uninstall", addon.name, "--namespace", addon.namespace, "--ignore-not-found"),
                    *("--wait", "--cascade", "foreground", "--timeout", f"{timeout_s:g}s"),
                ],
                home,
                timeout_s=timeout_s + SLACK_S,
            )
        if done.code != 0:
            raise refusal(addon, "removed", done)
        return True

    def render(
        self, addon: AddOn, outputs: Mapping[str, str], rules: Mapping[str, Any], kubernetes: str
    ) -> str:
        """The manifests that the pinned chart makes of the values, for a Kubernetes version; YAML.

        The cluster is not asked. BadInputError when the values do not fit the chart's schema.
        """
        values = values_of(addon, outputs, rules)
        with self._home() as home:
            chart, package = self._chart(addon, home)
            done = self._run(
                "template",
                addon,
                [
                    *("template", addon.name, str(chart), "--namespace", addon.namespace, "--include-crds"),
                    *("--kube-version", kubernetes),
                    *(option for one in API_VERSIONS for option in ("--api-versions", one)),
                    *("--values", str(addon.values), "--values", "-"),
                ],
                home,
                text=json.dumps(values),
                timeout_s=PULL_TIMEOUT_S,
                more={"values": values, "values_sha256": digest_of(addon.values), "package": package},
                always=False,
            )
        if done.code != 0:
            raise refusal(addon, "rendered", done)
        return done.output

    @contextmanager
    def _home(self) -> Iterator[Path]:
        """A folder for helm's caches: repositories and plugins of whoever runs this must not matter."""
        with tempfile.TemporaryDirectory(prefix="rollbook-helm-") as name:
            yield Path(name)

    def _chart(self, addon: AddOn, home: Path) -> tuple[Path, str]:
        """The chart, checked against the pin, and its package's SHA-256; empty for an unpacked one."""
        package = self._at_hand(addon) if self._charts else self._pulled(addon, home, home)
        return (package, "") if package.is_dir() else (package, digest_of(_checked(addon, package)))

    def _at_hand(self, addon: AddOn) -> Path:
        folder = self._charts or Path()
        for path in (folder / f"{addon.chart}-{addon.version}.tgz", folder / addon.chart):
            if path.is_file() or _has_version(path, addon.version):
                return path
        raise EnvironmentFailedError(
            f"the chart {addon.chart} {addon.version} is not in {folder}",
            next_step=f"Put {addon.chart}-{addon.version}.tgz there, or take it from its repository.",
        )

    def pull(self, addon: AddOn, folder: Path) -> Path:
        """Fetch the chart's package from its repository into a folder, checked against the pin's digest."""
        with self._home() as home:
            return _checked(addon, self._pulled(addon, folder, home))

    def _pulled(self, addon: AddOn, folder: Path, home: Path) -> Path:
        if addon.repository.startswith("oci://"):
            source = [f"{addon.repository}/{addon.chart}"]
        else:
            source = [addon.chart, "--repo", addon.repository]
        arguments = ["pull", *source, "--version", addon.version, "--destination", str(folder)]
        done = self._run("pull", addon, arguments, home, timeout_s=PULL_TIMEOUT_S, reaches_cluster=False)
        package = folder / f"{addon.chart}-{addon.version}.tgz"
        if done.code != 0 or not package.is_file():
            raise refusal(addon, "fetched", done)
        return package

    def _run(
        self,
        call: str,
        addon: AddOn,
        arguments: Sequence[str],
        home: Path,
        *,
        text: str | None = None,
        timeout_s: float,
        more: Mapping[str, Any] | None = None,
        always: bool = True,
        reaches_cluster: bool = True,
    ) -> Done:
        environment = {
            "HELM_CACHE_HOME": str(home / "cache"),
            "HELM_CONFIG_HOME": str(home / "config"),
            "HELM_DATA_HOME": str(home / "data"),
            **(self._access.environment() if reaches_cluster and call != "template" else {}),
        }
        done = run(self._command, arguments, environment, text=text, timeout_s=timeout_s)
        if self._records is not None:
            asked = Asked(
                HELM,
                call,
                {
                    "release": addon.name,
                    "namespace": addon.namespace,
                    "chart": addon.chart,
                    "version": addon.version,
                    "repository": addon.repository,
                    **(more or {}),
                },
            )
            self._records.record(asked, str(done.code), kept(call, done), always=always)
        return done


def _checked(addon: AddOn, package: Path) -> Path:
    digest = digest_of(package)
    if addon.digest not in {None, digest}:
        raise EnvironmentFailedError(
            f"the chart {addon.chart} {addon.version} is not the one that is pinned",
            why=f"its digest is {digest}, and the pin's {addon.digest}",
            next_step="Do not install it. Ask its project, and correct the pin only with its answer.",
        )
    return package


def _has_version(chart: Path, version: str) -> bool:
    """Whether an unpacked chart is there, in this version: helm takes any that it is given the folder of."""
    described = chart / "Chart.yaml"
    return described.is_file() and YAML(typ="safe").load(described.read_text()).get("version") == version
