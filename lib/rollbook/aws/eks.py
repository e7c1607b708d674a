"""Access to an EKS cluster with boto3 alone: where it is, and a token that says who asks.

EKS knows callers by a presigned request: `GET` of STS' GetCallerIdentity, signed with the caller's
credentials and with the cluster's name in the header `x-k8s-aws-id`. The cluster's authenticator sends that
request itself, so that STS tells it who signed. The token is `k8s-aws-v1.` and the URL in base64url without
padding: the format of aws-iam-authenticator, whose README describes it.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.signers import RequestSigner

from rollbook.aws.clients import Clients
from rollbook.aws.translation import translated
from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_eks.type_defs import ClusterIssueTypeDef

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
PRESIGN_S = 60
"""Validity that the URL gives itself. The authenticator looks at its date instead: see `VALID_FOR`."""
VALID_FOR = timedelta(minutes=14)
"""The authenticator takes a token for 15 minutes from its date; a minute is left for clocks that differ."""
USABLE = ("ACTIVE", "UPDATING")
"""States in which the API server answers."""


@dataclass(frozen=True)
class ClusterAccess:
    """How an EKS cluster is reached. `certificate_authority` is PEM; empty where an emulator has none."""

    name: str
    arn: str
    endpoint: str
    certificate_authority: str
    version: str
    """Minor version of Kubernetes, such as 1.36."""
    status: str
    vpc: str
    """Id of the VPC that the cluster is in."""
    emulated: bool


def cluster_access(clients: Clients, name: str) -> ClusterAccess:
    """Ask EKS (DescribeCluster) for a cluster that can be used.

    NotFoundError when there is none of that name in the region, EnvironmentFailedError when it is not yet or
    no longer usable, and for whatever AWS refuses.
    """
    client: EKSClient = clients.of("eks")
    with translated(f"look for the EKS cluster {name}"):
        try:
            found = client.describe_cluster(name=name)["cluster"]
        except client.exceptions.ResourceNotFoundException as error:
            raise NotFoundError(
                f"there is no EKS cluster {name} in {clients.region}",
                next_step="Run the provision phase first, or name the right region.",
            ) from error
    status = found.get("status", "")
    endpoint = found.get("endpoint", "")
    if status not in USABLE or not endpoint:
        raise _not_usable(name, status, found.get("health", {}).get("issues", []))
    return ClusterAccess(
        name=name,
        arn=found.get("arn", ""),
        endpoint=endpoint,
        certificate_authority=_pem(name, found.get("certificateAuthority", {}).get("data", "")),
        version=found.get("version", ""),
        status=status,
        vpc=found.get("resourcesVpcConfig", {}).get("vpcId", ""),
        emulated=clients.emulated,
    )


class EksTokens:
    """Bearer tokens for one EKS cluster; a new one before the last one expires.

    May be used by several threads. Nothing is sent to make one. Tokens are kept in memory only.
    """

    def __init__(self, clients: Clients, cluster: str, clock: Clock) -> None:
        self._clients = clients
        self._cluster = cluster
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until: datetime | None = None

    def token(self) -> str:
        """A token that is valid. EnvironmentFailedError when there are no credentials to sign it with."""
        with self._lock:
            if self._until is None or self._clock.now() >= self._until:
                self._renew()
            return self._token

    def renew(self) -> str:
        """Another token, whatever the last one was: the API server did not take it."""
        with self._lock:
            self._renew()
            return self._token

    def _renew(self) -> None:
        begun = self._clock.now()
        with translated(f"sign a token for the EKS cluster {self._cluster}"):
            self._token = _signed(self._clients, self._cluster)
        self._until = begun + VALID_FOR


def _signed(clients: Clients, cluster: str) -> str:
    # Always AWS' own regional STS: that is whom the authenticator asks, and the only host that it accepts.
    config = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # missing in the stubs
    sts = clients.session.client("sts", config=config)
    signer = RequestSigner(
        sts.meta.service_model.service_id,
        clients.region,
        "sts",
        "v4",
        clients.session.get_credentials(),  # type: ignore[arg-type]  # for None it raises NoCredentialsError
        clients.session.events,
    )
    host = urlsplit(sts.meta.endpoint_url).netloc
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {CLUSTER_HEADER: cluster},
            "context": {},
        },
        region_name=clients.region,
        expires_in=PRESIGN_S,
        operation_name="",
    )
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _pem(name: str, data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise EnvironmentFailedError(
            f"the certificate authority of the EKS cluster {name} cannot be read",
            why="it is not PEM in base64",
            next_step="Look at it with `aws eks describe-cluster`.",
        ) from error


def _not_usable(name: str, status: str, issues: Sequence[ClusterIssueTypeDef]) -> EnvironmentFailedError:
    told = "; ".join(issue.get("message", "") for issue in issues)
    steps = {
        "CREATING": "Wait until it is ACTIVE (about ten minutes after it was begun), then run again.",
        "PENDING": "Wait until it is ACTIVE, then run again.",
        "DELETING": "Wait until it is gone, then run the provision phase.",
        "FAILED": "Destroy it (the teardown phase), and provision it again.",
    }
    return EnvironmentFailedError(
        f"the EKS cluster {name} cannot be used: it is {status or 'in no state that AWS names'}",
        why=told or ("it has no endpoint yet" if status in USABLE else ""),
        next_step=steps.get(status, "Look at it in the EKS console."),
    )
