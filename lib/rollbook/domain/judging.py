"""Names of what the judge of a canary writes into the journal: for who writes it, shows it and replays it."""

SOURCE = "judge"
"""Source of all its entries."""
LOOK = "look"
"""An observation: what was known at a look."""
ABORTS = "judge aborts"
"""A decision: it aborted the Rollout, by its policy."""


def said(verdict: str) -> str:
    """A decision: the verdict has changed to this one."""
    return f"judge: {verdict}"
