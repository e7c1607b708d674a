"""Which variables of an environment hold secrets."""

from __future__ import annotations

import pytest

from rollbook.evidence.known import known_secrets, says_secret


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GITHUB_TOKEN",
        "PGPASSWORD",
        "MYSQL_PWD",
        "DB_PASSWD",
        "SSH_PRIVATE_KEY",
        "REGISTRY_CREDENTIALS",
        "OPENWEATHER_API_KEY",
        "KEY_PASSPHRASE",
        "apiKey",
        "npm_config__auth",
        "client-secret",
    ],
)
def test_a_name_says_that_its_value_is_secret(name: str) -> None:
    """The usual names of secrets are known, in whatever case."""
    assert says_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "TOKEN_PATH",
        "SECRET_ARN",
        "SECRET_NAME",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "PWD",
        "OLDPWD",
        "HOME",
        "TOKENIZERS_PARALLELISM",
        "ROLLBOOK_HOME",
        "TEST_ID",
    ],
)
def test_a_name_says_where_something_is_or_nothing(name: str) -> None:
    """A path, an ARN or an id of a secret is none, and other names are other things."""
    assert not says_secret(name)


def test_secrets_of_an_environment_come_by_name() -> None:
    """Named secrets and passwords in URLs are known, empty ones are not."""
    environ = {
        "PATH": "/usr/bin",
        "APP_TOKEN": "abcdef-123456",
        "EMPTY_SECRET": " ",
        "DATABASE_URL": "postgres://app:s3cr%2Ft@db:5432/app?sslmode=off",
        "HOMEPAGE": "https://example.org/@x",
    }

    assert {"APP_TOKEN": "abcdef-123456", "DATABASE_URL": "s3cr/t"} == known_secrets(environ)
