"""The live picture: it grows in place, costs little, and is silent outside a notebook."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import nbformat
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from rollbook.domain.accounting import series
from rollbook.domain.rollout import RolloutStatus
from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.evidence.journal import Entry, Kind
from rollbook.notebook.live import CanaryPicture
from rollbook.notebook.live_counts import LiveCounts

STATUS = RolloutStatus(
    namespace="hello",
    name="hello",
    phase="Progressing",
    message="",
    stable_hash="aaaa",
    current_hash="bbbb",
    weight=20,
    step_index=0,
    step_count=4,
    paused=False,
    aborted=False,
    aborted_at=None,
    generation=2,
    observed_generation=2,
    replicas=4,
    ready_replicas=4,
    image="hello@sha256:0",
    background_run="",
)
ABORTED = Entry(1, datetime.fromtimestamp(1012, UTC), "canary", Kind.DECISION, "aborted", "argo-rollouts", {})


@dataclass
class FakeScreen:
    """Keeps what was shown."""

    shown: list[tuple[bytes, str]] = field(default_factory=list)

    def show(self, png: bytes, text: str) -> None:
        self.shown.append((png, text))


@dataclass
class HandClock:
    """Seconds that a test sets."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def requests(seconds: int, rps: int = 10) -> list[RequestRecord]:
    """Requests of so many seconds; every fifth one meets the canary, every tenth of the canary's fails."""
    return [
        RequestRecord(
            scheduled_s=1000 + number / rps,
            sent_s=1000 + number / rps,
            latency_s=0.02,
            status=503 if number % 50 == 0 else 200,
            cause=Cause.APP_ERROR if number % 50 == 0 else Cause.OK,
            version="1.1.0" if number % 5 == 0 else "1.0.0",
            pod="",
        )
        for number in range(seconds * rps)
    ]


def moment(seconds: float) -> datetime:
    """So many seconds after the first request."""
    return datetime.fromtimestamp(1000 + seconds, UTC)


def test_it_draws_at_most_once_in_its_interval_and_the_last_state_at_the_end() -> None:
    """Ten updates within a second draw one picture, and the end draws the newest state."""
    screen, clock = FakeScreen(), HandClock()
    with CanaryPicture(stable="1.0.0", canary="1.1.0", screen=screen, monotonic=clock) as picture:
        for tenth in range(10):
            clock.seconds = tenth / 10
            picture.update(moment(10 + tenth / 10), requests(10)[: 90 + tenth], STATUS)
        assert 1 == len(screen.shown)
    assert 2 == len(screen.shown)
    assert "99 requests answered, 2 failed" in screen.shown[-1][1]
    assert b"\x89PNG" == screen.shown[-1][0][:4]


def test_nothing_new_draws_nothing() -> None:
    """An update that brings no request, no decision and no status draws nothing."""
    screen, clock = FakeScreen(), HandClock()
    picture = CanaryPicture(stable="1.0.0", canary="1.1.0", screen=screen, monotonic=clock)
    for second in range(5):
        clock.seconds = second * 10
        picture.update(moment(20 + second), requests(10), STATUS)
    picture.finish()
    assert 1 == len(screen.shown)


def test_it_draws_before_the_first_request_and_with_an_abort() -> None:
    """No request at all, and an aborted rollout with an objective, are drawn as well."""
    screen = FakeScreen()
    picture = CanaryPicture(
        stable="1.0.0", canary="1.1.0", availability=0.99, p95_s=0.3, every_s=0, screen=screen
    )
    picture.update(moment(0), [], STATUS)
    picture.update(
        moment(20), requests(20), replace(STATUS, weight=0, aborted=True, phase="Degraded"), [ABORTED]
    )
    picture.finish()
    assert 2 == len(screen.shown)
    assert "weight 0 %, Degraded" in screen.shown[-1][1]


@given(
    st.lists(st.tuples(st.integers(0, 600), st.sampled_from(["1.0.0", "1.1.0", ""])), max_size=60), st.data()
)
def test_counting_as_it_grows_equals_counting_at_once(
    rows: list[tuple[int, str]], data: st.DataObject
) -> None:
    """However requests arrive, even late ones of long ago, the bins are those of the whole list."""
    whole = [
        RequestRecord(tenth / 10, tenth / 10, 0.01, 200, Cause.OK, version, "") for tenth, version in rows
    ]
    counts = LiveCounts()
    so_far: list[RequestRecord] = []
    for one in data.draw(st.permutations(whole)):
        so_far = sorted([*so_far, one], key=lambda record: record.scheduled_s)
        counts.take(so_far)
    counts.take(so_far)
    assert dict(series(so_far)) == dict(counts.bins())


def test_outside_a_notebook_it_is_silent() -> None:
    """In a plain Python process, update and finish print nothing and raise nothing."""
    program = (
        "from datetime import datetime, UTC\n"
        "from rollbook.notebook.live import CanaryPicture\n"
        "from tests.notebook.test_live import STATUS, requests\n"
        "picture = CanaryPicture(stable='1.0.0', canary='1.1.0')\n"
        "picture.update(datetime.now(UTC), requests(5), STATUS)\n"
        "picture.finish()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ("", "") == (done.stdout, done.stderr)


def test_an_executed_notebook_holds_one_picture_with_its_words() -> None:
    """Many updates in a cell leave one output: the last picture, with its words as alternative text."""
    source = (
        "from tests.notebook.test_live import STATUS, moment, requests\n"
        "from rollbook.notebook.live import CanaryPicture\n"
        "with CanaryPicture(stable='1.0.0', canary='1.1.0', every_s=0) as picture:\n"
        "    for second in (5, 10, 15):\n"
        "        picture.update(moment(second), requests(second), STATUS)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    outputs = notebook.cells[0].outputs
    assert ["display_data"] == [output.output_type for output in outputs]
    assert "150 requests answered" in outputs[0].data["text/plain"]
    assert outputs[0].data["text/plain"] == outputs[0].metadata["image/png"]["alt"]
