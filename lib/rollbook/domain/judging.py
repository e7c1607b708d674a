"""Names of what the judge of a canary writes into the journal: for who writes it, shows it and replays it."""

SOURCE = "judge"
"""Source of all its entries."""
LOOK = "look"
"""An observation: what was known at a look."""
ADVANCES = "judge advances"
"""A decision: it ended a paused step, by its policy."""
ABORTS = "judge aborts"
"""A decision: it aborted the Rollout, by its policy."""
EXPERIMENT_LOOK = "experiment look"
"""An observation: what was known of an A/B test at a look."""
EXPERIMENT_JUDGED = "experiment judged"
"""A decision: what the judge says of an A/B test at its end."""


def said(verdict: str) -> str:
    """A decision: the verdict has changed to this one."""
    return f"judge: {verdict}"


def of_metric(name: str, verdict: str) -> str:
    """A decision: what is said of one metric has changed to this."""
    return f"judge, {name}: {verdict}"
