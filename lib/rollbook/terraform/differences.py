"""Compares a second plan with what is known of an emulator, in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rollbook.errors import BadInputError
from rollbook.terraform.port import Drift, KnownDifference, Plan

PLACE = Path("environments") / "emulator" / "differences.yaml"
"""Where the list is, in terraform/."""


def known(path: Path) -> tuple[KnownDifference, ...]:
    """The list in a file. BadInputError when it cannot be read or is not such a list."""
    try:
        return TypeAdapter(tuple[KnownDifference, ...]).validate_python(
            tuple(YAML(typ="safe").load(path.read_text("utf-8")) or ())
        )
    except (OSError, YAMLError, ValidationError, TypeError) as error:
        raise BadInputError(
            f"{path} is not a list of known differences",
            why=" ".join(str(error).split())[:200],
            next_step="Each item has address, action (update or replace), attributes and why.",
        ) from error


def drift(plan: Plan, listed: Sequence[KnownDifference] = ()) -> Drift:
    """What the plan would change beyond `listed`; and of `listed`, what it would not.

    Matched by address, action, and the names of attributes whose new value is known.
    """
    expected = {_key(one.address, one.action, one.attributes): one for one in listed}
    seen = {_key(one.address, one.action, one.differing): one for one in plan.all_changes}
    return Drift(
        unexpected=tuple(one for key, one in seen.items() if key not in expected),
        known=tuple(one for key, one in expected.items() if key in seen),
        missing=tuple(one for key, one in expected.items() if key not in seen),
        outside=plan.outside,
    )


def _key(address: str, action: str, attributes: Sequence[str]) -> tuple[str, str, tuple[str, ...]]:
    return address, str(action), tuple(sorted(attributes))
