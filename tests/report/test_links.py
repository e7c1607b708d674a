"""Every number leads to its evidence: files and records are listed, and what refers to them finds them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.report import bundles, runs
from tests.report.test_page import Outline

from rollbook.evidence.folder import RunFolder
from rollbook.report import build, render
from rollbook.report.places import file_anchor, record_anchor


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with everything in it."""
    return bundles.whole_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def page(run: RunFolder) -> str:
    """Its page."""
    return render(build(run))


def test_every_anchor_exists(page: str) -> None:
    """No link within the page leads nowhere, and no anchor is there twice."""
    outline = Outline(page)
    wanted = {at[1:] for at in outline.addresses if at.startswith("#")}
    assert set() == wanted - set(outline.ids)
    assert {} == {name: times for name, times in outline.ids.items() if times > 1}


def test_every_link_to_a_file_finds_it(run: RunFolder, page: str) -> None:
    """Files and records are linked by paths that exist beside the page."""
    links = [at for at in Outline(page).addresses if not at.startswith(("#", "../../docs/"))]
    assert 80 < len(links)
    assert [] == [at for at in links if not (run.path / at).is_file()]


def test_tiles_lead_to_evidence(run: RunFolder, page: str) -> None:
    """Each figure of the first screen is a link, and that of the drill leads to its log of requests."""
    model = build(run)
    assert [] == [tile.name for tile in model.headline.tiles if not tile.anchor]
    drill = next(tile for tile in model.headline.tiles if tile.name == "Failed in the drill")
    assert file_anchor("traffic/drill.csv") == drill.anchor
    assert len(model.headline.tiles) == len(re.findall(r'<dd class="value [^"]*"><a href="#', page))


def test_gates_and_steps_lead_to_their_records(run: RunFolder) -> None:
    """A gate, a step and a finding name the records that they rest on; all of those are listed."""
    model = build(run)
    gate = next(gate for gate in model.gates if gate.name == "targets up")
    steps = model.steps
    assert steps is not None
    named = {ref.anchor for row in steps.rows for ref in row[-1].refs} | {ref.anchor for ref in gate.refs}
    listed = {row[0].anchor for group in model.records for row in group.table.rows}
    assert 2 == len(named)
    assert set() == named - listed


def test_a_record_says_what_was_asked(run: RunFolder) -> None:
    """A record's row has its digest, question, time, cell and status."""
    model = build(run)
    group = next(group for group in model.records if group.phase == "validate")
    rows = {row[1].text: row for row in group.table.rows}
    query = rows['prometheus: query_range {"end": 2.0, "query": "up", "start": 1.0, "step": "15"}']
    assert ["09:32:29.0", "In [3]", "200"] == [cell.text for cell in query[2:]]
    assert query[0].link.endswith(".json")
    assert record_anchor(query[0].link.rpartition("/")[2]) == query[0].anchor


def test_long_lists_of_records_are_capped(run: RunFolder) -> None:
    """Of sixty records that nothing refers to forty are listed, and the others are counted."""
    group = next(group for group in build(run).records if group.phase == "canary")
    assert (60, 40, "And 20 more in evidence/.") == (
        group.count,
        len(group.table.rows),
        group.table.note,
    )


def test_every_figure_has_its_data_as_a_table(page: str) -> None:
    """There are as many tables of data as figures; the analysis and the changes have tables of their own."""
    figures = len(re.findall(r"<figure>", page))
    tables = len(re.findall(r"<summary>Data of this figure", page))
    analyses = len(re.findall(r"<summary>Measurements: ", page))
    changes = len(re.findall(r"<h3>What users felt around each change", page))
    assert (9, 5, 2, 2) == (figures, tables, analyses, changes)


def test_an_edited_record_is_told_and_not_linked(tmp_path: Path) -> None:
    """A record whose name is not its digest any more is named at the top, and nothing leads to it."""
    folder = bundles.whole_run(tmp_path)
    gate = next(gate for gate in build(folder).gates if gate.name == "targets up")
    record = next((folder.path / "evidence" / "sha256").glob(f"*/{gate.refs[0].label}*.json"))
    record.write_bytes(record.read_bytes().replace(b"success", b"succeed"))
    model = build(folder)
    assert () == next(gate for gate in model.gates if gate.name == "targets up").refs
    assert any("is not believed" in sentence for sentence in model.headline.missing)
    assert any("other evidence" in sentence for sentence in model.headline.missing)


def test_a_run_without_coverage_has_no_empty_sections(tmp_path: Path) -> None:
    """An old run has no requirements, and no heading for them."""
    page = render(build(runs.full_run(tmp_path)))
    assert 'id="coverage"' not in page
    assert "This run kept no records of single calls." in page


def test_only_what_is_there_can_be_filtered(run: RunFolder) -> None:
    """There is a choice for each state, kind and layer that has a requirement, and a rule for each choice."""
    page = render(build(run))
    choices = re.findall(r'<input type="radio" name="f[skl]" id="(f[skl]-[\w-]+)"', page)
    rules = re.findall(r"#coverage:has\(#([\w-]+):checked\)", page)
    assert 3 + 7 + 3 + 3 == len(choices)
    assert sorted(rules) == sorted(one for one in choices if not one.endswith("-all"))


def test_the_page_says_whether_aws_was_real(tmp_path: Path) -> None:
    """Calls to an endpoint of an emulator cost nothing; a call to AWS's own is told as real."""
    folder = bundles.whole_run(tmp_path)
    assert build(folder).cost.sentence.startswith("Emulated: no cost.")
    bundles.keep(folder, "deploy", "aws:ecr", "ecr:PutImage", {"imageTag": "1"}, {})
    assert build(folder).cost.sentence.startswith("Real AWS: 1\u00a0answer")
