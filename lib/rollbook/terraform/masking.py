"""Takes sensitive values out of what Terraform shows as JSON, which has them in clear beside their marks.

The marks: `before_sensitive` and `after_sensitive` beside `before` and `after`, `sensitive_values` beside
`values`, each either true or in the shape of the value with true where it is sensitive; `sensitive` of
outputs and of declared variables. https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASK = "[sensitive]"
_PAIRS = {"before": "before_sensitive", "after": "after_sensitive", "values": "sensitive_values"}


def masked(document: Any) -> Any:
    """A copy without sensitive values."""
    if isinstance(document, list):
        return [masked(one) for one in document]
    if not isinstance(document, Mapping):
        return document
    if document.get("sensitive") is True:
        shown = {key: MASK for key in ("value", "default") if key in document}
        document = {**document, **shown}
    hidden = {
        key: hide(one, document[_PAIRS[key]]) if key in _PAIRS and _PAIRS[key] in document else one
        for key, one in document.items()
    }
    if isinstance(hidden.get("variables"), Mapping) and "configuration" in hidden:
        declared = hidden["configuration"].get("root_module", {}).get("variables", {})
        hidden["variables"] = {
            name: {**one, "value": MASK} if declared.get(name, {}).get("sensitive") else one
            for name, one in hidden["variables"].items()
        }
    return {key: masked(one) for key, one in hidden.items()}


def hide(value: Any, marks: Any) -> Any:
    """`value` with a mask wherever `marks` says true."""
    if marks is True:
        return MASK
    if isinstance(value, Mapping) and isinstance(marks, Mapping):
        return {key: hide(one, marks.get(key, False)) for key, one in value.items()}
    if isinstance(value, list) and isinstance(marks, list):
        return [hide(one, marks[at] if at < len(marks) else False) for at, one in enumerate(value)]
    return value
