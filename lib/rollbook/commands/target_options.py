"""Options that say where to release: the same for every command that has them."""

from __future__ import annotations

from typing import Annotated

import typer

TargetOption = Annotated[str, typer.Option(help="Where to release: sandbox, aws or kubeconfig.")]
RegionOption = Annotated[str, typer.Option(help="AWS region; default: the profile's.", show_default=False)]
ClusterOption = Annotated[str, typer.Option(help="EKS cluster; default: rollbook.", show_default=False)]
EndpointOption = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="An emulator of AWS on this machine, or `sandbox` for the sandbox's.",
        show_default=False,
    ),
]
ContextOption = Annotated[
    str, typer.Option(help="Context of the kubeconfig, for --target kubeconfig.", show_default=False)
]
