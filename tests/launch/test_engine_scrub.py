"""What must not be written is in nothing that the engine saves."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.launch.notebooks import executed, notebook

from rollbook.errors import RollbookError
from rollbook.launch.engine import execute
from rollbook.launch.scrubbing import cut_after, cut_before, scrubbed, scrubbed_cell

SECRET = "hunter2-hunter2"


def scrub(text: str) -> str:
    return text.replace(SECRET, "[gone]").replace(base64.b64encode(SECRET.encode()).decode(), "[gone]")


def test_every_text_of_a_cell_is_scrubbed_and_the_cell_stays_valid() -> None:
    """Sources, outputs, tracebacks, metadata, keys, and lines with the secret across two."""
    half = len(SECRET) // 2
    made = nbformat.v4.new_code_cell(
        f"password = '{SECRET}'",
        metadata={"tags": [SECRET], SECRET: {"deep": [1, {"er": SECRET}]}},
        outputs=[
            nbformat.v4.new_output("stream", name="stdout", text=f"a {SECRET} b"),
            nbformat.v4.new_output(
                "display_data",
                data={"image/svg+xml": f"<text>{SECRET}</text>", "application/json": {SECRET: [SECRET]}},
            ),
            nbformat.v4.new_output(
                "error", ename="E", evalue=SECRET, traceback=["one", f"two {SECRET}", "three"]
            ),
        ],
    )
    made["source"] = [made["source"][: 12 + half], made["source"][12 + half :]]
    before = copy.deepcopy(made)

    clean = scrubbed_cell(made, scrub)

    assert SECRET not in json.dumps(clean)
    assert "".join(clean["source"]) == "password = '[gone]'"
    assert clean["outputs"][2]["traceback"] == ["one", "two [gone]", "three"]
    assert clean["outputs"][0]["text"] == "a [gone] b"
    clean["source"] = "".join(clean["source"])
    whole = nbformat.v4.new_notebook(cells=[nbformat.from_dict(clean)])
    nbformat.validate(whole)
    assert before == made


def test_a_number_that_is_a_secret_is_one() -> None:
    """A code given as a number is as secret as its digits in a text."""
    clean = scrubbed(
        {"pin": 424242, "rate": 0.5, "on": True, "off": None}, lambda text: text.replace("424242", "x")
    )

    assert clean == {"pin": "x", "rate": 0.5, "on": True, "off": None}


def test_words_of_the_format_are_left_alone() -> None:
    """A secret that happens to be called as a field of the format does not break the notebook."""
    made = nbformat.v4.new_code_cell(
        "stdout", outputs=[nbformat.v4.new_output("stream", name="stdout", text="stdout")]
    )

    clean = scrubbed_cell(made, lambda text: text.replace("stdout", "[gone]").replace("code", "[gone]"))

    nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.from_dict(clean)]))
    assert (clean["source"], clean["outputs"][0]["text"]) == ("[gone]", "[gone]")


@example([SECRET, "\n", SECRET], 2)
@given(
    st.lists(st.sampled_from([SECRET, "text ", "\n", "x" * 50, SECRET[:9]]), max_size=30), st.integers(0, 900)
)
def test_a_cut_leaves_two_pieces_that_scrub_as_the_whole_does(pieces: list[str], limit: int) -> None:
    """Wherever it is asked for, on either side of the limit."""
    text = "".join(pieces)
    limit = min(limit, len(text))

    for at in (cut_before(text, limit, scrub), cut_after(text, limit, scrub)):
        assert scrub(text) == scrub(text[:at]) + scrub(text[at:])
    assert cut_before(text, limit, scrub) <= limit <= cut_after(text, limit, scrub)


@pytest.mark.parametrize("last", ["x", "raise ValueError(x)"])
def test_nothing_that_is_saved_has_the_secret(tmp_path: Path, last: str) -> None:
    """A parameter, printed text, a plot's label, a capped log, an error: it is nowhere beneath the folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "tmp").mkdir()
    cells = (
        f"print({SECRET!r}, flush=True)",
        "for number in range(5_000): print(number, x)",
        "from IPython.display import SVG; SVG(f'<svg xmlns=\"http://www.w3.org/2000/svg\"><text>{x}</text></svg>')",
        f"# {SECRET}",
        "import base64; base64.b64encode(x.encode())",
        last,
    )

    def run() -> None:
        execute(
            notebook(tmp_path, *cells),
            folder / "out.ipynb",
            {"x": SECRET},
            cwd=tmp_path,
            output_cap=20_000,
            scrub=scrub,
        )

    if last == "x":
        run()
    else:
        with pytest.raises(RollbookError) as caught:
            run()
        assert SECRET not in str(caught.value)

    found = sorted(path.name for path in folder.iterdir())
    assert found == ["out.4.log", "out.ipynb"]
    for path in folder.iterdir():
        content = path.read_bytes()
        assert SECRET.encode() not in content
        assert base64.b64encode(SECRET.encode()) not in content
        assert b"[gone]" in content
    cell: Any = executed(folder / "out.ipynb")
    assert cell.metadata.papermill["parameters"] == {"x": "[gone]"}
