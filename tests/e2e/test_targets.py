"""The other targets: AWS with everything but the cluster emulated, and any cluster by its kubeconfig.

Last of its folder: it ends with a teardown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.e2e.conftest import PROJECT, Finished, kubectl, rollbook
from tests.terraform.conftest import SOURCE, Terraform
from tests.terraform.conftest import terraform as terraform
from tests.terraform.conftest import terraform_binary as terraform_binary
from tests.terraform.emulated_account import Account

from rollbook.aws.actions import CALLS, Purpose
from rollbook.aws.clients import Clients
from rollbook.aws.findings import State
from rollbook.aws.permissions import Names, permissions
from rollbook.bundle.load import load
from rollbook.evidence.answers import Answer
from rollbook.evidence.folder import RunFolder
from rollbook.sandbox.api import Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

REGION = "us-east-1"
PROVISION_S = 900.0
"""A minute here, six on a machine whose processors others want: Terraform's provider needs much of them."""
TEARDOWN_S = 1500.0
"""Two minutes here. Destroying may take 480 s and be tried twice; then the command gives up by itself."""
ELSEWHERE = "000000000000.dkr.ecr.eu-west-3.amazonaws.com"
"""A registry that nobody can ask; the sandbox's policy takes images of its account, in whatever region."""
ON_AWS = ("--target", "aws", "--endpoint-url", "sandbox")


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    """The emulated account of the sandbox."""
    return Account(sandbox.endpoints.aws_endpoint_url, REGION)


@pytest.fixture(scope="module")
def before(account: Account) -> set[str]:
    """What was in the account before anything was provisioned: each region has a default network."""
    return account.everything()


@pytest.fixture(scope="module")
def on_aws(
    terraform: Terraform, account: Account, before: set[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Finished]:
    """Provisioned, deployed and validated; torn down at the end if no test has done so."""
    out = tmp_path_factory.mktemp("aws")
    phases = [f"--phase={name}" for name in ("provision", "deploy", "validate")]
    yield rollbook("run", "--json", *ON_AWS, *phases, "--out", str(out), timeout_s=PROVISION_S)
    if account.everything() - before:
        torn_down(out, "--set=environment=true")


def gates(done: Finished) -> dict[str, Any]:
    """The gates of a run by name, as its journal has them."""
    lines = (done.folder / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return {entry["name"]: entry["data"] for entry in entries if entry["kind"] == "gate"}


def kept(done: Finished, of: str, call: str) -> list[Answer]:
    """Records of a call."""
    return [
        one
        for one in load(RunFolder.open(done.folder)).answers
        if one.asked.of == of and one.asked.call == call
    ]


def test_a_release_on_an_emulated_aws(on_aws: Finished) -> None:
    """Terraform makes the account's part, the image goes to its registry, and users are answered."""
    assert on_aws.code == 0, on_aws.err
    assert ["passed"] * 3 == [phase["outcome"] for phase in on_aws.summary["phases"]]
    run = json.loads((on_aws.folder / "run.json").read_text())
    assert "aws" == run["target"]
    assert any("EKS is emulated too" in sentence for sentence in run["disclosures"])
    assert kept(on_aws, "aws:eks", "eks:DescribeCluster")


def test_what_is_made_was_planned_priced_and_is_as_it_is_written(on_aws: Finished) -> None:
    """The plan is shown, held against the budget, and a second one has only what the emulator leaves out."""
    first, second = kept(on_aws, "terraform", "plan")
    listed = YAML(typ="safe").load((SOURCE / "environments" / "emulator" / "differences.yaml").read_text())
    page = (on_aws.folder / "report.html").read_text()

    assert {"create"} == {
        action
        for one in first.answer["resource_changes"]
        for action in one["change"]["actions"]
        if one["mode"] == "managed"
    }
    assert True is gates(on_aws)["budget"]["passed"]
    assert f"{len(listed)} differ as is known of the emulator" == gates(on_aws)["no drift"]["got"]
    assert sorted(one["address"] for one in listed) == sorted(
        one["address"]
        for one in second.answer["resource_changes"]
        if one["mode"] == "managed" and one["change"]["actions"] != ["no-op"]
    )
    assert "US dollars a month" in page
    assert "nothing was charged" in page


def test_everything_is_made(on_aws: Finished, account: Account, before: set[str]) -> None:
    """Each kind of thing that the code speaks of exists after apply, and what has tags says whose it is."""
    made = account.everything() - before
    kinds = {name.partition(" ")[0] for name in made}
    ids = {name.partition(" ")[2] for name in made}
    tagged = {name: keys for name, keys in account.tags().items() if name in ids}
    wanted = {
        "address", "alias", "budget", "cluster", "flow_log", "internet_gateway", "key", "launch_template",
        "log_group", "nat_gateway", "oidc_provider", "repository", "role", "route_table", "secret", "subnet",
        "vpc", "vpc_endpoint",
    }  # fmt: skip
    labels = {"project", "environment", "owner", "expires", "managed-by"}

    assert set() == wanted - kinds
    assert {"cluster rollbook", "repository hello", "secret hello/config", "role rollbook-deploy"} <= made
    assert len(tagged) > 12
    assert {} == {name: labels - keys for name, keys in tagged.items() if labels - keys}


def test_outputs_have_values(on_aws: Finished) -> None:
    """Whoever reads the outputs finds each, of the type that it is for; only the emulator has no CA."""
    (outputs,) = (one.answer for one in kept(on_aws, "terraform", "output"))
    values = {name: output["value"] for name, output in outputs.items()}

    assert {"cluster_certificate_authority_data"} == {name for name, one in values.items() if one == ""}
    assert ("rollbook", "1.36", "000000000000", "rollbook:deployers") == tuple(
        values[name] for name in ("cluster_name", "cluster_version", "account_id", "deployers_group")
    )
    assert [f"{REGION}{zone}" for zone in "abc"] == sorted(values["node_subnet_ids"])
    assert 1 == len(values["nat_public_ips"])


def test_the_deploy_role_may_release_and_not_more(on_aws: Finished, sandbox: Sandbox) -> None:
    """IAM's simulation allows each call of a release on what was made, and no change of the installation."""
    found = permissions(
        Clients.emulating(sandbox.endpoints.aws_endpoint_url, region=REGION),
        "000000000000",
        "arn:aws:sts::000000000000:assumed-role/rollbook-deploy/release",
        Names("hello", "hello/config", "rollbook"),
    )
    role = {one.name.removeprefix("permissions for "): one for one in found}
    release = role.pop("release")
    refused = {
        action for one in role.values() for action in one.detail.partition(" may not: ")[2].split(", ")
    }

    assert (State.OK, "") == (release.state, release.next_step), release.detail
    assert [State.WARN] * 3 == [one.state for one in role.values()]
    assert {one.action for one in CALLS if one.purpose is not Purpose.RELEASE} == refused


def test_the_evidence_proves_what_is_asked_of_terraform(on_aws: Finished) -> None:
    """What is required of the infrastructure is proved by this run, and nothing that it touched fails."""
    coverage = json.loads((on_aws.folder / "coverage.json").read_text())
    wanted = {"terraform.plan_clean", "terraform.applied", "cost.recorded"}
    states = {
        found["check"]: found["state"]
        for one in coverage["requirements"]
        for found in one["findings"]
        if found["check"] in wanted
    }

    assert dict.fromkeys(wanted, "proved") == states
    assert [] == [one["id"] for one in coverage["requirements"] if one["state"] in {"failed", "stale"}]


def test_any_cluster_by_its_kubeconfig(
    on_aws: Finished, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image of another registry is released by its digest, with Prometheus and edge where it is said."""
    run = json.loads((on_aws.folder / "run.json").read_text())
    digest = next(phase for phase in run["phases"] if phase["name"] == "deploy")["release"]["digest"]
    service = tmp_path / "service.yaml"
    monkeypatch.setenv("KUBECONFIG", str(sandbox.kubeconfig))
    monkeypatch.setenv("PATH", f"{sandbox.kubectl.parent}{os.pathsep}{os.environ['PATH']}")
    context = kubectl(sandbox, "config", "view")["current-context"]
    told = YAML(typ="safe").load((PROJECT / "service.yaml").read_text())
    told["overlays"] = {"kubeconfig": str(PROJECT / "k8s/overlays/sandbox")}
    told["image"] |= {name: str(PROJECT / told["image"][name]) for name in ("context", "dockerfile")}
    told |= {name: str(PROJECT / told[name]) for name in ("monitoring", "drills")}
    told["addresses"] = {
        "kubeconfig": {
            "prometheus": sandbox.endpoints.prometheus_url,
            "alertmanager": sandbox.endpoints.alertmanager_url,
            "edge": sandbox.endpoints.edge_url,
            "registry": ELSEWHERE,
        }
    }
    with service.open("w") as file:
        YAML(typ="safe").dump(told, file)

    done = rollbook(
        *("run", "--json", "--target", "kubeconfig", "--context", context, "--service", str(service)),
        *("--phase=provision", "--phase=deploy", "--phase=validate", "--out", str(tmp_path / "reports")),
        *("--set=version=1.0.0", f"--set=digest={digest}"),
    )

    assert done.code == 0, done.err
    rollout = kubectl(sandbox, "get", "rollout", "hello", "-n", "hello")
    image = rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    assert f"{ELSEWHERE}/hello@{digest}" == image
    assert "the registry of this target cannot be asked" in gates(done)["running image"]["sentence"]
    assert kept(done, "kube-apiserver", "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews")


def torn_down(out: Path, *more: str) -> Finished:
    """The service is taken away, and whatever `more` says."""
    return rollbook(
        "run", "--json", *ON_AWS, "--phase=teardown", *more, "--out", str(out), timeout_s=TEARDOWN_S
    )


def namespaces(sandbox: Sandbox) -> set[str]:
    """Names of the namespaces that there are."""
    return {one["metadata"]["name"] for one in kubectl(sandbox, "get", "namespaces")["items"]}


def test_teardown_leaves_nothing(
    on_aws: Finished, account: Account, before: set[str], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Service, images and infrastructure go; a sweep finds nothing, and neither does anybody else.

    In two steps, and the cluster is gone at the second one, as when a teardown was cut off: the provider
    would wait for it another minute. A whole teardown is the slow test below.
    """
    assert "hello" in namespaces(sandbox)
    service = torn_down(tmp_path)
    assert service.code == 0, service.err
    assert "hello" not in namespaces(sandbox)

    account.delete_cluster("rollbook")
    done = torn_down(tmp_path, "--set=environment=true")

    assert done.code == 0, done.err
    assert True is gates(done)["nothing left"]["passed"]
    assert set() == account.everything() - before


@pytest.mark.slow
def test_a_whole_teardown_leaves_nothing(
    terraform: Terraform, account: Account, before: set[str], sandbox: Sandbox, tmp_path: Path
) -> None:
    """What was provisioned and deployed a moment ago goes again, with the cluster."""
    phases = ("--phase=provision", "--phase=deploy")
    made = rollbook("run", "--json", *ON_AWS, *phases, "--out", str(tmp_path), timeout_s=PROVISION_S)
    assert made.code == 0, made.err
    assert "hello" in namespaces(sandbox)
    done = torn_down(tmp_path, "--set=environment=true")

    assert done.code == 0, done.err
    assert any("aws_eks_cluster.this: delete done" in line for line in done.err.splitlines())
    assert "hello" not in namespaces(sandbox)
    assert set() == account.everything() - before
