"""Many notebooks at once: each has a kernel of its own, and none fails to start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.launch.notebooks import executed, notebook, shown

from rollbook.launch.engine import execute

AT_ONCE = 16


def test_sixteen_notebooks_start_at_once(tmp_path: Path) -> None:
    """Their sockets have paths of their own, so that no kernel takes another one's port."""
    path = notebook(tmp_path, "print(x)")

    def run(number: int) -> None:
        execute(path, tmp_path / f"{number}.ipynb", {"x": number}, cwd=tmp_path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for started in [pool.submit(run, number) for number in range(AT_ONCE)]:
            started.result()

    assert [f"{number}\n" for number in range(AT_ONCE)] == [
        shown(executed(tmp_path / f"{number}.ipynb").cells[2]) for number in range(AT_ONCE)
    ]
