"""The executed notebooks of a run's record as HTML, in a browser."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser
from tests.browser.pages import visit

from rollbook.evidence.folder import RunFolder
from rollbook.launch.appendix import notebooks_to_html

ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_ask_for_nothing(browser: Browser, tmp_path: Path) -> None:
    """A notebook with formulas, tables and pictures is shown without a request and without an error."""
    folder = RunFolder.create(tmp_path, "run")
    cell = new_code_cell("42", execution_count=1)
    cell.outputs = [
        new_output("display_data", {"text/html": "<table><tr><th>weight<td>20 %</table>"}),
        new_output("display_data", {"image/png": ONE_PIXEL}),
        new_output("execute_result", {"text/plain": "42"}, execution_count=1),
    ]
    path = folder.notebook("canary")
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Canary\n\n$E = mc^2$"), cell]), path)

    assert ("canary",) == notebooks_to_html(folder)
    with visit(browser, path.with_suffix(".html")) as seen:
        seen.settle()
        assert ([], []) == (seen.asked, seen.errors)
        assert seen.page.get_by_text("20 %").is_visible()
