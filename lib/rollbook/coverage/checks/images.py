"""Is what runs what was built?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from rollbook.bundle.images import PROVENANCE, ROOM, SBOM, described
from rollbook.bundle.run_record import PhaseRecord
from rollbook.coverage.checks.canaries import container_images, image_digest
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    Refs,
    content,
    failed,
    few,
    paths,
    proved,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import Need, check
from rollbook.coverage.world import CLUSTER, answers, is_emulated, manifests_in, objects
from rollbook.evidence.answers import Answer

RELEASE = Need(
    "release",
    lambda bundle: any(phase.release.digest for phase in bundle.evidence.run.phases),
)


@check("image.digest_runs", needs=RELEASE)
def digest_runs(bundle: Bundle, phase: str = "") -> Finding:
    """Pods of each release ran the very digest that was built and that the registry was given."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in _releases(bundle, phase):
        running, refs = _running(bundle, one)
        evidence.extend(refs)
        if not running:
            raise NoDataError(f"No pod of {one.release.version} was seen in {one.name}.", tuple(evidence))
        others = running - {one.release.digest}
        if others:
            return failed(
                f"{one.name}: pods ran {', '.join(sorted(others))}, not {one.release.digest}.", *evidence
            )
        pushed, refs = _pushed(bundle, one)
        evidence.extend(refs)
        if pushed and one.release.digest not in pushed:
            return failed(f"{one.name}: the registry was given {', '.join(sorted(pushed))}.", *evidence)
        told.append(
            f"pods of {one.name} ran {one.release.digest[:19]}{' as the registry has it' if pushed else ''}"
        )
    return proved(f"{'; '.join(told).capitalize()}.", *evidence)


def _releases(bundle: Bundle, name: str) -> tuple[PhaseRecord, ...]:
    found = tuple(p for p in bundle.evidence.run.phases if p.release.digest and name in {"", p.name})
    if not found:
        raise NoDataError(f"Nothing was released in {name or 'this run'}.")
    return found


def _running(bundle: Bundle, phase: PhaseRecord) -> tuple[set[str], Refs]:
    """Digests that the node says run, of the pods whose template names a digest that this phase released."""
    digests, refs = set(), []
    for seen in objects(bundle, "Pod"):
        states = (seen.manifest.get("status") or {}).get("containerStatuses") or ()
        asked = {image_digest(image) for image in container_images(seen.manifest["spec"])}
        if phase.release.digest not in asked:
            continue
        found = {image_digest(str(state.get("imageID", ""))) for state in states} - {""}
        if found:
            digests |= found
            refs.append(seen.ref)
    return digests, few(refs)


def _pushed(bundle: Bundle, phase: PhaseRecord) -> tuple[set[str], Refs]:
    """Digests that the registry computed for the images put into it in this phase."""
    digests, refs = set(), []
    for answer, ref in answers(bundle, "aws:ecr", "ecr:PutImage", phase=phase.name, status="200"):
        digest = str(answer.answer["image"]["imageId"]["imageDigest"])
        sent = answer.asked.parameters.get("imageManifest")
        if isinstance(sent, str) and sent.startswith("{"):
            digests.add(f"sha256:{hashlib.sha256(sent.encode()).hexdigest()}")
        digests.add(digest)
        refs.append(ref)
    return digests, tuple(refs)


@check("image.by_digest", needs=RELEASE)
def by_digest(bundle: Bundle) -> Finding:
    """Every Rollout that was applied, and every pod of it, names its images by digest."""
    evidence: list[EvidenceRef] = []
    images: set[str] = set()
    for kind in ("Rollout", "Pod"):
        for seen in objects(bundle, kind):
            spec = seen.manifest["spec"]
            images.update(container_images(spec["template"]["spec"] if kind == "Rollout" else spec))
            evidence.append(seen.ref)
    for answer, ref in answers(bundle, CLUSTER, "PATCH "):
        for manifest in manifests_in(answer.asked.parameters.get("body")):
            if manifest.get("kind") == "Rollout":
                images.update(container_images(manifest["spec"]["template"]["spec"]))
                evidence.append(ref)
    if not images:
        raise NoDataError("No image reference was seen in this run.")
    loose = sorted(image for image in images if not image_digest(image).startswith("sha256:"))
    if loose:
        return failed(f"Not by digest: {', '.join(loose)}.", *few(evidence))
    return proved(f"{len(images)} image references were seen, all by digest.", *few(evidence))


@check("image.in_registry", needs=RELEASE)
def in_registry(bundle: Bundle) -> Finding:
    """The registry has each released digest under a tag: it took it in this run, or says that it has it."""
    asked = [
        pair
        for operation in ("ecr:PutImage", "ecr:BatchGetImage")
        for pair in answers(bundle, "aws:ecr", operation)
    ]
    if not asked:
        raise NotExercisedError("Nobody gave or asked the registry for an image in this run.")
    emulated = any(is_emulated(answer) for answer, _ in asked)
    held = {digest: (tag, ref) for answer, ref in asked for digest, tag in _tagged(answer) if tag}
    released = {one.release.digest: one.name for one in _releases(bundle, "")}
    missing = [f"{digest[:19]} of {name}" for digest, name in released.items() if digest not in held]
    if missing:
        told = f"The registry has no tag for {', '.join(missing)}."
        return failed(told, *few([ref for _, ref in asked]), emulated=emulated)
    tags = ", ".join(sorted(held[digest][0] for digest in released))
    refs = [held[digest][1] for digest in released]
    return proved(f"The registry has all released images: {tags}.", *few(refs), emulated=emulated)


def _tagged(answer: Answer) -> Iterator[tuple[str, str]]:
    """Digests and tags of the images that an answer of the registry is about."""
    if answer.status != "200":
        return
    for image in answer.answer.get("images") or [answer.answer.get("image")]:
        if image:
            yield str(image["imageId"]["imageDigest"]), str(image["imageId"].get("imageTag") or "")


@check("image.described", needs=RELEASE)
def is_described(bundle: Bundle) -> Finding:
    """Each image that was released has an inventory of what is in it, and the provenance of its build."""
    told = []
    evidence: list[EvidenceRef] = []
    released = {one.release.digest: one.name for one in _releases(bundle, "")}
    if not paths(bundle, f"{ROOM}/*/{PROVENANCE}"):
        raise NotExercisedError("No image was built in this run.")
    for digest, name in released.items():
        room = f"{ROOM}/{digest.removeprefix('sha256:')}"
        inventory, of_inventory = content(bundle, f"{room}/{SBOM}", f"what is in the image of {name}")
        provenance, of_build = content(bundle, f"{room}/{PROVENANCE}", f"how the image of {name} was built")
        evidence += [of_inventory, of_build]
        found = described(digest.removeprefix("sha256:"), inventory, provenance)
        problems = [f"{file}: {sentence}" for file, sentence in found.problems()]
        if problems:
            return failed(f"{name}: {'; '.join(problems)}.", *evidence)
        if not found.components:
            return failed(f"{name}: the inventory is empty.", *evidence)
        commit = bundle.evidence.run.commit.sha
        if found.commit != commit:
            return failed(f"{name} was built from {found.commit or 'no commit'}, not {commit}.", *evidence)
        told.append(f"{name}: {found.components} components, of which {found.packages} packages")
    return proved(f"{'; '.join(told)}; all built from commit {commit[:12]}.", *few(evidence))
