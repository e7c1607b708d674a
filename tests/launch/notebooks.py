"""Small notebooks for the engine, and what it left of them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(folder: Path, *cells: str, name: str = "in.ipynb") -> Path:
    """A notebook with a parameters cell (`x = 1`) and these; one that starts with `#` and a space is text."""
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}),
            *(
                nbformat.v4.new_markdown_cell(cell)
                if cell.startswith("# ")
                else nbformat.v4.new_code_cell(cell)
                for cell in cells
            ),
        ],
        metadata={"kernelspec": KERNEL},
    )
    path = folder / name
    nbformat.write(made, path)
    return path


def executed(path: Path) -> Any:
    """The executed notebook, which must be valid."""
    read = nbformat.read(path, 4)
    nbformat.validate(read)
    return read


def states(path: Path) -> list[str]:
    """What became of each cell after the parameters cell; papermill's own marks of an error are none."""
    cells = [cell["metadata"] for cell in json.loads(path.read_text())["cells"]]
    return [cell["papermill"]["status"] for cell in cells if "papermill" in cell][1:]


def shown(cell: Any) -> str:
    """All text that a cell printed."""
    return "".join(one["text"] for one in cell.outputs if one.output_type == "stream")


@contextmanager
def signalled(ready: Path, number: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Send this process a signal as soon as `ready` exists."""

    def send() -> None:
        while not ready.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    thread.join(timeout=10)
