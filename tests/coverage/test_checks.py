"""Each check: proved in a world where all went well, failed where it did not, and silent without data."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from tests.coverage.cases import CASES, FAILED, HOLDING, IDLE, NEVER_FAILS, NO_DATA, PROVED
from tests.coverage.good_world import good
from tests.coverage.spoiling import Spoil, requests
from tests.coverage.worlds import COMMIT, World, digest_of

from rollbook.coverage import registry
from rollbook.coverage.model import Finding, State
from rollbook.coverage.requirement import CheckCall
from rollbook.domain.traffic import Cause


def find(name: str, world: World, arguments: dict[str, Any] | None = None) -> Finding:
    chosen = HOLDING.get(name, {}) if arguments is None else arguments
    return registry.run(CheckCall(name, chosen), world.bundle())


@cache
def in_the_good_world(name: str) -> Finding:
    return find(name, good())


@pytest.mark.parametrize("name", registry.names())
def test_where_all_went_well_each_check_holds_and_names_its_evidence(name: str) -> None:
    """In a world where everything went well each check is proved, by files of the bundle as they are."""
    bundle = good().bundle()
    files = {file.path: file.sha256 for file in bundle.evidence.files}

    finding = in_the_good_world(name)

    assert (PROVED, "") == (finding.state, "" if finding.state is PROVED else finding.sentence)
    assert finding.evidence
    assert {ref.path: ref.sha256 for ref in finding.evidence if ref.path != "."}.items() <= files.items()


@pytest.mark.parametrize(
    ("name", "spoil", "state"), CASES, ids=[f"{name}-{state}-{n}" for n, (name, _, state) in enumerate(CASES)]
)
def test_what_went_wrong_or_is_not_there_is_said(name: str, spoil: Spoil, state: State) -> None:
    """A world in which one thing is different gives the check another state, with a sentence."""
    world = good()
    spoil(world)

    finding = find(name, world)

    assert state == finding.state, finding.sentence
    assert finding.sentence.endswith(".")
    if state in {PROVED, FAILED}:
        assert finding.evidence


@pytest.mark.parametrize("name", registry.names())
def test_each_check_is_seen_to_fail_and_to_be_silent(name: str) -> None:
    """No check is there that cannot fail, or that speaks without data."""
    seen = {state for case, _, state in CASES if case == name}

    assert FAILED in seen or name in NEVER_FAILS
    assert {NO_DATA, IDLE} & seen


def test_a_bound_that_is_exceeded_fails() -> None:
    """The drill took longer to detect than the requirement allows."""
    assert FAILED == find("rollback.time_to_detect_known", good(), {"within_s": 0.5}).state
    assert PROVED == find("rollback.time_to_detect_known", good(), {"within_s": 60.0}).state


@pytest.mark.parametrize("name", ["api.is_real_kubernetes", "service.answers"])
def test_a_run_on_another_target_says_nothing(name: str) -> None:
    """What a run on the sandbox shows proves nothing of EKS, nor does one on an emulated AWS."""
    emulated, real = good(), good()
    emulated.run["target"] = real.run["target"] = "aws"
    real.run["components"] = [one | {"emulated": False} for one in real.run["components"]]

    assert IDLE == find(name, good(), {"target": "aws"}).state
    assert PROVED == find(name, good(), {"target": "sandbox"}).state
    assert IDLE == find(name, emulated, {"target": "aws"}).state
    assert PROVED == find(name, real, {"target": "aws"}).state


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("alerts.fire", {"alert": "Nobody"}),
        ("secrets.synced", {"name": "nobody"}),
        ("aws.secret_kept", {"name": "nobody"}),
        ("tls.certificate_issued", {"issuer": "nobody"}),
        ("tls.certificate_served", {"host": "nobody.test"}),
        ("helm.release_deployed", {"release": "nobody"}),
        ("manifests.kind_applied", {"kind": "DaemonSet"}),
        ("aws.called", {"service": "ecr", "operation": "Put"}),
        ("rollout.promoted", {"phase": "nobody"}),
    ],
)
def test_what_the_run_did_not_touch_is_not_exercised(name: str, arguments: dict[str, Any]) -> None:
    """A thing that no record is about is neither proved nor failed."""
    assert IDLE == find(name, good(), arguments).state


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("service.answers", {"version": "9.9.9"}),
        ("analysis.measured", {"metrics": ["memory"]}),
        ("prometheus.rules_loaded", {"alert": "Nobody"}),
        ("monitoring.rules_declared", {"alert": "Nobody"}),
        ("terraform.applied", {"resource": "aws_eks_cluster"}),
        ("file.tree", {"paths": ["README.md", "nowhere.md"]}),
    ],
)
def test_what_should_have_been_there_and_is_not_fails(name: str, arguments: dict[str, Any]) -> None:
    """The world was looked at, and what the requirement names was not in it."""
    assert FAILED == find(name, good(), arguments).state


def test_an_answer_of_an_emulator_is_told_as_one() -> None:
    """What an emulator of AWS did is proved of the emulator, and marked."""
    emulated = find("aws.called", good())
    real = find("oidc.role_assumed", good())

    assert (True, False) == (emulated.emulated, real.emulated)
    assert "emulator" in emulated.sentence


def test_a_few_failed_requests_may_be_allowed() -> None:
    """A requirement may allow a share of failed requests, and no more."""
    world = good()
    requests("canary", cause=Cause.APP_ERROR)(world)
    name = "rollout.promoted_without_user_errors"

    assert PROVED == find(name, world, {"allowed_share": 0.01}).state
    assert FAILED == find(name, world, {"allowed_share": 0.001}).state


def test_changed_files_of_the_project_are_told_and_refused_on_demand() -> None:
    """A run from a checkout with changes is of a known commit, but not of that commit alone."""
    world = good()
    world.edit("project", "git ls-files", dirty=["README.md"])

    assert "1 files changed" in find("provenance.commit_known", world).sentence
    assert FAILED == find("provenance.commit_known", world, {"clean": True}).state


def test_only_the_run_itself_may_say_which_commit() -> None:
    """The commit that git gave and the one that the run names are compared."""
    assert COMMIT[:12] in find("provenance.commit_known", good()).sentence


def test_an_answer_of_another_day_is_no_evidence() -> None:
    """A record from before the run began proves nothing of it."""
    world = good()
    world.without("alertmanager")
    world.answered("alertmanager", "status", {"versionInfo": {"version": "1"}}, at=-86_400)

    assert IDLE == find("alertmanager.answers", world).state


def test_a_record_whose_file_is_another_is_no_evidence() -> None:
    """A record counts only while its file is what its name says."""
    world = good()
    for one in world.answers:
        if one.asked.of == "alertmanager":
            world.files[one.path] = b"edited"

    assert IDLE == find("alertmanager.answers", world).state


def test_hostile_answers_break_no_check() -> None:
    """Whatever the world answers, each check still ends in a state."""
    hostile: list[Any] = [
        None,
        [],
        {},
        "",
        7,
        {"metadata": None, "kind": []},
        {"items": [None], "kind": "PodList"},
    ]
    calls = sorted({(one.asked.of, one.asked.call) for one in good().answers})
    for answer in hostile:
        world = good()
        world.answers = []
        for of, call in calls:
            world.answered(of, call, answer)
        for name in registry.names():
            assert find(name, world).state in set(State)


@pytest.mark.parametrize(("tag", "state"), [("1.0.0-abc", PROVED), ("", FAILED)])
def test_a_registry_that_has_the_image_already_is_asked_by_tag(tag: str, state: State) -> None:
    """A second release of the same image pushes nothing; that the registry has it under its tag is enough."""
    world = good()
    world.without("aws:ecr", "ecr:PutImage")
    for version in ("1.0.0", "1.1.0", "1.2.0-errors"):
        image = {"imageId": {"imageDigest": digest_of(version), "imageTag": tag}}
        world.answered("aws:ecr", "ecr:BatchGetImage", {"images": [image]}, imageIds=[{"imageTag": tag}])

    assert state == find("image.in_registry", world).state
