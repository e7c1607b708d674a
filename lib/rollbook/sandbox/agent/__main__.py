from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from rollbook.errors import ExitCode, RollbookError
from rollbook.sandbox.agent.agent import serve
from rollbook.sandbox.agent.config import load_config


def main() -> int:
    """Entry point of the node agent's process."""
    parser = argparse.ArgumentParser(
        prog="python -m rollbook.sandbox.agent",
        description="The node agent of a sandbox; its supervisor starts it.",
    )
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see config.py")
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(load_config(arguments.config)))
    except RollbookError as error:
        logging.getLogger(__name__).critical("%s", error)
        return error.exit_code
    except BaseExceptionGroup as group:
        known, other = group.split(RollbookError)
        if other is not None or known is None:
            raise
        logging.getLogger(__name__).critical("%s", known.exceptions[0])
        return ExitCode.ENVIRONMENT_FAILED
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
