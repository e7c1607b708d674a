"""A world as a run's folder on disk, with a checkout beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.coverage.good_world import CHECKLIST, DECISION, README, RULES
from tests.coverage.worlds import World
from tests.report.runs import HandClock, write_traffic

from rollbook.coverage.keeping import begin_coverage, finish_coverage
from rollbook.coverage.model import Coverage, State
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind

REQUIREMENTS = f"""source: {{title: A plan, sha256: "{"0" * 64}", lines: 9, silent: [L1]}}
retired: []
requirements:
  - id: R-1A-01
    text: A good version reaches all users.
    kind: explicit
    step: 1A
    layer: must-have
    source: L2
    implications: [It needs a rollout that moves users.]
    via: Argo Rollouts (k8s/rollout.yaml)
    artefacts: [k8s/*.yaml]
    checks: [rollout.promoted, rollout.promoted_without_user_errors]
  - id: R-1A-02
    text: A faulty version is taken back by itself.
    kind: explicit
    step: 1A
    layer: must-have
    source: L3
    implications: [It needs an analysis that can fail.]
    via: an AnalysisTemplate
    artefacts: [k8s/rollout.yaml]
    checks: [rollback.automatic, rollback.users_back_on_stable]
  - id: R-1A-03
    text: Images are pushed to ECR.
    kind: implicit
    step: 1A
    layer: strategic-core
    source: L4
    implications: [It needs a repository that keeps tags.]
    via: the deploy runbook
    checks:
      - aws.called: {{service: ecr, operation: PutImage}}
  - id: R-1A-04
    text: The journal is sealed and holds no secret.
    kind: implicit
    step: 1A
    layer: process
    source: L5
    implications: [It needs a digest at its end.]
    via: the launcher
    checks: [journal.sealed, secrets.none_in_bundle, gates.all_passed]
  - id: R-7-05
    text: Files are found quickly | by <name>.
    kind: explicit
    step: "7"
    layer: process
    source: L6
    implications: [It needs a table of contents.]
    via: README.md
    artefacts: [README.md]
    checks:
      - docs.has_toc: {{path: README.md}}
      - file.contains: {{path: README.md, text: fast}}
  - id: R-7-06
    text: Infrastructure is applied.
    kind: explicit
    step: "7"
    layer: must-have
    source: L7
    implications: [It needs an account that somebody pays.]
    via: terraform/
    artefacts: [terraform/]
    checks:
      - terraform.applied: {{resource: aws_eks_cluster}}
  - id: R-7-07
    text: There is a film.
    kind: bonus
    step: "7"
    layer: flair
    source: L8
    implications: [It needs a camera and some light.]
    via: nothing
    decision: {{state: deferred, why: There is no camera., instead: A report with pictures.}}
  - id: R-7-08
    text: There is music.
    kind: bonus
    step: "7"
    layer: flair
    source: L9
    implications: [It needs somebody who can play.]
    via: nothing
    decision: {{state: skipped, why: Nobody asked for it.}}
contradictions: []
"""


def save(world: World, out: Path) -> RunFolder:
    """Write a run's folder, with its journal sealed."""
    folder = RunFolder.create(out, world.run["id"])
    for path, content in world.files.items():
        place = folder.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for phase, records in world.traffic.items():
        write_traffic(folder, phase, records)
    for entry in world.entries:
        folder.journal(entry.phase, HandClock()).append(
            entry.kind, entry.name, entry.data, source=entry.source, time=entry.time
        )
    folder.journal("run", HandClock()).append(Kind.RUN, "run ended", {"exit_code": 0})
    folder.journal("run", HandClock()).seal()
    folder.write_run(world.run)
    return folder


def checkout(root: Path, *, git: bool = True) -> Path:
    """A project with requirements and the files that they name."""
    for path, text in {
        "docs/requirements.yaml": REQUIREMENTS,
        "docs/adr/0001-things.md": DECISION,
        "k8s/rollout.yaml": "kind: Rollout\n",
        "k8s/edge.yaml": "kind: IngressRoute\n",
        "monitoring/rules/hello.yaml": RULES,
        "README.md": README,
        "other.txt": CHECKLIST,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    if git:
        for arguments in (("init", "-q"), ("add", ".")):
            subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)
    return root


def judged(world: World, tmp_path: Path) -> tuple[RunFolder, Path, Coverage]:
    """A run with its coverage, as the launcher leaves it, and the checkout that it was made from."""
    project = checkout(tmp_path / "project")
    for path in ("requirements.yaml", "pins.json"):
        world.files.pop(path, None)
    folder = save(world, tmp_path / "reports")
    assert begin_coverage(folder, project)
    found = finish_coverage(folder, project)
    assert found is not None
    return folder, project, found


def states(coverage: Coverage) -> dict[str, State]:
    """State by requirement."""
    return {result.requirement.id: result.state for result in coverage.results}


def sentence(coverage: Coverage, requirement: str) -> str:
    """What is said of a requirement."""
    return next(one.sentence for one in coverage.results if one.requirement.id == requirement)
