"""Secrets planted wherever a run takes something in: none is in anything that it leaves."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import nbformat
import pytest

from rollbook.clock import SystemClock
from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import ExitCode, RollbookError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord
from rollbook.evidence.requests import LogWriter
from rollbook.evidence.seal import Seal, journal_state
from rollbook.launch.appendix import notebooks_to_html
from rollbook.launch.engine import execute
from rollbook.report import write

PLAIN = "tR4lv/9XcQ+ZkW7mNb2Jf0sHyEoPaUdG6iK1xLqT"
ODD = "o\"d'd/ö+v<a>l&u\\e% s--2026"
ACCESS_KEY = "AKIA" + "PLANTEDX2026ABCD"
SECRETS = (PLAIN, ODD, ACCESS_KEY)

CELLS = f"""what all cells use
import base64, html, json, os, urllib.parse
plain, odd = os.environ["PLANTED_API_TOKEN"], os.environ["ODD_PASSWORD"]

# --- printed, shown, in representations
print(plain, odd, parameter)
print(repr(odd), odd.encode())
(plain, odd)

# --- known by its shape alone
print("aws_access_key_id =", access)

# --- encoded
for text in (plain, odd):
    for before in range(3):
        print(base64.b64encode(b"~" * before + text.encode() + b"~").decode())
    print(urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text))
    print(json.dumps(dict(k=text)), json.dumps(text, ensure_ascii=False))
    print(base64.encodebytes(b"x" * 45 + text.encode() + b"y" * 45).decode())

# --- in several kinds of output at once
from IPython.display import HTML, display
display(HTML("<b>" + html.escape(odd) + "</b>"))
display({{"text/plain": plain, "application/json": {{odd: [plain]}}}}, raw=True)

# --- the labels of a plot
import matplotlib.pyplot as plt
%config InlineBackend.figure_formats = ["svg"]
figure, axes = plt.subplots(figsize=(3, 2))
axes.set_xlabel(plain)
axes.set_ylabel(odd)
plt.show()

# --- more than a notebook keeps, so that the rest goes to a file
print("\\n".join(str(number) + plain + odd for number in range(2000)))

# --- the record
from pathlib import Path
from rollbook.clock import SystemClock
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
folder = RunFolder.open(Path(run))
book = folder.journal("canary", SystemClock())
book.append(Kind.DECISION, "aborted", {{"message": "because " + odd, plain: plain}}, source="argo-rollouts")
folder.write_object("canary", "ConfigMap", "settings", {{"data": {{"greeting": "hi " + odd, plain: "1"}}}})
folder.write_log("canary", "pod-1", "GET /?q=" + urllib.parse.quote(odd) + plain)

# --- an exception, with the value in its text and in the line that raises it
with book.step("push the image", url="https://user:" + plain + "@registry"):
    raise ValueError("{PLAIN}", odd, access)
""".split("\n# --- ")


def spelled(secret: str) -> Iterator[str]:
    """The spellings in which the search looks for a secret."""
    yield from (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    )
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe="").lower())
    yield from (
        html.escape(secret),
        html.escape(secret, quote=False),
        html.escape(secret).replace("&#x27;", "&#39;"),
    )
    plain = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            encoded = encode(b"\0" * before + plain).decode()
            yield encoded[(0, 2, 3)[before] : (before + len(plain)) * 8 // 6]


def texts(value: Any) -> Iterator[str]:
    """All texts of a JSON value; lists of lines joined."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield "".join(value)
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)


def views(path: Path) -> Iterator[str]:
    """A file as somebody may look at it: as it is, decoded, without line ends and colours, drawn labels."""
    raw = path.read_bytes().decode("utf-8", errors="surrogateescape")
    decoded = [raw]
    if path.suffix in {".json", ".ipynb"}:
        decoded += texts(json.loads(raw))
    if path.suffix == ".jsonl":
        decoded += [text for line in raw.splitlines() for text in texts(json.loads(line))]
    for text in decoded:
        yield text
        yield re.sub(r"\x1b\[[0-9;]*m|\s", "", text)
        drawn = [int(code, 16) for code in re.findall(r'<use xlink:href="#\w+-([0-9a-f]+)"', text)]
        for first in (0, 29):  # by the number of the letter, or of its glyph in matplotlib's own font
            yield "".join(chr(code + first) for code in drawn)
    yield path.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunFolder]:
    """A run of a real notebook that was given secrets from everywhere, and its report; tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED_API_TOKEN", PLAIN)
        patch.setenv("ODD_PASSWORD", ODD)
        yield _run_with_secrets(tmp_path_factory.mktemp("secrets"))


def _run_with_secrets(tmp_path: Path) -> RunFolder:
    clock = SystemClock()
    folder = RunFolder.create(tmp_path, "run")
    record = RunRecord(folder)
    record.begin(
        datetime.now(UTC), {"command": ["rollbook", "run", "--set", f"x={PLAIN}"], "target": "sandbox"}
    )
    parameters = {"parameter": ODD, "access": ACCESS_KEY, "run": str(folder.path)}
    record.phase_started(clock.now(), "canary", "canary", parameters, "promoted")
    source = tmp_path / "in.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell("parameter = access = run = ''", metadata={"tags": ["parameters"]}),
                *(nbformat.v4.new_code_cell(f"# {cell.strip()}") for cell in CELLS),
            ],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        ),
        source,
    )
    with pytest.raises(RollbookError, match="ValueError") as raised:
        execute(
            source,
            folder.notebook("canary"),
            parameters,
            cwd=tmp_path,
            scrub=folder.scrubber.text,
            output_cap=20_000,
        )
    record.phase_ended(clock.now(), "canary", ExitCode.BUG, str(raised.value))
    with folder.traffic_log("canary").open("w") as log:
        LogWriter(log).write(RequestRecord(1.0, 1.0, 0.1, 200, Cause.OK, f"1.0.0-{PLAIN}", ODD))
    notebooks_to_html(folder)
    book = folder.journal("run", clock)
    book.append(Kind.RUN, "run ended", {"sentence": str(raised.value)})
    record.end(clock.now(), ExitCode.BUG, str(raised.value))
    book.seal()
    write(folder, folder.report)
    return folder


def test_no_secret_is_anywhere_in_a_run(folder: RunFolder) -> None:
    """Not in notebooks, journal, objects, logs, requests, pages or names of files, in whatever spelling."""
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    found = [
        f"{path.relative_to(folder.path)}: {spelling}"
        for path in files
        for view in views(path)
        for secret in SECRETS
        for spelling in spelled(secret)
        if spelling in view
    ]
    kinds = {path.suffix for path in files}

    assert [] == found
    assert {".json", ".jsonl", ".csv", ".log", ".ipynb", ".html"} <= kinds


def test_the_record_is_whole_without_its_secrets(folder: RunFolder) -> None:
    """Everything was executed and kept: the notebook is valid, each place shows a marker, the seal holds."""
    executed = nbformat.read(folder.notebook("canary"), 4)
    nbformat.validate(executed)
    outputs = json.dumps([cell.get("outputs", []) for cell in executed.cells])
    journal = (folder.path / "journal.jsonl").read_text()
    logs = [path.read_text() for path in folder.path.rglob("*.log")]

    for text in (outputs, journal, *logs):
        assert "[secret PLANTED_API_TOKEN]" in text
        assert "[secret ODD_PASSWORD]" in text
    assert "[secret AWS access key id]" in outputs
    assert "image/svg+xml" in outputs
    assert "ValueError" in folder.report.read_text()
    assert Seal.SEALED is journal_state(folder.path / "journal.jsonl").state
