"""Records of what the world answered."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.report.runs import BEGAN, HandClock

from rollbook.bundle.answers import read_answers
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence import recorder as recorder_module
from rollbook.evidence.answers import NO_ANSWER, Asked, no_answer, path_of
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Journal, Kind
from rollbook.evidence.recorder import Recorder
from rollbook.evidence.resting import MOST
from rollbook.evidence.scrub import Scrubber

ROLLOUT = Asked("kube-apiserver", "GET /rollouts/hello", {})
PODS = Asked("kube-apiserver", "GET /pods", {"labelSelector": "app=hello"})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "run", scrubber=Scrubber.of({"DB_PASSWORD": "corvette-92-tulip"}))


@pytest.fixture
def book(folder: RunFolder) -> Recorder:
    return Recorder(folder, HandClock(), "canary", lambda: 7)


def raw(folder: RunFolder, record: str) -> dict[str, Any]:
    loaded = json.loads((folder.path / path_of(record)).read_bytes())
    assert isinstance(loaded, dict)
    return loaded


def test_a_record_says_what_was_asked_when_and_from_where(folder: RunFolder, book: Recorder) -> None:
    """Read back, it is the question, the answer, the time, the phase and the cell."""
    book.record(PODS, "200", {"items": []})

    (answer,) = read_answers(folder.path)

    assert (PODS, "200", {"items": []}) == (answer.asked, answer.status, answer.answer)
    assert (BEGAN, "canary", 7) == (answer.at, answer.phase, answer.cell)


def test_a_record_is_named_by_its_digest(folder: RunFolder, book: Recorder) -> None:
    """The id is the SHA-256 of the file, whose spelling is fixed: sorted keys, no blanks, ASCII."""
    record = book.record(ROLLOUT, "200", {"b": "ü", "a": 1})

    content = (folder.path / path_of(record)).read_bytes()

    assert record == hashlib.sha256(content).hexdigest()
    assert content.startswith(b'{"answer":{"a":1,"b":"\\u00fc"},"at":')


def test_an_answer_that_did_not_change_is_kept_once(folder: RunFolder) -> None:
    """The same answer to the same question has one record; a changed one, and a changed question, another."""
    clock = HandClock()
    book = Recorder(folder, clock, "canary")
    first = book.record(ROLLOUT, "200", {"weight": 20})
    clock.sleep(1)

    assert first == book.record(ROLLOUT, "200", {"weight": 20})
    assert first != book.record(ROLLOUT, "200", {"weight": 50})
    assert first != book.record(ROLLOUT, "200", {"weight": 20})
    assert first != book.record(PODS, "200", {"weight": 20})
    assert 4 == len(read_answers(folder.path))


def test_the_version_of_a_list_is_no_change(folder: RunFolder, book: Recorder) -> None:
    """The API server counts it up whenever anything in the cluster changes."""
    pods = {"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}

    first = book.record(PODS, "200", {**pods, "metadata": {"resourceVersion": "1"}})

    assert first == book.record(PODS, "200", {**pods, "metadata": {"resourceVersion": "2"}})
    item = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}
    assert [item] == raw(folder, first)["answer"]["items"]


def test_what_counts_each_time_is_kept_each_time(folder: RunFolder) -> None:
    """A write that is done twice is two records, also when both were answered alike."""
    clock = HandClock()
    book = Recorder(folder, clock, "canary")
    first = book.record(ROLLOUT, "200", {}, always=True)
    clock.sleep(1)

    assert first != book.record(ROLLOUT, "200", {}, always=True)
    assert 2 == len(read_answers(folder.path))


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}},
        {"kind": "SecretList", "items": [{"data": {"password": "aHVudGVyMg=="}}]},
        {"type": "ADDED", "object": {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}},
        {"note": "corvette-92-tulip"},
        "text with corvette-92-tulip",
    ],
)
def test_no_secret_reaches_a_record(folder: RunFolder, book: Recorder, answer: Any) -> None:
    """Values of Secrets, alone or in a list, and known values are gone before the digest is taken."""
    record = book.record(Asked("kube-apiserver", "PUT /x", {"body": answer}), "200", answer)

    text = json.dumps(raw(folder, record))

    assert "aHVudGVyMg" not in text
    assert "corvette" not in text
    assert "[secret " in text
    assert 1 == len(read_answers(folder.path))


def test_bookkeeping_of_the_api_server_is_left_out(folder: RunFolder, book: Recorder) -> None:
    """managedFields is gone from an object, from items of a list and from the object of a watch event."""
    thing = {"metadata": {"name": "a", "managedFields": [1]}}
    answers: list[Any] = [thing, {"kind": "PodList", "items": [thing]}, {"type": "ADDED", "object": thing}]

    kept = [json.dumps(raw(folder, book.record(PODS, "200", answer))) for answer in answers]

    assert [False] * 3 == ["managedFields" in one for one in kept]


def test_an_answer_without_bounds_is_kept_by_its_digest(
    folder: RunFolder, book: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is too long, size and digest are kept."""
    monkeypatch.setattr(recorder_module, "LARGEST_BYTES", 100)

    kept = raw(folder, book.record(PODS, "200", {"log": "x" * 200}))["answer"]

    assert {"not_kept": "too long", "bytes": 210} == {key: kept[key] for key in ("not_kept", "bytes")}


@pytest.mark.parametrize("text", ["\ud800", "\x00\x1b[31m", "\u202e", "🙂", "</script>"])
def test_any_text_can_be_kept(folder: RunFolder, book: Recorder, text: str) -> None:
    """Half surrogates, control characters and emoji come back as they were."""
    book.record(ROLLOUT, "200", {text: text})

    assert ({text: text},) == tuple(one.answer for one in read_answers(folder.path))


def test_what_was_asked_since_a_moment_is_known(book: Recorder) -> None:
    """Also what was answered as before; each once, in the order of being asked last."""
    rollout = book.record(ROLLOUT, "200", {"weight": 20})
    mark = book.mark()
    pods = book.record(PODS, "200", {"items": []})
    book.record(ROLLOUT, "200", {"weight": 20})

    assert (pods, rollout) == book.since(mark)
    assert () == book.since(book.mark())
    assert rollout == book.last()


def test_each_thread_has_its_own_last_question(book: Recorder) -> None:
    """What another thread asks meanwhile is not taken for one's own."""
    mine = book.record(ROLLOUT, "200", {})
    other = threading.Thread(target=lambda: book.record(PODS, "200", {}))
    other.start()
    other.join()

    assert mine == book.last()


def test_many_threads_lose_nothing(folder: RunFolder, book: Recorder) -> None:
    """Eight threads that record at once leave all of their records."""

    def work(number: int) -> None:
        for count in range(20):
            book.record(Asked("prometheus", "query", {"query": f"{number}"}), "200", count)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 160 == len(read_answers(folder.path))
    assert 160 == len(book.since(0))


def test_a_full_disk_is_told_by_the_journal_and_not_where_the_world_is_asked(
    folder: RunFolder, book: Recorder
) -> None:
    """Asking goes on, for the way back to stable asks too; the next entry of the journal raises it, once."""
    (folder.path / "evidence").write_text("no folder can be made here")
    journal = folder.journal("canary", HandClock(), book)

    book.record(ROLLOUT, "200", {})

    with pytest.raises(EnvironmentFailedError, match="cannot write"):
        journal.append(Kind.OBSERVATION, "rollout")
    journal.append(Kind.OBSERVATION, "rollout")
    assert 2 == len(journal.entries())


def test_nothing_is_kept_after_the_end(folder: RunFolder, book: Recorder) -> None:
    """A watch that still listens adds nothing to a run that is being sealed."""
    book.close()

    assert "" == book.record(ROLLOUT, "200", {})
    assert () == read_answers(folder.path)


def test_who_goes_on_after_the_end_is_kept_again(folder: RunFolder, book: Recorder) -> None:
    """The main thread opens the record again, and that is told once; another thread does not."""
    told: list[str] = []
    book.close(lambda: told.append("more"))
    other = threading.Thread(target=lambda: told.append(book.record(ROLLOUT, "200", {})))
    other.start()
    other.join()

    book.record(PODS, "200", {})
    book.record(ROLLOUT, "200", {})

    assert ["", "more"] == told
    assert 2 == len(read_answers(folder.path))


def test_a_step_names_the_records_of_what_it_asked(folder: RunFolder, book: Recorder) -> None:
    """At its end, well or badly, its entry has their ids; what was asked before it is not among them."""
    journal = folder.journal("canary", HandClock(), book)
    book.record(ROLLOUT, "200", {})

    with journal.step("look") as step:
        pods = book.record(PODS, "200", {})
    again = _asks_and_fails(journal, book)

    named = [entry.data.get("evidence") for entry in journal.entries()]
    assert [None, [pods], None, [again]] == named
    assert [pods] == step["evidence"]


def _asks_and_fails(journal: Journal, book: Recorder) -> str:
    again = ""
    with suppress(ZeroDivisionError), journal.step("fail"):
        again = book.record(PODS, "200", {"other": 1})
        raise ZeroDivisionError
    return again


def test_a_gate_names_what_was_asked_since_the_gate_before_it(folder: RunFolder, book: Recorder) -> None:
    """Unless it names its evidence itself."""
    journal = folder.journal("validate", HandClock(), book)
    rollout = book.record(ROLLOUT, "200", {})
    first = journal.append(Kind.GATE, "healthy", {"passed": True})
    pods = book.record(PODS, "200", {})
    second = journal.append(Kind.GATE, "image", {"passed": True})
    third = journal.append(Kind.GATE, "own", {"passed": True, "evidence": ["abc"]})
    fourth = journal.append(Kind.GATE, "nothing asked", {"passed": None})

    assert [[rollout], [pods], ["abc"], None] == [
        one.data.get("evidence") for one in (first, second, third, fourth)
    ]


def test_an_entry_names_so_many_records_and_counts_the_rest(folder: RunFolder, book: Recorder) -> None:
    """The last ones are named: they are what the end was seen by."""
    journal = folder.journal("canary", HandClock(), book)

    with journal.step("follow") as step:
        ids = [book.record(ROLLOUT, "200", {"weight": weight}) for weight in range(MOST + 3)]

    assert (ids[3:], MOST + 3) == (step["evidence"], step["evidence_asked"])


def test_a_journal_without_records_names_none(folder: RunFolder) -> None:
    """Entries of those who ask nothing are as they were."""
    journal = folder.journal("run", HandClock())

    with journal.step("look"):
        pass

    assert [{"state": "started"}, {"state": "done", "seconds": 0.0}] == [
        dict(entry.data) for entry in journal.entries()
    ]
    assert {} == journal.last_asked()


def test_an_outage_is_kept_once(folder: RunFolder, book: Recorder) -> None:
    """What connections complain of names objects of Python by their addresses, which would always be news."""

    def told(address: str) -> dict[str, str]:
        return no_answer(OSError(f"<Connection object at {address}>: refused"))

    first = book.record(ROLLOUT, NO_ANSWER, told("0x7f01"))

    assert first == book.record(ROLLOUT, NO_ANSWER, told("0x7f02"))
    assert {"error": "<Connection>: refused"} == raw(folder, first)["answer"]
