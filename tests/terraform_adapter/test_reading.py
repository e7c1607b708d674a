"""What Terraform prints, read: events, complaints, plans, outputs, and what must not be shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rollbook.errors import (
    BadInputError,
    EnvironmentFailedError,
    NotFoundError,
    RollbookError,
    TargetHeldError,
)
from rollbook.terraform import differences, events, outputs, plans
from rollbook.terraform.events import Diagnostic, UnderWay
from rollbook.terraform.failures import failure, overdue
from rollbook.terraform.masking import masked
from rollbook.terraform.port import Action, EventKind, KnownDifference
from rollbook.terraform.records import fitting

SOURCE = Path(__file__).parents[2] / "terraform"


def change(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    """A resource of a plan."""
    attributes = {key: more.pop(key) for key in ("before", "after", "after_unknown") if key in more}
    return {
        "address": address,
        "mode": "managed",
        "type": "aws_vpc",
        "change": {"actions": list(actions), **attributes},
        **more,
    }


@pytest.mark.parametrize(
    ("summary", "detail", "kind", "next_step"),
    [
        ("Error acquiring the state lock", "Lock Info: ID: 4", TargetHeldError, "force-unlock"),
        ("operation error STS", "ExpiredToken: it has expired", EnvironmentFailedError, "sign in again"),
        ("No valid credential sources found", "", EnvironmentFailedError, "AWS_PROFILE"),
        ("AWS account ID not allowed: 1", "", BadInputError, "account_id"),
        ("creating VPC", "UnauthorizedOperation: no", EnvironmentFailedError, "Let the role"),
        ("creating VPC", "VpcLimitExceeded: five", EnvironmentFailedError, "quota"),
        ("creating VPC", "ThrottlingException: rate", EnvironmentFailedError, "some minutes"),
        ("Failed to query available provider packages", "", EnvironmentFailedError, "ROLLBOOK_TF_MIRROR"),
        ("No value for required variable", "owner", BadInputError, "terraform.tfvars.example"),
        ("Saved plan is stale", "", BadInputError, "Plan again"),
        ("deleting VPC", "DependencyViolation: in use", EnvironmentFailedError, "load balancer"),
        ("reading VPC", "dial tcp: connection refused", EnvironmentFailedError, "can be reached"),
        ("something new", "", EnvironmentFailedError, "what was made is in the state"),
    ],
)
def test_a_complaint_becomes_an_error_with_a_next_step(
    summary: str, detail: str, kind: type[RollbookError], next_step: str
) -> None:
    """Its kind, the words of Terraform, the place, and what to do."""
    told = failure("apply", 1, [Diagnostic("error", summary, detail, "aws_vpc.this")])

    assert (kind, True, True) == (type(told), summary in told.what, "aws_vpc.this" in told.what)
    assert next_step in told.next_step


def test_the_complaint_that_can_be_mended_is_told_first() -> None:
    """Of several errors, one that is known by its remedy comes before those that follow from it."""
    found = [Diagnostic("error", "something else"), Diagnostic("error", "x", "ExpiredToken: old")]
    told = failure("apply", 1, found)

    assert ("terraform apply failed with exit code 1: x", "ExpiredToken: old (1 more)") == (
        told.what,
        told.why,
    )


def test_without_a_complaint_the_last_words_are_told() -> None:
    """What Terraform wrote to standard error is all that there is."""
    told = failure("init", 1, [], "╷\n│ Error: it broke\n╵\n")

    assert "terraform init failed with exit code 1: Error: it broke" == told.what


@pytest.mark.parametrize("line", ["", "plain text", "{not JSON", "[1]", '{"type": "new in 2030"}'])
def test_a_line_that_nobody_knows_is_a_note(line: str) -> None:
    """Terraform prints other things between its events, and new versions new events."""
    assert EventKind.NOTE is events.event(line).kind


def test_an_error_among_the_lines_is_an_event_and_a_diagnostic_without_the_code_beside_it() -> None:
    """Its snippet of code has values in it: they stay behind."""
    one = {"severity": "error", "summary": "No", "detail": "why", "snippet": {"values": ["hunter2-hunter2"]}}
    line = json.dumps({"type": "diagnostic", "@message": "Error: No", "diagnostic": one})

    assert EventKind.ERROR is events.event(line).kind
    assert (Diagnostic("error", "No", "why"),) == events.diagnostics(f"{line}\n{line}\n")


def hook(kind: str, address: str, second: int, **more: Any) -> str:
    """A line of what Terraform does to a resource, at a second of a minute."""
    told = {"type": kind, "@timestamp": f"2026-11-23T20:00:{second:02}.000000Z"}
    return json.dumps({**told, "hook": {"resource": {"addr": address}, **more}})


def test_what_is_under_way_is_what_began_and_did_not_end() -> None:
    """With what is done and for how long, the longest first; what failed has ended, too."""
    lines = [
        hook("refresh_start", "aws_key.read", 1),
        hook("apply_start", "aws_vpc.this", 3, action="delete"),
        hook("apply_start", "aws_key.this", 4, action="delete"),
        hook("apply_start", "aws_role.this", 4, action="create"),
        hook("apply_complete", "aws_key.this", 5, action="delete"),
        hook("apply_errored", "aws_role.this", 6, action="create"),
        "Terraform said something else",
        hook("apply_progress", "aws_vpc.this", 13, action="delete", elapsed_seconds=10),
    ]

    assert ["aws_key.read (read for 12 s)", "aws_vpc.this (delete for 10 s)"] == [
        str(one) for one in events.under_way("\n".join(lines))
    ]
    assert () == events.under_way("")


@pytest.mark.parametrize(("orderly", "told"), [(True, "its state is saved"), (False, "may lack")])
def test_what_took_too_long_is_told_with_what_it_waited_for(orderly: bool, told: str) -> None:
    """The first of what it waited for, how much it had done, and that it can be run again."""
    waited = [UnderWay(f"aws_subnet.this[{number}]", "delete", 60.0 - number) for number in range(7)]
    error = overdue("destroy", 300.0, waited, 23, orderly=orderly)

    assert ("terraform destroy did not end within 300 s", 4) == (error.what, int(error.exit_code))
    assert "waited for aws_subnet.this[0] (delete for 60 s), " in error.why
    assert "and 2 more" in error.why
    assert (True, True) == (told in error.why, error.why.endswith("23 changes were made"))
    assert error.next_step.startswith("Run this again")


def test_a_plan_is_read_by_what_it_does() -> None:
    """Both orders of a replacement are one, data sources are none, and what stays is counted."""
    document = {
        "resource_changes": [
            change("a", "create"),
            change("b", "update", before={"x": 1, "y": None}, after={"x": 2, "y": []}),
            change("c", "delete", "create", action_reason="replace_because_tainted"),
            change("d", "create", "delete"),
            change("e", "delete", deposed="0f"),
            change("f", "no-op"),
            change("g", "forget"),
            {**change("h", "read"), "mode": "data"},
        ],
        "resource_drift": [
            change("b", "update", before={"x": 0}, after={"x": 1}),
            change("f", "update", before={"x": 0}, after={"x": 1}),
            change("a", "delete"),
        ],
    }
    plan = plans.parsed(document, Path("x"))

    assert (["a"], ["b", "g"], ["c", "d"], ["e (deposed 0f)"], 1) == (
        [one.address for one in plan.adds],
        [one.address for one in plan.changes],
        [one.address for one in plan.replaces],
        [one.address for one in plan.destroys],
        plan.unchanged,
    )
    assert [("x", "1", "2")] == [(one.name, one.before, one.after) for one in plan.changes[0].attributes]
    assert ["destroy", "replace", "replace", "update", "forget", "create"] == [
        row.action for row in plan.rows()
    ]
    assert ["b", "a"] == [one.address for one in plan.outside]


def test_differences_match_in_both_directions() -> None:
    """One that is not listed is unexpected, one that is listed and not seen is missing; both are no drift
    of the code, and neither is clean."""
    document = {"resource_changes": [change("b", "update", before={"x": 1}, after={"x": 2})]}
    plan = plans.parsed(document, Path("x"))
    same = KnownDifference("b", Action.UPDATE, ("x",), "why")
    other = KnownDifference("b", Action.UPDATE, ("x", "y"), "why")

    assert (True, False, False) == tuple(
        differences.drift(plan, listed).clean for listed in ([same], [other], [])
    )
    assert ((same,), (other,)) == (
        differences.drift(plan, [same]).known,
        differences.drift(plan, [other]).missing,
    )


@pytest.mark.parametrize("text", ["{", "a: 1", "- address: x", "- 7", "- {address: x, action: dance}"])
def test_a_list_of_differences_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Not YAML, no list, or items without what they need."""
    path = tmp_path / "differences.yaml"
    path.write_text(text)
    with pytest.raises(BadInputError, match="not a list of known differences"):
        differences.known(path)


def test_outputs_are_those_of_the_code() -> None:
    """Each output of terraform/outputs.tf has a field, and each field an output."""
    declared = re.findall(r'^output "(\w+)"', (SOURCE / "outputs.tf").read_text(), re.MULTILINE)

    assert sorted(declared) == sorted(outputs.NAMES)


def test_outputs_are_read_from_a_file_of_ci(tmp_path: Path) -> None:
    """`terraform output -json` as it is; what is null there is left out by Terraform."""
    path = tmp_path / "infra.json"
    values: dict[str, object] = {name: f"the {name}" for name in outputs.NAMES if name != "deploy_role_arn"}
    values |= {"tags": {"a": "b"}, "node_subnet_ids": {}, "nat_public_ips": ["192.0.2.1"]}
    path.write_text(json.dumps({name: {"value": value, "type": "string"} for name, value in values.items()}))
    found = outputs.read(path)

    assert ("the region", ("192.0.2.1",), None) == (found.region, found.nat_public_ips, found.deploy_role_arn)


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("", BadInputError, "does not hold"),
        ("[]", BadInputError, "does not hold"),
        ('{"region": 7}', BadInputError, "does not hold"),
        ("{}", NotFoundError, "no outputs"),
        ('{"region": {"value": "us-east-1"}}', EnvironmentFailedError, "vpc_id"),
    ],
)
def test_outputs_that_are_none_are_refused(
    tmp_path: Path, text: str, kind: type[RollbookError], told: str
) -> None:
    """Not JSON, another shape, none at all, or some only."""
    path = tmp_path / "infra.json"
    path.write_text(text)
    with pytest.raises(kind, match=told):
        outputs.read(path)


def test_marks_hide_values_at_any_depth() -> None:
    """True hides all below it, a shape hides what it says, and what has no mark stays."""
    document = {
        "change": {"before": {"a": 1}, "before_sensitive": True},
        "resources": [
            {"values": {"a": [1, {"b": 2, "c": 3}]}, "sensitive_values": {"a": [False, {"b": True}]}}
        ],
        "outputs": {"o": {"sensitive": True, "value": 4}, "p": {"sensitive": False, "value": 5}},
        "variables": {"v": {"value": 6}, "w": {"value": 7}},
        "configuration": {"root_module": {"variables": {"v": {"sensitive": True, "default": 6}, "w": {}}}},
    }

    assert {
        "change": {"before": "[sensitive]", "before_sensitive": True},
        "resources": [
            {
                "values": {"a": [1, {"b": "[sensitive]", "c": 3}]},
                "sensitive_values": {"a": [False, {"b": True}]},
            }
        ],
        "outputs": {"o": {"sensitive": True, "value": "[sensitive]"}, "p": {"sensitive": False, "value": 5}},
        "variables": {"v": {"value": "[sensitive]"}, "w": {"value": 7}},
        "configuration": {
            "root_module": {"variables": {"v": {"sensitive": True, "default": "[sensitive]"}, "w": {}}}
        },
    } == masked(document)


def test_a_plan_that_is_too_long_keeps_what_it_does() -> None:
    """The code and the state before are left out first, and that is told."""
    document = {"configuration": "c" * 100, "prior_state": "s" * 100, "resource_changes": ["r"]}

    assert {"prior_state": "s" * 100, "resource_changes": ["r"], "left_out": ["configuration"]} == fitting(
        document, most=200
    )
    assert document == fitting(document)
