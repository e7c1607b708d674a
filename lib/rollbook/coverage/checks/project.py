"""Files of the project, as they were when the run began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.coverage.lookup import Bundle, Refs, failed, few, judged, proved
from rollbook.coverage.model import Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import project_files, project_paths, project_text, project_yaml
from rollbook.evidence.project import matches


@check("file.exists")
def file_exists(bundle: Bundle, path: str) -> Finding:
    """The project has a file at this path, or files that fit this pattern."""
    found, ref = project_paths(bundle, path)
    if not found:
        return failed(f"The project has no {path}.", ref)
    return proved(f"The project has {found[0] if len(found) == 1 else f'{len(found)} files at {path}'}.", ref)


@check("file.tree")
def file_tree(bundle: Bundle, paths: Sequence[str]) -> Finding:
    """The project has a file at each of these paths or patterns."""
    files, ref, _ = project_files(bundle)
    missing = [path for path in paths if not any(matches(file, path) for file in files)]
    if missing:
        return failed(f"The project has no {', '.join(missing)}.", ref)
    return proved(f"The project has all of {', '.join(paths)}.", ref)


@check("file.contains")
def file_contains(bundle: Bundle, path: str, text: str) -> Finding:
    """A file of the project at this path (or one that fits this pattern) holds this text, in either case."""
    found, listed = project_paths(bundle, path)
    if not found:
        return failed(f"The project has no {path}.", listed)
    refs: list[Any] = []
    for name in found:
        content, evidence = project_text(bundle, name)
        refs.extend(evidence)
        if text.casefold() in content.casefold():
            line = content[: content.casefold().index(text.casefold())].count("\n") + 1
            return proved(f"{name} holds {text!r} (line {line}).", *evidence)
    return failed(f"{path} does not hold {text!r}.", *few(refs))


@check("ci.workflow_declared")
def workflow_declared(bundle: Bundle, path: str, text: str = "") -> Finding:
    """The project has a GitHub Actions workflow with a trigger and steps (one of this command or action)."""
    workflow, refs = project_yaml(bundle, path)
    triggers = workflow.get("on") or ()
    steps = [step for job in (workflow.get("jobs") or {}).values() for step in job.get("steps") or ()]
    if not triggers or not steps:
        return failed(f"{path} has no trigger, or no step.", *refs)
    return _with_step(path, steps, text, refs)


def _with_step(path: str, steps: Sequence[Mapping[str, Any]], text: str, refs: Refs) -> Finding:
    having = [step for step in steps if text in f"{step.get('run', '')}\n{step.get('uses', '')}"]
    told = f", {len(having)} of them with {text!r}" if text else ""
    return judged(bool(having), f"{path} has {len(steps)} steps{told}.", *refs)
