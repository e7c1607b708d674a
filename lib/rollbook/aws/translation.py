"""What goes wrong with AWS, in our own words. The SDK's exceptions end here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own, base of every failure to reach an endpoint
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from rollbook.errors import BadInputError, EnvironmentFailedError, RollbookError

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_REJECTED = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
"""Codes of a call that the credentials may not make."""
_THROTTLED = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
_INVALID = {"InvalidParameterException", "ValidationException", "InvalidRequestException"}


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Raise RollbookErrors for the SDK's exceptions; `action` is what was tried (`create the secret x`)."""
    try:
        yield
    except ClientError as error:
        raise _of_answer(action, code_of(error), error) from error
    except BotoCoreError as error:
        raise _of_client(action, error) from error


def code_of(error: ClientError) -> str:
    """The error code of an answer, such as `AccessDeniedException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _of_answer(action: str, code: str, error: ClientError) -> RollbookError:
    message = str(error.response.get("Error", {}).get("Message", "")) or code
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _EXPIRED:
        next_step = "Sign in again (`aws sso login`, or new keys), then run again."
    elif code in _REJECTED:
        next_step = "Check the credentials with `aws sts get-caller-identity`."
    elif code in DENIED:
        next_step = "Give the role this permission; terraform/ has the policy."
    elif code in _THROTTLED:
        next_step = "Wait a minute, then run again."
    elif code in _INVALID:
        return BadInputError(
            f"AWS refuses to {action}", why=f"{code}: {message}", next_step="Correct the service file."
        )
    else:
        next_step = (
            "Look at the AWS health dashboard."
            if status >= 500
            else "Look up the code in AWS' documentation."
        )
    return EnvironmentFailedError(f"AWS did not {action}", why=f"{code}: {message}", next_step=next_step)


def _of_client(action: str, error: BotoCoreError) -> RollbookError:
    what = f"cannot {action}"
    if isinstance(error, NoRegionError):
        return BadInputError(what, why="no AWS region is set", next_step="Set AWS_REGION or --set region=...")
    if isinstance(error, ProfileNotFound):
        return BadInputError(what, why=str(error), next_step="Set AWS_PROFILE to a profile that exists.")
    if isinstance(error, ParamValidationError):
        why = " ".join(str(error).split()).removeprefix("Parameter validation failed: ")
        return BadInputError(what, why=why, next_step="Correct the service file.")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        next_step = "Sign in (`aws sso login`), or set AWS_PROFILE or the keys."
    elif isinstance(error, SSOError | TokenRetrievalError):
        next_step = "Sign in again (`aws sso login`), then run again."
    elif isinstance(error, SSLError):
        next_step = "Check the clock, and the proxy between here and AWS (AWS_CA_BUNDLE)."
    elif isinstance(error, ConnectionError | HTTPClientError):
        next_step = "Check the network, and that the endpoint is up (`rollbook sandbox status`)."
    else:
        next_step = "Check the AWS configuration (`aws configure list`)."
    return EnvironmentFailedError(what, why=str(error), next_step=next_step)
