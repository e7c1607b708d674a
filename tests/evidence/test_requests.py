from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.requests import HEADER, HEADER_WITHOUT_ID, LogReader, LogWriter, read_log
from rollbook.evidence.scrub import Scrubber

HEAD = ",".join(HEADER) + "\n"


def _record(scheduled_s: float) -> RequestRecord:
    return RequestRecord(scheduled_s, scheduled_s, 0.01, 200, Cause.OK, "1.0.0", "pod-1", "ab12cd-7")


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Nothing was written yet: no records."""
    assert () == read_log(tmp_path / "none.csv")


def test_records_come_by_scheduled_time(tmp_path: Path) -> None:
    """Requests are logged as they end and read as they were due."""
    log = tmp_path / "log.csv"
    with log.open("w") as file:
        writer = LogWriter(file)
        writer.write(_record(2.0))
        writer.write(_record(1.0))
    assert (_record(1.0), _record(2.0)) == read_log(log)


def test_a_line_that_is_not_whole_waits(tmp_path: Path) -> None:
    """A torn last line is left alone until it is whole."""
    log = tmp_path / "log.csv"
    reader = LogReader(log)
    log.write_text(HEAD + "1.0,1.0,0.01,200,o")
    assert () == reader.records()
    log.write_text(HEAD + "1.0,1.0,0.01,200,ok,1.0.0,pod-1,ab12cd-7\n")
    assert (_record(1.0),) == reader.records()
    assert (_record(1.0),) == reader.records()


def test_a_log_of_named_users_tells_who_did_what(tmp_path: Path) -> None:
    """User, variant and outcome are written where users have names, and come back as they were."""
    named = [
        replace(_record(float(number)), user=f"u-{number}", variant="b", converted=converted)
        for number, converted in enumerate((True, False, None))
    ]
    log = tmp_path / "log.csv"
    with log.open("w") as file:
        writer = LogWriter(file, users=True)
        for record in named:
            writer.write(record)
    assert tuple(named) == read_log(log)
    assert log.read_text().splitlines()[1].endswith(",u-0,b,1")


def test_a_log_without_ids_can_still_be_read(tmp_path: Path) -> None:
    """Runs of before requests had ids keep their records, without an id."""
    log = tmp_path / "log.csv"
    log.write_text(",".join(HEADER_WITHOUT_ID) + "\n1.0,1.0,0.01,200,ok,1.0.0,pod-1\n")
    assert (RequestRecord(1.0, 1.0, 0.01, 200, Cause.OK, "1.0.0", "pod-1", ""),) == read_log(log)


@pytest.mark.parametrize("text", ["a,b\n", HEAD + "1.0,1.0\n", HEAD + "x,1.0,0.01,200,ok,1,p,i\n"])
def test_a_log_that_was_tampered_with_is_refused(tmp_path: Path, text: str) -> None:
    """A line that is not a request names its number."""
    log = tmp_path / "log.csv"
    log.write_text(text)
    with pytest.raises(EvidenceInvalidError, match=r"line \d of log.csv"):
        read_log(log)


@given(version=st.text(max_size=20), pod=st.text(max_size=20), cause=st.sampled_from(Cause))
def test_whatever_a_header_says_is_one_line(version: str, pod: str, cause: Cause) -> None:
    """Commas, quotes and line breaks of a header do not break the log."""
    file = StringIO()
    writer = LogWriter(file)
    writer.write(RequestRecord(1.0, 1.0, 0.5, 200, cause, version, pod))
    assert 2 == len(file.getvalue().split("\n")) - 1


def test_a_secret_in_a_response_header_is_not_logged() -> None:
    """What a response says of itself is scrubbed, each time it says it."""
    file = StringIO()
    writer = LogWriter(file, scrubber=Scrubber.of({"TOKEN": "abc-123-def"}))
    for _ in range(2):
        writer.write(RequestRecord(1.0, 1.0, 0.5, 200, Cause.OK, "1.0.0+abc-123-def", "pod"))

    line = "1.000000,1.000000,0.500000,200,ok,1.0.0+[secret TOKEN],pod,\n"
    assert HEAD + 2 * line == file.getvalue()
