"""The tables of inputs and outputs in terraform/README.md, made from the code.

Run as a script, it writes them: .venv/bin/python -m tests.terraform.reference
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.terraform.tools import Command, hcl_to_json

from rollbook.sandbox.home import Cache

SOURCE = Path(__file__).parents[2] / "terraform"
BEGIN = "<!-- inputs and outputs: made by tests/terraform/reference.py -->"
END = "<!-- end of inputs and outputs -->"


def parsed(command: Command, *files: Path) -> list[dict[str, Any]]:
    """Each file as the parser gives it."""
    done = subprocess.run(
        [*command.argv, *map(str, files)],
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def blocks(content: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Blocks of one kind by name; each attribute is a list of one in what the parser gives."""
    return {
        name: {key: value[0] for key, value in body.items() if isinstance(value, list) and value}
        for block in content.get(kind, [])
        for name, body in block.items()
    }


def tables(command: Command) -> str:
    """Both tables as Markdown."""
    inputs, outputs = parsed(command, SOURCE / "variables.tf", SOURCE / "outputs.tf")
    lines = ["## Inputs", "", "| name | type | default | |", "|---|---|---|---|"]
    for name, body in blocks(inputs, "variable").items():
        default = f"`{json.dumps(body['default'])}`" if "default" in body else "**required**"
        lines.append(f"| `{name}` | {_type(body['type'])} | {default} | {_cell(body['description'])} |")
    lines += ["", "## Outputs", "", "| name | |", "|---|---|"]
    for name, body in blocks(outputs, "output").items():
        lines.append(f"| `{name}` | {_cell(body['description'])} |")
    return "\n".join(lines)


def section(text: str) -> str:
    """What stands between the two marks."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def _type(expression: str) -> str:
    plain = expression.removeprefix("${").removesuffix("}")
    return "object" if plain.startswith("object(") else plain


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace('\\"', '"').replace("|", "\\|")


if __name__ == "__main__":
    readme = SOURCE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    made = tables(hcl_to_json(Cache.current()))
    readme.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}")
