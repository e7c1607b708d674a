"""AWS, as `rollbook.ports.Cloud` asks for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.aws.clients import EMULATED_REGION, Clients
from rollbook.aws.registry import Registry
from rollbook.aws.settling import seen
from rollbook.aws.translation import translated
from rollbook.clock import SystemClock
from rollbook.domain.release import Component, Image
from rollbook.errors import RollbookError
from rollbook.evidence.answers import Records
from rollbook.ports import Clock, Identity

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import DescribeSecretResponseTypeDef
    from mypy_boto3_sts import STSClient

CURRENT = "AWSCURRENT"
"""The label of the version that whoever asks for a secret gets."""
FIRST_VALUE = "rollbook-first"
"""Our own label of a secret's first version."""


class AwsCloud:
    """AWS through boto3. Throttled and broken requests are repeated by the SDK's standard mode.

    `records` keeps what it answers.
    """

    def __init__(self, clients: Clients, clock: Clock | None = None) -> None:
        self._clients = clients
        self._clock = clock or SystemClock()

    @classmethod
    def real(
        cls, *, region: str | None = None, profile: str | None = None, records: Records | None = None
    ) -> AwsCloud:
        """AWS with the credentials of the environment. BadInputError when the profile does not exist."""
        return cls(Clients.real(region=region, profile=profile, records=records))

    @classmethod
    def emulated(
        cls, endpoint_url: str, *, region: str = EMULATED_REGION, records: Records | None = None
    ) -> AwsCloud:
        """An emulator behind `endpoint_url`; profile, configuration and keys of the user do not apply."""
        return cls(Clients.emulating(endpoint_url, region=region, records=records))

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
            region=self._clients.region,
            emulated=self._clients.emulated,
        )

    def ensure_repository(self, name: str) -> str:
        """Make sure that the ECR repository is there (immutable tags, scan on push); its URI."""
        return self._registry.ensure(name)

    def find_repository(self, name: str) -> str | None:
        """URI of the ECR repository; None when there is none."""
        return self._registry.find(name)

    def ensure_secret(self, name: str, create: Callable[[], str]) -> str:
        """Make sure that the secret is there and has a value; `create` makes the first one. Its ARN.

        A secret that is marked for deletion is restored with the value it had. One without any value, as
        Terraform makes it, gets its first; a value that is there is never replaced.
        """
        found = self._secret(name)
        if found is None:
            return self._create_secret(name, create())
        if found.get("DeletedDate"):
            self._restore_secret(name)
        if not found.get("VersionIdsToStages"):
            self._put_first_value(name, create())
        return found["ARN"]

    def secret_version(self, name: str) -> str | None:
        """Id of the version that has the label AWSCURRENT; None when there is none. No value is read."""
        found = self._secret(name)
        versions = (found.get("VersionIdsToStages") or {}) if found else {}
        return next((version for version, labels in versions.items() if CURRENT in labels), None)

    def _create_secret(self, name: str, value: str) -> str:
        # It is there already when the answer to the first attempt was lost, or somebody was faster.
        there = self._secrets.exceptions.ResourceExistsException
        with translated(f"create the secret {name}"), suppress(there):
            self._secrets.create_secret(Name=name, SecretString=value)
        return seen(lambda: self._secret(name), f"the secret {name}", clock=self._clock)["ARN"]

    def _put_first_value(self, name: str, value: str) -> None:
        """Put a value that becomes the current one only where there is none, whatever else happens meanwhile.

        Under a label of its own: AWS makes the first version of a secret the current one by itself, and
        leaves the label AWSCURRENT where it is when there is another (API reference of PutSecretValue).
        """
        with translated(f"put the first value into the secret {name}"):
            put = self._secrets.put_secret_value(
                SecretId=name, SecretString=value, VersionStages=[FIRST_VALUE]
            )
            if CURRENT in put["VersionStages"] or self._has_current_value(name):
                return
            # MiniStack attaches no label by itself. This is refused when somebody was faster.
            self._secrets.update_secret_version_stage(
                SecretId=name, VersionStage=CURRENT, MoveToVersionId=put["VersionId"]
            )

    def _has_current_value(self, name: str) -> bool:
        versions = self._secrets.describe_secret(SecretId=name).get("VersionIdsToStages") or {}
        return any(CURRENT in labels for labels in versions.values())

    def _restore_secret(self, name: str) -> None:
        with translated(f"restore the secret {name}"):
            try:
                self._secrets.restore_secret(SecretId=name)
            except self._secrets.exceptions.InvalidRequestException:
                # No longer marked: the answer to the first attempt was lost, or somebody was faster.
                if self._secrets.describe_secret(SecretId=name).get("DeletedDate"):
                    raise

    def _secret(self, name: str) -> DescribeSecretResponseTypeDef | None:
        with translated(f"look for the secret {name}"):
            try:
                return self._secrets.describe_secret(SecretId=name)
            except self._secrets.exceptions.ResourceNotFoundException:
                return None

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
        return Registry(self._ecr, emulated=self._clients.emulated, clock=self._clock)

    @property
    def _sts(self) -> STSClient:
        client: STSClient = self._clients.of("sts")
        return client

    @property
    def _ecr(self) -> ECRClient:
        client: ECRClient = self._clients.of("ecr")
        return client

    @property
    def _secrets(self) -> SecretsManagerClient:
        client: SecretsManagerClient = self._clients.of("secretsmanager")
        return client

    def _component(self, name: str, ask: Callable[[], object]) -> Component:
        emulated = self._clients.emulated
        try:
            with translated(f"reach {name}"):
                ask()
        except RollbookError as error:
            return Component(name, "", healthy=False, detail=error.why or error.what, emulated=emulated)
        return Component(name, "", healthy=True, detail=self._clients.endpoint_url or "", emulated=emulated)
