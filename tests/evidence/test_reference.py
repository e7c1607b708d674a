"""References to secrets."""

from __future__ import annotations

import pytest

from rollbook.errors import BadInputError
from rollbook.evidence.reference import resolve
from rollbook.evidence.scrub import Scrubber

ARN = "arn:aws:secretsmanager:eu-central-1:012345678901:secret:hello/db-Ab12Cd"
STORE = {ARN: "from-the-store"}
ENVIRON = {"DSN": "from-the-environment", "EMPTY": ""}


@pytest.mark.parametrize(
    ("reference", "value", "name"),
    [("env:DSN", "from-the-environment", "DSN"), (ARN, "from-the-store", "hello_db_Ab12Cd")],
)
def test_a_reference_is_looked_up_and_its_value_is_scrubbed_from_then_on(
    reference: str, value: str, name: str
) -> None:
    """The value comes from where the reference says, and the new scrubber takes it out of texts."""
    found = resolve(reference, environ=ENVIRON, fetch=STORE.__getitem__, scrubber=Scrubber())

    assert value == found.value
    assert f"it is [secret {name}]" == found.scrubber.text(f"it is {value}")
    assert value not in repr(found)


@pytest.mark.parametrize("text", ["hunter2-the-secret", "env:=x", "env:A B", "arn:aws:s3:::bucket", ""])
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    """It may be the secret itself, so that the error does not say it."""
    with pytest.raises(BadInputError, match="not a reference") as caught:
        resolve(text, environ=ENVIRON, fetch=STORE.__getitem__, scrubber=Scrubber())

    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("reference", ["env:MISSING", "env:EMPTY"])
def test_a_secret_that_is_not_there_is_bad_input(reference: str) -> None:
    """An unset or empty variable is named, with what to do."""
    with pytest.raises(BadInputError, match=r"export (MISSING|EMPTY)="):
        resolve(reference, environ=ENVIRON, fetch=STORE.__getitem__, scrubber=Scrubber())
