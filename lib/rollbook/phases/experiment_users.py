"""What the users of an experiment did: each counted once, by variant, and whether each kept the variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.domain.audience import VARIANTS, is_first_visit
from rollbook.domain.traffic import RequestRecord


@dataclass(frozen=True)
class VariantUsers:
    """Users of one variant. A user whose first request failed is one who did not convert."""

    variant: str
    users: int
    conversions: int
    requests: int
    failed: int
    elsewhere: int
    """Good answers that did not come from a pod of this variant."""


def count(records: Sequence[RequestRecord], pods: dict[str, str]) -> tuple[VariantUsers, VariantUsers]:
    """Count users and requests of both variants; `pods` has what the names of a variant's pods begin with."""
    a, b = (_counted(records, name, pods.get(name, "")) for name in VARIANTS)
    return a, b


def with_two_variants(records: Sequence[RequestRecord]) -> int:
    """How many users were sent to both variants; 0 is as it must be."""
    first: dict[str, str] = {}
    moved = {
        record.user for record in records if first.setdefault(record.user, record.variant) != record.variant
    }
    return len(moved)


def came_again(records: Sequence[RequestRecord]) -> int:
    """How many requests were a user's second visit or a later one."""
    return sum(not is_first_visit(record.request_id) for record in records)


def _counted(records: Sequence[RequestRecord], variant: str, pods: str) -> VariantUsers:
    mine = [record for record in records if record.variant == variant]
    first = [record for record in mine if is_first_visit(record.request_id)]
    return VariantUsers(
        variant=variant,
        users=len(first),
        conversions=sum(record.converted is True and not record.failed for record in first),
        requests=len(mine),
        failed=sum(record.failed for record in mine),
        elsewhere=sum(not record.failed and not record.pod.startswith(pods) for record in mine),
    )
