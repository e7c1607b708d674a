"""Prints docs/coverage.schema.json, JSON Schema of a run's coverage.json."""

from __future__ import annotations

import json
import sys

from rollbook.coverage.coverage_file import schema

if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
