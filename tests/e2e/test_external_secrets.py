"""A secret's way from Secrets Manager (emulated) to pods, by a real external-secrets, and its rotation."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML
from tests.e2e.conftest import PROJECT, Finished, kubectl, rollbook
from tests.e2e.test_secrets import spelled, views

from rollbook.aws.clients import Clients
from rollbook.sandbox import api
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.units import MARKER, POD_MARKER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

NAME = "hello/config"
VERSION = "rollbook.dev/secret-version"
UP_S = 1200.0
"""external-secrets is built by the first one who asks for it."""
STORES = ("data/etcd", "data/ministack")
"""Where a value has to be: the store of Kubernetes and that of Secrets Manager."""


def digest(value: str) -> str:
    """What may be told of a value."""
    return hashlib.sha256(value.encode()).hexdigest()[:12]


class Watch:
    """Looks at processes all the time: what pods were given, and values on command lines."""

    def __init__(self, sandbox: str) -> None:
        self._sandbox = sandbox
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.values: set[str] = set()
        self.pods: dict[str, set[str]] = defaultdict(set)
        """Digests of the token that each pod was ever seen with, by the pod's name."""
        self.told: set[str] = set()
        """Names of processes with a value on their command line."""

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._over.wait(0.5):
            self.look()

    def look(self) -> dict[str, str]:
        """Look once; the token's digest by pod, as it is now."""
        now = {}
        for process in psutil.process_iter():
            try:
                line, variables = " ".join(process.cmdline()), process.environ()
                name = process.name()
            except (psutil.Error, OSError):
                continue
            if any(value in line for value in self.values):
                self.told.add(name)
            if variables.get(MARKER) == self._sandbox and POD_MARKER in variables and "APP_POD" in variables:
                found = digest(variables.get("HELLO_TOKEN", ""))
                now[variables["APP_POD"]] = found
                self.pods[variables["APP_POD"]].add(found)
        return now


@dataclass(frozen=True)
class Story:
    """What happened: a release, another value in Secrets Manager, the next release."""

    sandbox: api.Sandbox
    values: tuple[str, str]
    versions: tuple[str, str]
    """Ids of the two versions in Secrets Manager."""
    runs: tuple[Finished, Finished]
    after_deploy: dict[str, str]
    after_put: dict[str, str]
    after_canary: dict[str, str]
    pods: dict[str, set[str]]
    told: set[str]


def short(folder: Path) -> Path:
    """The project's service with an overlay whose pauses are short; its file."""
    yaml = YAML()
    service = yaml.load((PROJECT / "service.yaml").read_text())
    for section, key in (("image", "context"), ("image", "dockerfile")):
        service[section][key] = str(PROJECT / service[section][key])
    service["monitoring"] = str(PROJECT / service["monitoring"])
    service.pop("drills", None)
    base = PROJECT / service["overlays"]["sandbox-secrets"]
    overlay = folder / "overlay"
    overlay.mkdir()
    patch = [
        {"op": "replace", "path": f"/spec/strategy/canary/steps/{step}/pause/duration", "value": "2s"}
        for step in (1, 3, 5)
    ]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(base.resolve(), overlay.resolve())],
        "patches": [{"target": {"kind": "Rollout"}, "patch": json.dumps(patch)}],
    }
    (overlay / "kustomization.yaml").write_text(json.dumps(kustomization))
    service["overlays"] = {"sandbox": str(overlay), "sandbox-secrets": str(overlay)}
    file = folder / "service.yaml"
    with file.open("w") as stream:
        yaml.dump(service, stream)
    return file


def current(secrets: Any) -> tuple[str, str]:
    """The current value, and its version's id."""
    found = secrets.get_secret_value(SecretId=NAME)
    return str(found["SecretString"]), str(found["VersionId"])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The whole of it, in a sandbox of its own with the extra `secrets`; tests only look at what is left."""
    folder = tmp_path_factory.mktemp("external-secrets")
    home = folder / "home"
    file = str(short(folder))
    up = rollbook("sandbox", "up", "--with", "secrets", home=home, timeout_s=UP_S)
    try:
        assert (0, "") == (up.code, "" if up.code == 0 else up.err[-2000:])
        yield _told(folder, SandboxHome(home), file)
    finally:
        rollbook("sandbox", "down", home=home)


def _told(folder: Path, home: SandboxHome, file: str) -> Story:
    sandbox = api.load(home)
    secrets = Clients.emulating(sandbox.endpoints.aws_endpoint_url).of("secretsmanager")
    asked = ("run", "--json", "--service", file, "--out")
    with Watch(sandbox.id) as watch:
        first = rollbook(*asked, str(folder / "one"), "--phase=provision", "--phase=deploy", home=home.root)
        assert (0, "") == (first.code, "" if first.code == 0 else first.err[-2000:])
        before = current(secrets)
        watch.values.add(before[0])
        after_deploy = watch.look()
        secrets.put_secret_value(SecretId=NAME, SecretString=f"second-{os.urandom(12).hex()}")
        after = current(secrets)
        watch.values.add(after[0])
        after_put = watch.look()
        sets = [f"--set={one}" for one in ("version=1.1.0", "rps=20", "lead_s=1", "judge=off")]
        second = rollbook(*asked, str(folder / "two"), "--phase=canary", *sets, home=home.root)
        assert (0, "") == (second.code, "" if second.code == 0 else second.err[-2000:])
        after_canary = watch.look()
    return Story(
        sandbox=sandbox,
        values=(before[0], after[0]),
        versions=(before[1], after[1]),
        runs=(first, second),
        after_deploy=after_deploy,
        after_put=after_put,
        after_canary=after_canary,
        pods=dict(watch.pods),
        told=watch.told,
    )


def test_pods_get_the_value_of_secrets_manager(story: Story) -> None:
    """Every pod of the first release was started with it: no pod was faster than its secret."""
    assert {digest(story.values[0])} == set(story.after_deploy.values())
    assert len(story.after_deploy) == 2


def test_a_new_value_reaches_pods_by_the_canary_alone(story: Story) -> None:
    """Put into Secrets Manager it changes no pod; then new pods have it, and no pod ever had two values."""
    old, new = map(digest, story.values)

    assert story.after_deploy == story.after_put
    assert {new} == set(story.after_canary.values())
    assert [] == [name for name, seen in story.pods.items() if len(seen) > 1]
    assert {old} == set().union(*(story.pods[name] for name in story.after_deploy))
    assert {"canary": "promoted"} == story.runs[1].summary["verdicts"]
    assert 0 == story.runs[1].summary["requests"]["canary"]["failed"]


def test_the_record_tells_which_pods_had_which_version(story: Story) -> None:
    """Templates of both ReplicaSets name their version; the operator had brought it within seconds."""
    files = (story.runs[1].folder / "objects" / "canary").glob("ReplicaSet*.json")
    named = {
        json.loads(one.read_text())["spec"]["template"]["metadata"]["annotations"][VERSION] for one in files
    }
    lines = (story.runs[1].folder / "journal.jsonl").read_text().splitlines()
    steps = [one for one in map(json.loads, lines) if one["name"] == "bring the secret into the cluster"]

    assert set(story.versions) == named
    assert ["started", "done"] == [one["data"]["state"] for one in steps]
    assert story.versions == (steps[-1]["data"]["before"], steps[-1]["data"]["version"])
    assert steps[-1]["data"]["seconds"] < 10


def test_the_value_is_nowhere_but_where_it_has_to_be(story: Story) -> None:
    """Not in a log, a configuration, the state, a run's record or a command line; the rest is closed."""
    home = story.sandbox.home.root
    looked_for = {spelling for value in story.values for spelling in spelled(value)}
    in_home = {
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and any(one.encode() in path.read_bytes() for one in looked_for)
    }
    in_records = [
        str(path)
        for run in story.runs
        for path in run.folder.rglob("*")
        if path.is_file()
        for view in views(path)
        if any(one in view for one in looked_for)
    ]

    started = {path for path in in_home if path.endswith("launch.json")}

    assert [] == [path for path in sorted(in_home - started) if not path.startswith(STORES)]
    assert {0o600} == {(home / path).stat().st_mode & 0o777 for path in started}
    assert 0o700 == home.stat().st_mode & 0o777
    assert [] == in_records
    assert set() == story.told


@pytest.mark.parametrize(
    ("verb", "what", "allowed"),
    [
        ("create", "secrets", "yes"),
        ("list", "externalsecrets.external-secrets.io", "yes"),
        ("list", "pods", "no"),
        ("create", "serviceaccounts/token", "no"),
        ("update", "secretstores.external-secrets.io", "no"),
        ("create", "externalsecrets.external-secrets.io", "no"),
    ],
)
def test_the_operator_may_do_little(story: Story, verb: str, what: str, allowed: str) -> None:
    """It has an identity of its own, which makes Secrets and looks at what they are made of."""
    done = subprocess.run(
        [
            *(story.sandbox.kubectl, "--kubeconfig", story.sandbox.home.kubeconfig("external-secrets")),
            *("auth", "can-i", verb, what, "--all-namespaces"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert allowed == done.stdout.strip()


def test_a_sandbox_that_is_up_keeps_its_extra(story: Story) -> None:
    """Another `up` without `--with` takes nothing away."""
    again = rollbook("sandbox", "up", home=story.sandbox.home.root)
    status = json.loads(rollbook("sandbox", "status", "--json", home=story.sandbox.home.root).out)

    assert 0 == again.code
    assert "external-secrets" in {one["name"] for one in status["components"]}
    assert kubectl(story.sandbox, "get", "externalsecret", "hello", "-n", "hello")["status"]["refreshTime"]
