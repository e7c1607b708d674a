"""`junit.xml`: a test case for each phase and each gate, as CI servers read it. Record in, text out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from rollbook.launch.summary import Case, State, Story

ELEMENTS = {State.FAILED: "failure", State.ERROR: "error", State.SKIPPED: "skipped"}
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold, not even escaped."""


def render(story: Story) -> str:
    """The whole document. It has only what both the Jenkins and the Ant schema of JUnit files know."""
    run, totals = story.run, story.totals
    root = ET.Element("testsuites")
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _clean(f"rollbook {run['id']}"),
            "package": "rollbook",
            "id": "0",
            "hostname": "localhost",
            "timestamp": _timestamp(run),
            "tests": str(totals.tests),
            "failures": str(totals.failures),
            "errors": str(totals.errors),
            "skipped": str(totals.skipped),
            "time": _seconds(_total(story)),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(story).items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for case in story.cases:
        _add(suite, case)
    ET.SubElement(suite, "system-out").text = _clean(story.sentence)
    ET.SubElement(suite, "system-err")
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode", short_empty_elements=True)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _add(suite: ET.Element, case: Case) -> None:
    attributes = {
        "classname": _clean(f"rollbook.{case.phase}"),
        "name": _clean(case.name),
        "time": _seconds(case.seconds),
    }
    made = ET.SubElement(suite, "testcase", attributes)
    if case.state is State.PASSED:
        return
    told = {"message": _clean(case.message)}
    if case.state is not State.SKIPPED:  # the Ant schema knows no type of what was skipped
        told["type"] = _clean(case.kind)
    ET.SubElement(made, ELEMENTS[case.state], told).text = _clean(case.details) or None


def _properties(story: Story) -> dict[str, str]:
    run = story.run
    commit: Mapping[str, Any] = run.get("commit") or {}
    known = {
        "run": run["id"],
        "target": run.get("target"),
        "service": (run.get("service") or {}).get("name"),
        "commit": commit.get("sha"),
        "commit.dirty": {True: "true", False: "false"}.get(bool(commit["dirty"]))
        if commit.get("dirty") is not None
        else None,
        "rollbook": run.get("rollbook"),
        "exit_code": story.exit_code,
        "journal": story.journal.state.value,
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def _total(story: Story) -> float:
    total = (story.run.get("timing") or {}).get("total_s")
    return float(total) if total is not None else sum(case.seconds for case in story.cases)


def _timestamp(run: Mapping[str, Any]) -> str:
    """When the run began, in UTC; the Ant schema forbids to say so."""
    return datetime.fromisoformat(str(run["started"])).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _seconds(seconds: float) -> str:
    return f"{max(0.0, seconds):.3f}"


def _clean(text: object) -> str:
    return NOT_XML.sub("\ufffd", str(text))
