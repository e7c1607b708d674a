"""What checks find the world's answers with: records, Kubernetes objects in them, files of the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rollbook.coverage.lookup import LEEWAY, Bundle, NoDataError, NotExercisedError, Refs, json_of, paths
from rollbook.coverage.model import EvidenceRef
from rollbook.evidence.answers import Answer
from rollbook.evidence.project import LS_FILES, PROJECT, READ, matches

CLUSTER = "kube-apiserver"
PROMETHEUS = "prometheus"
ALERTMANAGER = "alertmanager"
EDGE = "edge"


@dataclass(frozen=True)
class Seen:
    """A Kubernetes object as an answer or a kept file has it. `at` is when it came; None for a kept file."""

    manifest: Mapping[str, Any]
    ref: EvidenceRef
    phase: str
    at: datetime | None


def answers(
    bundle: Bundle, of: str, call: str = "", *, phase: str = "", status: str = ""
) -> tuple[tuple[Answer, EvidenceRef], ...]:
    """Records of one system by time, narrowed by call, phase and status.

    `of` names a system, or a family of them: `aws` is `aws:sts` too. A `call` that ends with a blank or a
    slash stands for every call that begins so. Records that are not what their name
    says, that were changed after the run was sealed, or that are of another time than the run, are left out.
    """
    return tuple(
        (answer, ref)
        for answer, ref in _records(bundle)
        if (answer.asked.of == of or answer.asked.of.startswith(f"{of}:"))
        and _is_call(answer.asked.call, call)
        and phase in {"", answer.phase}
        and status in {"", answer.status}
    )


def _is_call(made: str, wanted: str) -> bool:
    return made.startswith(wanted) if wanted.endswith((" ", "/")) else wanted in {"", made}


def _records(bundle: Bundle) -> Iterator[tuple[Answer, EvidenceRef]]:
    if "answers" not in bundle.cache:
        bundle.cache["answers"] = tuple(_sound(bundle))
    yield from bundle.cache["answers"]


def _sound(bundle: Bundle) -> Iterator[tuple[Answer, EvidenceRef]]:
    run = bundle.evidence.run
    files = {file.path: file.sha256 for file in bundle.evidence.files}
    for answer in getattr(bundle.evidence, "answers", ()):
        if files.get(answer.path) != answer.id or answer.path in bundle.changed:
            continue
        if run.started is not None and answer.at < run.started - LEEWAY:
            continue
        if run.ended is not None and answer.at > run.ended + LEEWAY:
            continue
        what = f"{answer.asked.of}: {answer.asked.call}"
        yield answer, EvidenceRef(answer.path, answer.id, what if len(what) <= 120 else f"{what[:119]}…")


def required(
    bundle: Bundle, of: str, call: str = "", *, phase: str = "", status: str = "", told: str = ""
) -> tuple[tuple[Answer, EvidenceRef], ...]:
    """As `answers`. NotExercisedError when there is none: `told` completes `nothing in this run ...`."""
    found = answers(bundle, of, call, phase=phase, status=status)
    if not found:
        raise NotExercisedError(f"Nothing in this run {told or f'asked {of} for {call}'}.")
    return found


def objects(bundle: Bundle, kind: str, *, phase: str = "", name: str = "") -> tuple[Seen, ...]:
    """Kubernetes objects of a kind as the run saw them: answers by time, then those kept as files.

    Items of lists and events of watches are objects as well. Empty when none was seen. NoDataError when a
    kept file was changed, or added, after the run was sealed.
    """
    found = [
        Seen(manifest, ref, answer.phase, answer.at)
        for answer, ref in answers(bundle, CLUSTER, phase=phase)
        if answer.status.startswith("2") or not answer.status.isdigit()
        if "dryRun" not in answer.asked.parameters  # nothing was made
        for manifest in manifests_in(answer.answer)
        if manifest.get("kind") == kind
    ]
    for path in paths(bundle, f"objects/{phase or '*'}/{kind}-*.json"):
        manifest, ref = json_of(bundle, path, f"{kind} as it was last seen")
        found.append(Seen(manifest, ref, path.split("/")[1], None))
    return tuple(one for one in found if name in {"", str(one.manifest["metadata"]["name"])})


def manifests_in(answer: object) -> Iterator[Mapping[str, Any]]:
    """Kubernetes objects in an answer of the API server: itself, a watch's event's, or a list's."""
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        for one in answer:
            yield from manifests_in(one)
    elif isinstance(answer, Mapping):
        kind = str(answer.get("kind", ""))
        if isinstance(answer.get("object"), Mapping):
            yield from manifests_in(answer["object"])
        elif kind.endswith("List") and isinstance(answer.get("items"), Sequence):
            for item in answer["items"]:
                if isinstance(item, Mapping) and isinstance(item.get("metadata"), Mapping):
                    yield {"kind": kind.removesuffix("List"), **item}
        elif isinstance(answer.get("metadata"), Mapping) and kind:
            yield answer


def kept(bundle: Bundle, kind: str, phase: str, name: str = "") -> tuple[Seen, ...]:
    """As `objects` of a phase. NoDataError when none was seen."""
    found = objects(bundle, kind, phase=phase, name=name)
    if not found:
        raise NoDataError(f"No {kind} was kept of {phase}.")
    return found


# --- the project ---


def project_files(bundle: Bundle) -> tuple[Mapping[str, str], EvidenceRef, Mapping[str, Any]]:
    """Files of the project by path, with their SHA-256, when the run began; and the whole answer.

    NoDataError when the run did not write them down.
    """
    found = answers(bundle, PROJECT, LS_FILES)
    if not found:
        raise NoDataError("The run did not write down which files the project had.")
    answer, ref = found[0]
    return answer.answer["files"], ref, answer.answer


def project_text(bundle: Bundle, path: str) -> tuple[str, Refs]:
    """Text of a project's file when the run began.

    NoDataError when the run did not keep it, or when what was kept is not what the list of files says.
    """
    files, listed, _ = project_files(bundle)
    for answer, ref in answers(bundle, PROJECT, READ):
        if answer.asked.parameters.get("path") != path:
            continue
        if answer.answer["sha256"] != files.get(path):
            raise NoDataError(f"What was kept of {path} is not the file that the project had.")
        return str(answer.answer["text"]), (ref, listed)
    raise NoDataError(f"The run kept no text of {path}.")


def project_yaml(bundle: Bundle, path: str) -> tuple[Mapping[str, Any], Refs]:
    """The mapping in a YAML or JSON file of the project; NoDataError as in `project_text`, or without one."""
    text, refs = project_text(bundle, path)
    return yaml_of(text, path), refs


@lru_cache(maxsize=8)
def yaml_of(text: str, path: str) -> Mapping[str, Any]:
    """The mapping in a text, read once: long ones take most of a second. NoDataError when there is none."""
    try:
        loaded = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise NoDataError(f"{path} is not YAML: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(loaded, Mapping):
        raise NoDataError(f"{path} does not hold a mapping.")
    return loaded


def project_paths(bundle: Bundle, pattern: str) -> tuple[tuple[str, ...], EvidenceRef]:
    """Paths of the project's files that fit a pattern; NoDataError as in `project_files`."""
    files, ref, _ = project_files(bundle)
    return tuple(sorted(path for path in files if matches(path, pattern))), ref


def is_emulated(answer: Answer) -> bool:
    """Whether an answer came from something that only stands in for AWS."""
    return answer.asked.of.startswith("aws") and "endpoint_url" in answer.asked.parameters
