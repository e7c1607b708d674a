"""AWS, as `rollbook.ports.Cloud` asks for it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from rollbook.aws.recording import Recording
from rollbook.aws.registry import Registry
from rollbook.aws.translation import translated
from rollbook.domain.release import Component, Image
from rollbook.errors import RollbookError
from rollbook.evidence.answers import Records
from rollbook.ports import Identity

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 5
EMULATED_REGION = "eu-central-1"
EMULATED_KEY = "emulated"
"""Stands for both halves of the credentials: the emulator accepts any, and no real ones must reach it."""


class AwsCloud:
    """AWS through boto3. Throttled and broken requests are repeated by the SDK's standard mode.

    `records` keeps what it answers.
    """

    def __init__(
        self,
        session: boto3.session.Session,
        *,
        endpoint_url: str | None = None,
        emulated: bool = False,
        records: Records | None = None,
    ) -> None:
        Recording(records, endpoint_url).on(session.events)
        self._session = session
        self._endpoint_url = endpoint_url
        self._emulated = emulated

    @classmethod
    def real(
        cls, *, region: str | None = None, profile: str | None = None, records: Records | None = None
    ) -> AwsCloud:
        """AWS with the credentials of the environment. BadInputError when the profile does not exist."""
        with translated("use the AWS configuration"):
            return cls(boto3.session.Session(region_name=region, profile_name=profile), records=records)

    @classmethod
    def emulated(
        cls, endpoint_url: str, *, region: str = EMULATED_REGION, records: Records | None = None
    ) -> AwsCloud:
        """An emulator behind `endpoint_url`; profile, configuration and keys of the user do not apply."""
        nowhere = (None, None, os.devnull, None)
        own = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": nowhere,
                "credentials_file": nowhere,
            }
        )
        session = boto3.session.Session(
            botocore_session=own,
            region_name=region,
            aws_access_key_id=EMULATED_KEY,
            aws_secret_access_key=EMULATED_KEY,
        )
        return cls(session, endpoint_url=endpoint_url, emulated=True, records=records)

    def components(self) -> tuple[Component, ...]:
        """STS, ECR and Secrets Manager: whether each answers a harmless question."""
        questions: tuple[tuple[str, Callable[[], object]], ...] = (
            ("aws sts", self.identity),
            ("aws ecr", lambda: self._ecr.describe_repositories(maxResults=1)),
            ("aws secretsmanager", lambda: self._secrets.list_secrets(MaxResults=1)),
        )
        return tuple(self._component(name, ask) for name, ask in questions)

    def identity(self) -> Identity:
        """Account, ARN and region of the credentials in use."""
        with translated("ask AWS who we are"):
            answer = self._sts.get_caller_identity()
        return Identity(
            account=answer["Account"],
            arn=answer["Arn"],
            region=self._session.region_name or "",
            emulated=self._emulated,
        )

    def ensure_repository(self, name: str) -> str:
        """Make sure that the ECR repository is there (immutable tags, scan on push); its URI."""
        return self._registry.ensure(name)

    def find_repository(self, name: str) -> str | None:
        """URI of the ECR repository; None when there is none."""
        return self._registry.find(name)

    def ensure_secret(self, name: str, create: Callable[[], str]) -> str:
        """Make sure that the secret is there; `create` makes the first value. Its ARN.

        A secret that is marked for deletion is restored with the value it had.
        """
        with translated(f"look for the secret {name}"):
            try:
                found = self._secrets.describe_secret(SecretId=name)
            except self._secrets.exceptions.ResourceNotFoundException:
                found = None
        if found is None:
            value = create()
            with translated(f"create the secret {name}"):
                return self._secrets.create_secret(Name=name, SecretString=value)["ARN"]
        if found.get("DeletedDate"):
            with translated(f"restore the secret {name}"):
                self._secrets.restore_secret(SecretId=name)
        return found["ARN"]

    def push(self, layout: Path, image: Image) -> Image:
        """Push an image from an OCI layout; the image with its repository's URI."""
        return self._registry.push(layout, image)

    def image_digest(self, repository: str, tag: str) -> str | None:
        """Digest that the registry has for a tag; None when it has none. Repository by name or URI."""
        return self._registry.digest_of(repository, tag)

    def has_digest(self, repository: str, digest: str) -> bool:
        """Whether the registry has an image of that digest. Repository by name or URI."""
        return self._registry.has_digest(repository, digest)

    def delete_repository(self, name: str) -> bool:
        """Delete the repository and its images; False when it was not there."""
        return self._registry.delete(name)

    def delete_secret(self, name: str) -> bool:
        """Delete the secret at once; False when it was not there."""
        with translated(f"delete the secret {name}"):
            try:
                self._secrets.describe_secret(SecretId=name)  # a forced deletion succeeds for any name on AWS
                self._secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
            except self._secrets.exceptions.ResourceNotFoundException:
                return False
        return True

    @cached_property
    def _registry(self) -> Registry:
        return Registry(self._ecr, emulated=self._emulated)

    @cached_property
    def _sts(self) -> STSClient:
        with translated("reach AWS STS"):
            return self._session.client("sts", endpoint_url=self._endpoint_url, config=self._config)

    @cached_property
    def _ecr(self) -> ECRClient:
        with translated("reach AWS ECR"):
            return self._session.client("ecr", endpoint_url=self._endpoint_url, config=self._config)

    @cached_property
    def _secrets(self) -> SecretsManagerClient:
        with translated("reach AWS Secrets Manager"):
            return self._session.client(
                "secretsmanager", endpoint_url=self._endpoint_url, config=self._config
            )

    @cached_property
    def _config(self) -> Config:
        return Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra="rollbook",
            # A proxy of the environment cannot reach this machine's loopback.
            proxies={} if _is_loopback(self._endpoint_url) else None,
        )

    def _component(self, name: str, ask: Callable[[], object]) -> Component:
        try:
            with translated(f"reach {name}"):
                ask()
        except RollbookError as error:
            return Component(name, "", healthy=False, detail=error.why or error.what, emulated=self._emulated)
        return Component(name, "", healthy=True, detail=self._endpoint_url or "", emulated=self._emulated)


def _is_loopback(url: str | None) -> bool:
    host = urlsplit(url or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
