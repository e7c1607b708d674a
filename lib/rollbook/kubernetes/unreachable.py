"""Why an API server gave no answer, in our own words."""

from __future__ import annotations

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from rollbook.errors import EnvironmentFailedError


def unreachable(url: str, error: HTTPError) -> EnvironmentFailedError:
    """The error of a request to `url` that got no answer."""
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        return EnvironmentFailedError(
            f"the TLS certificate of {url} was not accepted",
            why=str(cause),
            next_step="Use the kubeconfig that belongs to this cluster; it holds the right authority.",
        )
    if isinstance(cause, NewConnectionError):
        return EnvironmentFailedError(
            f"cannot connect to the API server {url}",
            why=str(cause).rpartition(": ")[2],
            next_step="Check that the cluster is up (`rollbook sandbox status`) and the right one.",
        )
    if isinstance(cause, ConnectTimeoutError | ReadTimeoutError):
        return EnvironmentFailedError(
            f"the API server {url} did not answer in time",
            why=str(cause).rpartition(": ")[2],
            next_step="Check the network and the load of the API server, then run again.",
        )
    return EnvironmentFailedError(
        f"the connection to the API server {url} broke",
        why=str(cause),
        next_step="Check that the cluster is up, then run again.",
    )


def may_pass(error: HTTPError) -> bool:
    """Whether sending again may help: not when the certificate is wrong."""
    cause = error.reason if isinstance(error, MaxRetryError) else error
    return not isinstance(cause, SSLError)
