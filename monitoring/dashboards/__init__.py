"""Grafana dashboards as code: `python -m monitoring.dashboards` writes the JSON files beside this one.

It needs grafana-foundation-sdk; model, release and operation do not.
"""

from monitoring.dashboards.operation import PLATFORM_BOARD, SLO_BOARD
from monitoring.dashboards.release import ROLLOUT_BOARD, SERVICE_BOARD

BOARDS = (ROLLOUT_BOARD, SERVICE_BOARD, SLO_BOARD, PLATFORM_BOARD)
