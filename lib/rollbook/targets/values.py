"""What the runbooks that make and end a target are told besides where it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Values:
    """Files of Terraform (its backend, values of variables) and the folder of charts; empty: the usual ones.

    Relative paths are looked for beside the service file.
    """

    backend: str = ""
    values: str = ""
    charts: str = ""
    addons: bool = True
