"""Secrets that are known by their shape alone. All of them are made up."""

from __future__ import annotations

import json

import pytest

from rollbook.evidence.scrub import Scrubber, looks_like_a_secret

KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ID = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX\nx6Ppy1tPf9==\n"
    "-----END RSA PRIVATE KEY-----"
)
CUT_PEM = (
    "-----BEGIN PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInF"
)

SHAPED = [
    (f"key {ID} used", "key [secret AWS access key id] used"),
    (f"aws_secret_access_key = {KEY}\n", "aws_secret_access_key = [secret secret access key]\n"),
    (f'{{"SecretAccessKey": "{KEY}"}}', '{"SecretAccessKey": "[secret secret access key]"}'),
    (
        f'"{{\\"secretAccessKey\\":\\"{KEY}\\"}}"',
        '"{\\"secretAccessKey\\":\\"[secret secret access key]\\"}"',
    ),
    (f"AWS_SESSION_TOKEN={KEY}{KEY}==;", "AWS_SESSION_TOKEN=[secret session token];"),
    (f"x-amz-security-token: {KEY}", "x-amz-security-token: [secret session token]"),
    ("Authorization: Basic dXNlcjpwdw==\r\n", "Authorization: Basic [secret authorization]\r\n"),
    ("{'Authorization': 'Bearer abcdef'}", "{'Authorization': 'Bearer [secret authorization]'}"),
    ("authorization=&#34;abcdef123&#34;", "authorization=&#34;[secret authorization]&#34;"),
    ("curl -H 'bearer abcdefghijklmnop.q'", "curl -H 'bearer [secret bearer token]'"),
    (f"token {JWT}.", "token [secret JSON web token]."),
    ("ghp_" + "a1B2" * 9, "[secret GitHub token]"),
    (f"a\n{PEM}\nb", "a\n[secret private key]\nb"),
    (json.dumps(f"a\n{PEM}\nb"), json.dumps("a\n[secret private key]\nb")),
    (f"a\n{CUT_PEM}", "a\n[secret private key]"),
    ("postgres://app:pw@db/x", "postgres://app:[secret password]@db/x"),
    ("https://:p%40w@host", "https://:[secret password]@host"),
]
HARMLESS = [
    "http://127.0.0.1:8080/a@b",
    "rbac.authorization.k8s.io/v1",
    "Bearer authentication",
    "the bearer of this",
    "secret key: short",
    '{"SecretAccessKey": 12345678901234567890}',
    "-----BEGIN CERTIFICATE-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX\n-----END CERTIFICATE-----",
    "sha256:7d4b9c6f57d4b9c6f57d4b9c6f57d4b9c6f57d4b9c6f57d4b9c6f57d4b9c6f57",
    "registry.example.org/hello@sha256:7d4b9c6f5",
    "\u0130\u0130 user@host",
]


@pytest.mark.parametrize(("text", "clean"), SHAPED)
def test_a_secret_is_known_by_its_shape(text: str, clean: str) -> None:
    """What holds the secret goes, what says what it was stays, and a second time changes nothing."""
    scrubber = Scrubber()

    assert clean == scrubber.text(text)
    assert clean == scrubber.text(clean)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    """Texts of every day are left alone."""
    assert text == Scrubber().text(text)


def test_a_capital_that_grows_in_lower_case_moves_nothing() -> None:
    """A letter whose lower case is two letters does not shift what is cut out."""
    assert "\u0130 [secret AWS access key id] \u0130" == Scrubber().text(f"\u0130 {ID} \u0130")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (ID, "it looks like an AWS access key id"),
        (KEY, "it looks like a secret access key"),
        (PEM, "it looks like a private key"),
        ("Bearer abcdefghijklmnop", "it looks like a bearer token"),
        (JWT, "it looks like a JSON web token"),
        ("https://me:pw@host/", "it looks like a password"),
    ],
)
def test_a_value_that_looks_like_a_secret_is_told(value: str, reason: str) -> None:
    """The reason names the kind and not the value."""
    assert reason == looks_like_a_secret(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1.10",
        "service.yaml",
        "012345678901",
        "env:DB_PASSWORD",
        "arn:aws:secretsmanager:eu-central-1:012345678901:secret:hello/db-Ab12Cd",
        "9f1c2d3e4b5a69788796a5b4c3d2e1f001122334",
        "/data/Some1/Projects2/hello/reports/run1",
    ],
)
def test_a_value_of_every_day_does_not_look_like_a_secret(value: str) -> None:
    """Versions, paths, commits and references pass."""
    assert "" == looks_like_a_secret(value)
