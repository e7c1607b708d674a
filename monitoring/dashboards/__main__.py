"""Write each dashboard's JSON."""

from __future__ import annotations

from pathlib import Path

from monitoring.dashboards import BOARDS
from monitoring.dashboards.grafana import rendered

for board in BOARDS:
    name = board.uid.removeprefix("rollbook-")
    (Path(__file__).parent / f"{name}.json").write_text(rendered(board), encoding="utf-8")
