"""The models of the parameters: strict about types, and the same for whoever sets them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollbook.errors import BadInputError
from rollbook.notebook.parameters import (
    MODELS,
    CanaryParameters,
    DeployParameters,
    ProvisionParameters,
    RunbookParameters,
    TeardownParameters,
    from_text,
    validated,
)
from rollbook.notebook.reference import written

FIELDS = [(model, name) for model in MODELS.values() for name in model.model_fields]


@pytest.mark.parametrize(
    ("model", "name", "value", "complaint"),
    [
        (CanaryParameters, "rps", "50", "valid number (got '50'): write it without quotes"),
        (CanaryParameters, "rps", True, "rps: Input should be a valid number"),
        (CanaryParameters, "rps", float("nan"), "rps: Input should be a finite number"),
        (CanaryParameters, "rps", float("inf"), "rps: Input should be a finite number"),
        (CanaryParameters, "rps", 0, "rps: Input should be greater than 0"),
        (CanaryParameters, "rps", None, "rps: Input should be a valid number"),
        (CanaryParameters, "version", 1.1, "version: Input should be a valid string (got 1.1): write it in"),
        (CanaryParameters, "version", "1.0\n", "version: String should match pattern"),
        (CanaryParameters, "version", "../x", "version: String should match pattern"),
        (CanaryParameters, "expect", "good", "'promoted' or 'rolled-back' (got 'good')"),
        (CanaryParameters, "rsp", 5, "rsp: there is no such name here; perhaps rps"),
        (CanaryParameters, "service", "", "service: String should have at least 1 character"),
        (CanaryParameters, "run", "a\x00b", "run: String should match pattern"),
        (CanaryParameters, "name", "Two Words", "name: String should match pattern"),
        (DeployParameters, "probes", 5.0, "probes: Input should be a valid integer"),
        (DeployParameters, "probes", False, "probes: Input should be a valid integer"),
        (DeployParameters, "probes", 10**30, "probes: Input should be less than or equal to 1000"),
        (TeardownParameters, "registry", 1, "registry: Input should be a valid boolean"),
        (TeardownParameters, "registry", "no", "(got 'no'): write true or false"),
        (ProvisionParameters, "account", 12345678901, "account: Input should be a valid string"),
        (ProvisionParameters, "account", "12345678901", "account: String should match pattern"),
    ],
)
def test_a_wrong_value_is_refused(
    model: type[RunbookParameters], name: str, value: Any, complaint: str
) -> None:
    """Nothing is taken for what it nearly is; one line names the parameter and what it must be."""
    with pytest.raises(BadInputError) as caught:
        model.of(**{name: value})

    assert complaint in caught.value.what
    assert "\n" not in str(caught.value)
    assert caught.value.next_step


def test_an_integer_is_a_number() -> None:
    """papermill hands 20 over as an integer: where a number is wanted, that is one."""
    assert 20.0 == CanaryParameters.of(rps=20).rps


def test_texts_that_look_like_numbers_stay_texts() -> None:
    """Version 1.10 keeps its zero, and an account the one that it begins with."""
    assert "1.10" == DeployParameters.of(version="1.10").version
    assert "012345678901" == ProvisionParameters.of(account="012345678901").account


@pytest.mark.parametrize(
    "secret",
    ["AKIA" + "Q3EXAMPLE7RTLX2B", "-----BEGIN RSA " + "PRIVATE KEY-----", "Bearer " + "q83hd7Jw02kLmN4pTz61"],
)
@pytest.mark.parametrize("name", ["fault", "version", "rps", "service"])
def test_a_value_that_looks_like_a_secret_is_refused_and_not_repeated(secret: str, name: str) -> None:
    """Whatever parameter it is given to, a secret is refused before anything else, and not printed."""
    with pytest.raises(BadInputError) as caught:
        CanaryParameters.of(**{name: secret})

    assert "it looks like" in caught.value.what
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "name", "text", "value"),
    [
        (CanaryParameters, "rps", "50", 50),
        (CanaryParameters, "rps", "1e2", 100.0),
        (CanaryParameters, "rps", "1_000", "1_000"),
        (CanaryParameters, "rps", "nan", "nan"),
        (CanaryParameters, "rps", "007", "007"),
        (DeployParameters, "probes", "5", 5),
        (DeployParameters, "probes", "5.5", 5.5),
        (DeployParameters, "version", "1.10", "1.10"),
        (ProvisionParameters, "account", "012345678901", "012345678901"),
        (TeardownParameters, "registry", "false", False),
        (TeardownParameters, "registry", "no", "no"),
    ],
)
def test_what_is_typed_gets_the_type_of_its_field(
    model: type[RunbookParameters], name: str, text: str, value: object
) -> None:
    """Only plain numbers become numbers, and only true and false booleans; the rest stays text."""
    got = from_text(model, name, text)

    assert (type(value), value) == (type(got), got)


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_a_default_can_be_typed_as_it_is_shown(model: type[RunbookParameters], name: str) -> None:
    """What help and documents show as the default is what sets it."""
    default = model.model_fields[name].get_default()
    shown = written(default).replace('""', "")

    assert default == getattr(validated(model, {name: from_text(model, name, shown)}), name)


@settings(deadline=None)
@given(field=st.sampled_from(FIELDS), text=st.text(max_size=30))
def test_any_text_is_taken_or_refused_in_one_line(
    field: tuple[type[RunbookParameters], str], text: str
) -> None:
    """No text that somebody types makes anything but parameters or a complaint of one line."""
    model, name = field
    kind = type(model.model_fields[name].get_default())
    try:
        outcome: object = getattr(validated(model, {name: from_text(model, name, text)}), name)
    except BadInputError as error:
        outcome = error.what

    assert isinstance(outcome, kind) or "\n" not in str(outcome)
