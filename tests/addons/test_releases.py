"""The adapter with a real helm and a real API server: install, upgrade, failures, removal, records."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Asked
from rollbook.helm import command
from rollbook.helm.addons import AddOn
from rollbook.helm.command import Access, Command
from rollbook.helm.releases import Helm
from rollbook.kubernetes import connect
from rollbook.sandbox.api import Sandbox

SMALL = Path(__file__).parent / "small"


@dataclass
class Kept:
    """Keeps records in a list."""

    records: list[tuple[Asked, str, Any]] = field(default_factory=list)

    def record(
        self, asked: Asked, status: str, answer: Any, at: datetime | None = None, *, always: bool = False
    ) -> str:
        self.records.append((asked, status, answer))
        return str(len(self.records))


@pytest.fixture
def addon(tmp_path: Path) -> AddOn:
    """The small chart, packed, with its digest as the pin."""
    package = tmp_path / "charts" / "small-1.2.3.tgz"
    package.parent.mkdir()
    with tarfile.open(package, "w:gz") as archive:
        archive.add(SMALL, "small")
    values = tmp_path / "values.yaml"
    values.write_text("word: first\n")
    return AddOn(
        name="small",
        why="It is needed by a test.",
        chart="small",
        repository="https://charts.example.test",
        version="1.2.3",
        digest=f"sha256:{hashlib.sha256(package.read_bytes()).hexdigest()}",
        namespace=f"helm-{secrets.token_hex(4)}",
        needs=(),
        values=values,
        outputs={"region": "region"},
    )


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def helm(sandbox: Sandbox, helm_command: Command, tmp_path: Path, addon: AddOn, kept: Kept) -> Iterator[Helm]:
    """The adapter on the sandbox's API server, with the add-on's namespace."""
    cluster = connect(sandbox.kubeconfig, kubectl=sandbox.kubectl)
    metadata = {"name": addon.namespace}
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    access = Access.kubeconfig(sandbox.kubeconfig)
    yield Helm(helm_command, access, charts=tmp_path / "charts", records=kept)
    # Not waited for: a namespace takes seconds to go, and this one has a name of its own.
    command_line = [
        sandbox.kubectl,
        "--kubeconfig",
        sandbox.kubeconfig,
        "delete",
        "namespace",
        "--wait=false",
    ]
    subprocess.run([*command_line, addon.namespace], capture_output=True, check=True)


@pytest.mark.sandbox
def test_a_release_lives_and_goes(sandbox: Sandbox, helm: Helm, addon: AddOn, kept: Kept) -> None:
    """Installed by the pin, upgraded to other values, looked at, removed; a second removal finds nothing."""
    cluster = connect(sandbox.kubeconfig, kubectl=sandbox.kubectl)
    assert helm.status(addon) is None

    first = helm.install(addon, {"region": "us-east-1"})
    assert ("small", "small", "1.2.3", "4.5.6", 1, "deployed", addon.digest) == (
        first.name,
        first.chart,
        first.version,
        first.app_version,
        first.revision,
        first.status,
        first.package,
    )
    made = cluster.get("ConfigMap", addon.namespace, "small")
    assert made is not None
    assert {"word": "first", "region": "us-east-1"} == made["data"]

    addon.values.write_text("word: second\n")
    second = helm.install(addon, {"region": "us-east-1"})
    assert 2 == second.revision
    assert replace(second, package="") == helm.status(addon)
    held = cluster.get("Secret", addon.namespace, second.secret)
    assert held is not None
    assert ("helm", "small", "deployed", "2") == tuple(
        held["metadata"]["labels"][key] for key in ("owner", "name", "status", "version")
    )

    assert helm.uninstall(addon) is True
    assert cluster.get("ConfigMap", addon.namespace, "small") is None
    assert helm.uninstall(addon) is False
    assert [
        ("get metadata", "1"),
        ("upgrade", "0"),
        ("upgrade", "0"),
        ("get metadata", "0"),
        ("get metadata", "0"),
        ("uninstall", "0"),
        ("get metadata", "1"),
    ] == [(asked.call, status) for asked, status, _ in kept.records]
    assert {"helm"} == {asked.of for asked, _, _ in kept.records}
    asked, _, answer = kept.records[2]
    assert (addon.digest, {"region": "us-east-1"}) == (
        asked.parameters["package"],
        asked.parameters["values"],
    )
    assert ("deployed", 2) == (answer["status"], answer["revision"])


@pytest.mark.sandbox
def test_a_failed_upgrade_is_taken_back(helm: Helm, addon: AddOn, kept: Kept) -> None:
    """What the API server refuses leaves the release as it was, and the error has its words."""
    helm.install(addon, {"region": "us-east-1"})
    addon.values.write_text("word: other\nbroken: true\n")
    with pytest.raises(EnvironmentFailedError) as caught:
        helm.install(addon, {"region": "us-east-1"})
    assert "Not A Name" in caught.value.why

    after = helm.status(addon)
    assert after is not None
    assert "deployed" == after.status
    assert "errors" in next(
        answer for asked, status, answer in kept.records if status == "1" and asked.call == "upgrade"
    )


@pytest.mark.sandbox
def test_values_that_the_schema_refuses_are_bad_input(helm: Helm, addon: AddOn) -> None:
    """A value of another type is the file's fault, and nothing is installed."""
    addon.values.write_text("word: [not, a, text]\n")
    with pytest.raises(BadInputError) as caught:
        helm.install(addon, {"region": "us-east-1"})
    assert str(addon.values) in caught.value.next_step
    assert helm.status(addon) is None


@pytest.mark.sandbox
def test_a_token_opens_the_cluster(
    sandbox: Sandbox, helm_command: Command, addon: AddOn, tmp_path: Path
) -> None:
    """With URL, authority and token alone, and without a kubeconfig, helm speaks as that account."""
    base = [sandbox.kubectl, "--kubeconfig", sandbox.kubeconfig]
    token = subprocess.run(
        [*base, "create", "token", "default", "-n", "default"], capture_output=True, text=True, check=True
    ).stdout.strip()
    access = Access.token(sandbox.endpoints.apiserver_url, sandbox.home.pki / "cluster-ca.crt", lambda: token)
    with pytest.raises(EnvironmentFailedError) as caught:
        Helm(helm_command, access).status(addon)
    assert "system:serviceaccount:default:default" in caught.value.why
    assert "administrators" in caught.value.next_step


def test_another_package_than_the_pinned_is_refused(
    helm_command: Command, addon: AddOn, tmp_path: Path
) -> None:
    """A chart whose digest is not the pin's is not installed, whatever its version says."""
    helm = Helm(helm_command, Access.kubeconfig(tmp_path / "none"), charts=tmp_path / "charts")
    with pytest.raises(EnvironmentFailedError, match="not the one that is pinned"):
        helm.install(replace(addon, digest=f"sha256:{'0' * 64}"), {"region": "us-east-1"})


def test_an_unpacked_chart_of_another_version_is_not_taken(
    helm_command: Command, addon: AddOn, tmp_path: Path
) -> None:
    """A folder counts only in the version that is pinned."""
    shutil.copytree(SMALL, tmp_path / "unpacked" / "small")
    helm = Helm(helm_command, Access.kubeconfig(tmp_path / "none"), charts=tmp_path / "unpacked")
    assert 'region: "us-east-1"' in helm.render(addon, {"region": "us-east-1"}, {}, "1.36.0")
    with pytest.raises(EnvironmentFailedError, match=r"small 1\.2\.4 is not in"):
        helm.render(replace(addon, version="1.2.4"), {"region": "us-east-1"}, {}, "1.36.0")


def test_a_repository_that_is_away_is_told(helm_command: Command, addon: AddOn, tmp_path: Path) -> None:
    """The error names the repository, and says that charts may be given as a folder."""
    helm = Helm(helm_command, Access.kubeconfig(tmp_path / "none"))
    away = replace(addon, repository="http://127.0.0.1:9")
    with pytest.raises(EnvironmentFailedError) as caught:
        helm.pull(away, tmp_path)
    assert "could not be fetched" in caught.value.what
    assert away.repository in caught.value.next_step


def test_a_cluster_that_is_away_is_told(helm_command: Command, addon: AddOn, tmp_path: Path) -> None:
    """Without an API server the next step is about the cluster."""
    access = Access.token("https://127.0.0.1:9", tmp_path / "none", lambda: "token")
    with pytest.raises(EnvironmentFailedError) as caught:
        Helm(helm_command, access).status(addon)
    assert "could not be looked at" in caught.value.what


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo v3.11.2", "Helm 3.11"),
        ("echo no version", "does not tell its version"),
        ("exit 3", "does not tell its version"),
    ],
)
def test_an_unfit_helm_is_refused(tmp_path: Path, script: str, says: str) -> None:
    """One that is too old, or is something else, is named with where to get another."""
    fake = tmp_path / "helm"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    with pytest.raises(EnvironmentFailedError) as caught:
        command.find(str(tmp_path))
    assert says in caught.value.what
    assert "helm.sh" in caught.value.next_step


def test_no_helm_is_told(tmp_path: Path) -> None:
    """Without helm on the PATH the error says what it is for and where it is from."""
    with pytest.raises(EnvironmentFailedError, match="not on the PATH"):
        command.find(str(tmp_path))


def test_a_helm_that_hangs_is_ended(tmp_path: Path) -> None:
    """A command that does not end in its time is ended, with an error."""
    fake = tmp_path / "helm"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    with pytest.raises(EnvironmentFailedError, match="did not end within"):
        command.run(Command(fake, (4, 0)), ["status"], {}, timeout_s=0.2)


def test_the_option_that_takes_back_is_that_of_the_version() -> None:
    """Helm 4 renamed it; Helm 3 does not know the new name."""
    assert "--rollback-on-failure" == Command(Path("helm"), (4, 0)).rollback_option
    assert "--atomic" == Command(Path("helm"), (3, 19)).rollback_option
