"""`junit.xml`: a test case for each phase and each gate, as CI servers read it. View model in, text out."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from rollbook.report.cases import Case, State
from rollbook.report.model import ViewModel

ELEMENTS = {State.FAILED: "failure", State.ERROR: "error", State.SKIPPED: "skipped"}
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold, not even escaped."""


def render(model: ViewModel) -> str:
    """The whole document. It has only what both the Jenkins and the Ant schema of JUnit files know."""
    totals = model.totals
    root = ET.Element("testsuites")
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _clean(f"rollbook {model.run_id}"),
            "package": "rollbook",
            "id": "0",
            "hostname": "localhost",
            # In UTC; the Ant schema forbids to say so.
            "timestamp": model.started[:19],
            "tests": str(totals.tests),
            "failures": str(totals.failures),
            "errors": str(totals.errors),
            "skipped": str(totals.skipped),
            "time": _seconds(_total(model)),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(model).items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for case in model.cases:
        _add(suite, case)
    ET.SubElement(suite, "system-out").text = _clean(model.outcome.sentence)
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


def _properties(model: ViewModel) -> dict[str, str]:
    dirty = model.commit_dirty
    known: dict[str, object] = {
        "run": model.run_id,
        "target": model.target,
        "service": model.service,
        "commit": model.commit,
        "commit.dirty": "" if dirty is None else str(dirty).lower(),
        "rollbook": model.rollbook,
        "exit_code": "" if model.outcome.exit_code is None else model.outcome.exit_code,
        "journal": model.journal.state,
    }
    if model.coverage and model.coverage.computed:
        known["requirements"] = len(model.coverage.requirements)
        known |= {f"requirements.{one.name}": one.number for one in model.coverage.states}
    return {name: str(value) for name, value in known.items() if str(value)}


def _total(model: ViewModel) -> float:
    return model.total_s if model.total_s is not None else sum(case.seconds for case in model.cases)


def _seconds(seconds: float) -> str:
    return f"{max(0.0, seconds):.3f}"


def _clean(text: object) -> str:
    return NOT_XML.sub("\ufffd", str(text))
