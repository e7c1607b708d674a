"""Argo's own controller asks the judge: the template that does it joins the Rollout's background analysis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rollbook.domain.service import Service
from rollbook.errors import BadInputError
from rollbook.ports import Manifest

LABEL = "rollbook.dev/judge"
"""Label of the AnalysisTemplate that asks `rollbook judge serve`."""
URL_PLACEHOLDER = "ROLLBOOK_JUDGE_URL"
"""Stands in it for the judge's address, as the controller reaches it."""


def put_judge(
    canary: dict[str, Any], rendered: Sequence[Manifest], since: datetime, service: Service
) -> None:
    """Add the template to the strategy's analysis, with both hashes and the canary's beginning as arguments.

    BadInputError when the overlay has no such template, or nobody put an address into it.
    """
    templates = [
        one
        for one in rendered
        if one.get("kind") == "AnalysisTemplate" and LABEL in (one["metadata"].get("labels") or {})
    ]
    if len(templates) != 1:
        raise BadInputError(
            f"the overlay holds {len(templates)} AnalysisTemplates with the label {LABEL}",
            why="with judge=argo, Argo asks the judge by that one",
            next_step="Add the component k8s/judge to the overlay, or give another judge.",
        )
    given = templates[0]["spec"].get("args") or []
    if any(one.get("value") == URL_PLACEHOLDER for one in given):
        raise BadInputError(
            "the address of the judge is not known on this target",
            why=f"{templates[0]['metadata']['name']} has {URL_PLACEHOLDER} where it should be",
            next_step=f"Put the URL of `rollbook judge serve` there in the overlay of {service.source.name}.",
        )
    analysis = canary.setdefault("analysis", {})
    analysis["templates"] = [
        *(analysis.get("templates") or []),
        {"templateName": templates[0]["metadata"]["name"]},
    ]
    ours: dict[str, dict[str, Any]] = {
        "canary-hash": {"valueFrom": {"podTemplateHashValue": "Latest"}},
        "stable-hash": {"valueFrom": {"podTemplateHashValue": "Stable"}},
        "start": {"value": f"{since.timestamp():.3f}"},
    }
    kept = [one for one in analysis.get("args") or [] if one["name"] not in ours]
    analysis["args"] = [*kept, *({"name": name, **one} for name, one in ours.items())]
