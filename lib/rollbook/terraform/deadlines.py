"""How long a command of Terraform may take.

Terraform itself has no end: its provider repeats a request that is refused for up to hours, and one that is
never answered is waited for without a limit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deadlines:
    """In seconds: `init` (it may fetch a provider of 150 MB), `plan` (it asks for all that is there), `apply`
    (destroying too), and the commands that read what is on the disk."""

    init_s: float
    plan_s: float
    apply_s: float
    read_s: float

    def of(self, command: str) -> float:
        """That of a command, such as `plan` or `show`."""
        known = {"init": self.init_s, "plan": self.plan_s, "apply": self.apply_s}
        return known.get(command, self.read_s)


AWS = Deadlines(init_s=1200.0, plan_s=900.0, apply_s=5400.0, read_s=300.0)
"""A control plane takes 10 to 15 minutes, its nodes and add-ons 10 more; a failing one is given up by the
provider after an hour."""
EMULATOR = Deadlines(init_s=1200.0, plan_s=600.0, apply_s=480.0, read_s=300.0)
"""Nothing is slow there but the provider: it waits up to a minute before it deletes a cluster, and needs a
processor. Destroying takes 70 to 130 s on two of them, and three times as long when others want them too."""
