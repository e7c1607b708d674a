"""Tables of counts: what is read, and what is refused with its line."""

from __future__ import annotations

import pytest

from rollbook.errors import BadInputError
from rollbook.judge import replay, table
from rollbook.judge.model import Block, Verdict
from rollbook.judge.standing import RateMetric

HEAD = "time,stable_total,stable_errors,canary_total,canary_errors\n"

REFUSED = {
    "empty": (b"", "counts.csv is empty"),
    "only a header": (HEAD.encode(), "counts.csv has a header and no rows"),
    "a column that is missing": (
        b"time,stable_total\n1,2\n",
        "line 1: the column stable_errors is not there",
    ),
    "a column twice": (HEAD.replace("time", "time,time").encode(), "line 1: the column time is twice there"),
    "no header": (b"0,1,0,1,0\n", "line 1: the column time is not there"),
    "a value too many": (f"{HEAD}0,1,0,1,0,9\n".encode(), "line 2 has 6 values, and the header 5"),
    "a word": (
        f"{HEAD}0,1,0,1,0\n5,many,0,1,0\n".encode(),
        "line 3: stable_total is 'many', which is no count",
    ),
    "below 0": (f"{HEAD}0,-1,0,1,0\n".encode(), "line 2: stable_total is '-1', which is no count"),
    "infinite": (f"{HEAD}0,inf,0,1,0\n".encode(), "line 2: stable_total is 'inf', which is no count"),
    "too large": (f"{HEAD}0,1e300,0,1,0\n".encode(), "line 2: stable_total is '1e300', which is no count"),
    "a rate": (f"{HEAD}0,1,0,1.5,0\n".encode(), "line 2: canary_total is '1.5', which is no whole number"),
    "more errors than requests": (f"{HEAD}0,1,0,1,2\n".encode(), "line 2: canary has 2 errors of 1 requests"),
    "no time": (f"{HEAD},1,0,1,0\n".encode(), "line 2: time is missing, which is no number of seconds"),
    "a date": (f"{HEAD}2026-01-01,1,0,1,0\n".encode(), "line 2: time is '2026-01-01'"),
    "time that stands": (
        f"{HEAD}0,1,0,1,0\n\n0,2,0,2,0\n".encode(),
        "line 4: time 0 is not after 0, that of line 2",
    ),
    "not UTF-8": (HEAD.encode() + b"0,1,0,1,\xe9\n", "line 2: it is not UTF-8 text"),
    "an open quote": (f'{HEAD}0,1,0,1,"0\n'.encode(), "line 2: it is not CSV"),
    "a binary": (b"\x00\x01\x02", "line 1: the column time is not there"),
}


@pytest.mark.parametrize(("data", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_such_table_is_refused_with_its_line(data: bytes, complaint: str) -> None:
    """One error names the file, the line, and what is wrong in it."""
    with pytest.raises(BadInputError) as refused:
        table.parse(data, "counts.csv")

    assert complaint in refused.value.what


def test_what_other_tools_write_is_read() -> None:
    """A byte order mark, Windows' line ends, other columns, another order, blank lines, whole floats."""
    data = (
        "\ufeffcanary_errors, TIME,canary_total,note,stable_errors,stable_total\r\n"
        "\r\n"
        '1,0.5,1e1,"a, b",2.0,90\r\n'
        "2,1.5,20,,NaN,180\r\n"
    ).encode()
    rows = table.parse(data, "counts.csv")

    assert [(3, 0.5, (90, 2), (10, 1), False), (4, 1.5, (180, 0), (20, 2), True)] == [
        (one.line, one.at_s, one.stable, one.canary, one.missing) for one in rows
    ]


def judged(lines: list[str], *, per_block: bool = False) -> replay.Replay:
    rows = table.parse((HEAD + "\n".join(lines)).encode(), "counts.csv")
    return replay.replay(rows, RateMetric(), per_block=per_block)


def test_counters_and_counts_of_each_look_end_the_same() -> None:
    """Whichever way they are written, with a scrape missing and a restart of each side among them."""
    added = [(90, row % 2, 10, 1 + row % 4) for row in range(12)]
    blocks = ["0,0,0,0,0", *(f"{5 * row + 5},{','.join(map(str, one))}" for row, one in enumerate(added))]
    kept, counters = [0, 0, 0, 0], ["0,0,0,0,0"]
    for row, one in enumerate(added):
        if row == 4:
            kept[:2] = 0, 0
        if row == 8:
            kept[2:] = 0, 0
        kept = [old + new for old, new in zip(kept, one, strict=True)]
        counters.append(f"{5 * row + 5},{','.join(map(str, kept))}")
    by_counters, by_blocks = judged(counters), judged(blocks, per_block=True)

    assert [one.verdict for one in by_blocks.looks] == [one.verdict for one in by_counters.looks]
    assert by_blocks.looks[-1] == by_counters.looks[-1]
    assert (
        "2 time(s) a counter fell: taken as a process that began again from zero.",
    ) == by_counters.last.warnings
    counters[7] = "35,,,,"
    assert Block(1080, 6, 120, 30) == judged(counters).last.counts


def test_there_is_a_look_for_each_row_and_a_change_for_each_verdict() -> None:
    """The first row of counters has no data yet; then undecided; then harmful to the end."""
    rows = [f"{5 * row},{90 * row},{row // 2},{10 * row},{row}" for row in range(9)]
    found = judged(rows)

    assert 9 == len(found.looks)
    assert [Verdict.NO_DATA, Verdict.UNDECIDED, Verdict.HARMFUL] == [
        one.verdict for one in replay.changes(found)
    ]
    assert found.last.first_harmful_s == replay.changes(found)[-1].at_s


@pytest.mark.parametrize(
    ("per_block", "line", "hint"),
    [
        (False, lambda row: f"{row},{90 + row % 3},0,{10 + row % 2},0", "to be read with --per-block"),
        (False, lambda row: f"{row},{90 - row},0,{10 - row % 2},0", "for --per-block?"),
        (True, lambda row: f"{row},{90 * row},0,{10 * row},0", "leave --per-block out"),
    ],
)
def test_a_file_of_the_other_kind_is_noticed(per_block: bool, line: object, hint: str) -> None:
    """Counters that keep falling, and counts that never do, are probably the other thing."""
    assert callable(line)
    found = judged([line(row) for row in range(30)], per_block=per_block)

    assert any(hint.split("to be read with ")[-1].lower() in one.lower() for one in found.last.warnings)
