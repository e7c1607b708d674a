"""What has to be true of an AWS account before a release into it: looked at, and never changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rollbook.aws.clients import Clients
from rollbook.aws.findings import Finding, State, asked, judged, not_checked
from rollbook.aws.permissions import Names, permissions
from rollbook.aws.quotas import Needs, quotas, version_support
from rollbook.aws.translation import translated
from rollbook.errors import RollbookError
from rollbook.ports import Clock

SKEW_WARNED_S = 30.0
SKEW_ALLOWED_S = 240.0
"""AWS refuses signatures that are five minutes off; a minute of it is left for the way."""
RUN = timedelta(hours=1)
"""How long a run with a wide canary may take."""
ENDPOINTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ecr": ("describe_repositories", {"maxResults": 1}),
    "secretsmanager": ("list_secrets", {"MaxResults": 1}),
    "eks": ("list_clusters", {"maxResults": 1}),
    "ec2": ("describe_regions", {}),
    "elbv2": ("describe_load_balancers", {"PageSize": 1}),
    "iam": ("list_roles", {"MaxItems": 1}),
    "logs": ("describe_log_groups", {"limit": 1}),
    "kms": ("list_keys", {"Limit": 1}),
    "resourcegroupstaggingapi": ("get_resources", {"ResourcesPerPage": 1}),
}
"""A harmless question for each service; any answer shows that it can be reached."""


@dataclass(frozen=True)
class Caller:
    """Who STS says we are, and the time that it said."""

    account: str
    arn: str
    date: str


def preflight(
    clients: Clients,
    *,
    names: Names,
    clock: Clock,
    kubernetes_version: str,
    needs: Needs | None = None,
) -> tuple[Finding, ...]:
    """All findings, in an order in which they can be mended. Raises nothing that AWS can cause."""
    return tuple(_findings(clients, names, clock, kubernetes_version, needs or Needs()))


def _findings(clients: Clients, names: Names, clock: Clock, version: str, needs: Needs) -> Iterator[Finding]:
    region = _region(clients)
    yield region
    yield asked("credentials", lambda: _credentials(clients, clock.now()), emulated=clients.emulated)
    if region.state is State.FAIL:
        yield not_checked("everything else", "there is no region to ask in")
        return
    caller, refused, date = _caller(clients)
    own = not_checked("clock", "the emulator has this machine's clock")
    yield own if clients.emulated else _skew(date, clock.now())
    if caller is None:
        yield refused
        yield not_checked("everything else", "AWS does not know who we are")
        return
    yield _identity(clients, caller)
    yield asked("region enabled", lambda: _enabled(clients), emulated=clients.emulated)
    yield _endpoints(clients)
    yield from permissions(clients, caller.account, caller.arn, names)
    tags = _cluster_tags(clients, names.cluster)
    yield from quotas(clients, needs, installed=tags is not None)
    yield version_support(clients, version, clock.now())
    yield asked("budget", lambda: _budget(clients, caller.account), emulated=clients.emulated)
    yield _tags(names.cluster, tags, clock.now())


def _region(clients: Clients) -> Finding:
    if not clients.region:
        return Finding("region", State.FAIL, "none is set", "Give --region, or set AWS_REGION.")
    session = clients.session
    known = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("eks", partition_name=partition)
    ]
    if clients.region in known:
        return Finding("region", State.OK, clients.region)
    near = difflib.get_close_matches(clients.region, known, 1)
    step = f"Did you mean {near[0]}?" if near else "Name a region that has EKS, such as eu-central-1."
    return Finding("region", State.FAIL, f"EKS is in no region {clients.region}", step)


def _credentials(clients: Clients, now: datetime) -> Finding:
    name = "credentials"
    if clients.emulated:
        return not_checked(name, "the emulator takes any, and yours are not sent to it")
    with translated("find credentials"):
        credentials: Any = clients.session.get_credentials()
        token = credentials.get_frozen_credentials().token if credentials else None
    if credentials is None:
        return Finding(name, State.FAIL, "there are none", "Sign in (`aws sso login`), or set AWS_PROFILE.")
    until: datetime | None = getattr(credentials, "_expiry_time", None)
    if until is None and token is None:
        return Finding(
            name, State.WARN, "keys of a user, which never expire", "Prefer a role (`aws sso login`)."
        )
    if until is None:
        return not_checked(name, "they are temporary, and do not say until when")
    if credentials.method != "env":
        return Finding(
            name, State.OK, f"until {until:%H:%M} UTC, and renewed by the SDK ({credentials.method})"
        )
    left = until - now
    state = State.FAIL if left <= timedelta() else State.WARN if left < RUN else State.OK
    return judged(
        name, state, f"until {until:%H:%M} UTC, in {left.total_seconds() / 60:.0f} minutes", "Sign in again."
    )


def _caller(clients: Clients) -> tuple[Caller | None, Finding, str]:
    """The caller; or why there is none; and what the answer's Date header says, of a refusal as well."""
    date: list[str] = []

    def ask() -> Caller:
        with translated("ask AWS who we are"):
            try:
                answer: Any = clients.of("sts").get_caller_identity()
            except ClientError as error:
                date.append(_date(error.response))
                raise
        date.append(_date(answer))
        return Caller(answer["Account"], answer["Arn"], _date(answer))

    found: list[Caller] = []

    def check() -> Finding:
        found.append(ask())
        return Finding("identity", State.OK, found[0].arn)

    finding = asked("identity", check, emulated=clients.emulated)
    if finding.state is not State.OK:  # whoever may not ask this may do nothing
        finding = Finding("identity", State.FAIL, finding.detail, finding.next_step)
    return (found[0] if found else None), finding, "".join(date)


def _date(answer: Any) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))


def _identity(clients: Clients, caller: Caller) -> Finding:
    where = f"{caller.arn} in account {caller.account}"
    if clients.emulated:
        return Finding("identity", State.OK, f"{where}, emulated by {clients.endpoint_url}")
    root = caller.arn.endswith(":root")
    return judged(
        "identity", State.WARN if root else State.OK, where, "Use a role instead of the account's root user."
    )


def _skew(date: str, now: datetime) -> Finding:
    try:
        off = abs((parsedate_to_datetime(date) - now).total_seconds())
    except ValueError:
        return not_checked("clock", "no answer of AWS told the time")
    state = State.OK if off < SKEW_WARNED_S else State.WARN if off < SKEW_ALLOWED_S else State.FAIL
    return judged(
        "clock",
        state,
        f"{off:.0f} s off that of AWS",
        "Set this machine's clock (NTP): signatures carry a time.",
    )


def _enabled(clients: Clients) -> Finding:
    name = "region enabled"
    with translated("ask which regions the account has"):
        found = clients.of("ec2").describe_regions(RegionNames=[clients.region], AllRegions=True)["Regions"]
    status = found[0].get("OptInStatus", "") if found else "unknown"
    state = State.OK if status in {"opt-in-not-required", "opted-in"} else State.FAIL
    return judged(name, state, f"{clients.region}: {status}", "Enable the region in the account's settings.")


def _endpoints(clients: Clients) -> Finding:
    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(ENDPOINTS, pool.map(lambda one: _reached(clients, one), ENDPOINTS), strict=True))
    unreached = [f"{service} ({why})" for service, why in answers.items() if why]
    where = f" at {clients.endpoint_url}" if clients.endpoint_url else ""
    return judged(
        "endpoints",
        State.FAIL if unreached else State.OK,
        f"no answer from {'; '.join(unreached)}"
        if unreached
        else f"{len(answers) + 1} services answer{where}",
        "Check the network, the proxy (HTTPS_PROXY) and, in a VPC, its endpoints.",
    )


def _reached(clients: Clients, service: str) -> str:
    operation, parameters = ENDPOINTS[service]
    try:
        getattr(clients.of(service), operation)(**parameters)
    except ClientError:
        return ""  # a refusal is an answer
    except (BotoCoreError, RollbookError) as error:
        return str(error)
    return ""


def _cluster_tags(clients: Clients, cluster: str) -> Mapping[str, str] | None:
    """Tags of the cluster; None when there is no cluster, or it cannot be seen."""
    client = clients.of("eks")
    try:
        found: dict[str, str] = client.describe_cluster(name=cluster)["cluster"].get("tags", {})
    except (ClientError, BotoCoreError):
        return None
    return found


def _budget(clients: Clients, account: str) -> Finding:
    with translated("ask for budgets"):
        found = clients.of("budgets").describe_budgets(AccountId=account).get("Budgets") or []
    names = ", ".join(sorted(one["BudgetName"] for one in found))
    return judged(
        "budget",
        State.OK if found else State.WARN,
        names or "no budget would raise an alarm",
        "Set budget_usd and budget_emails for Terraform, or make one in the Billing console.",
    )


def _tags(cluster: str, tags: Mapping[str, str] | None, now: datetime) -> Finding:
    if tags is None:
        return not_checked("owner and expiry", f"no EKS cluster {cluster} can be seen that could carry them")
    missing = [name for name in ("owner", "expires") if not tags.get(name)]
    if missing:
        return Finding(
            "owner and expiry",
            State.WARN,
            f"{cluster} has no tag {' and '.join(missing)}",
            "Apply Terraform.",
        )
    told = f"{tags['owner']}, until {tags['expires']}"
    return judged(
        "owner and expiry",
        State.WARN if _past(tags["expires"], now) else State.OK,
        told,
        "It has expired: run the teardown phase, or set expires anew.",
    )


def _past(date: str, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(date) < now
    except (ValueError, TypeError):
        return True
