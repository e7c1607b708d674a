"""Notebooks as JSON, piece by piece: what nbformat writes for a whole notebook at once."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbformat import notebooknode, v4
from nbformat.v4 import nbjson, rwbase

from rollbook.launch.scrubbing import Scrub, scrubbed, scrubbed_cell

# nbformat is not typed.
new_output: Callable[..., Any] = v4.new_output
"""An output of a cell, valid: `output_type`, then its fields by name."""
output_from_message: Callable[[Any], Any] = v4.output_from_msg
"""The output that a kernel's message shows. ValueError when it shows none."""
from_json: Callable[[str], Any] = v4.reads
"""A notebook from its JSON."""
_node: Callable[[Any], Any] = notebooknode.from_dict
_split: Callable[[Any], Any] = rwbase.split_lines
_strip: Callable[[Any], Any] = rwbase.strip_transient


def cell_json(cell: Any, scrub: Scrub | None) -> str:
    """One cell, indented as it stands in a notebook, scrubbed."""
    saved = scrubbed_cell(cell, scrub) if scrub else copy.deepcopy(cell)
    one = _strip(_split(_node({"cells": [saved], "metadata": {}})))
    return "\n" + re.sub("^", "  ", _json(one["cells"][0]), flags=re.MULTILINE)


def notebook_json(notebook: Mapping[str, Any], cells: Sequence[str], scrub: Scrub | None) -> str:
    """A whole notebook around cells that are JSON already."""
    rest = _strip(_node({**notebook, "cells": [], "metadata": dict(notebook["metadata"])}))
    if scrub:
        rest["metadata"] = scrubbed(rest["metadata"], scrub)
    whole = _json(rest)
    if cells:
        # "cells" sorts before all else that the format knows, so the empty list comes first.
        whole = whole.replace('"cells": []', f'"cells": [{",".join(cells)}\n ]', 1)
    return whole + "\n"


def _json(value: Any) -> str:
    return json.dumps(
        value,
        cls=nbjson.BytesEncoder,
        ensure_ascii=False,
        indent=1,
        sort_keys=True,
        separators=(",", ": "),
    )
