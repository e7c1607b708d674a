"""ECR: repositories with immutable tags, and images pushed layer by layer through its API, without Docker."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rollbook.aws.layout import Blob, ManifestFile, read_manifest
from rollbook.aws.settling import seen
from rollbook.aws.translation import code_of, translated
from rollbook.clock import SystemClock
from rollbook.domain.release import Image
from rollbook.errors import BadInputError, EnvironmentFailedError, NotFoundError
from rollbook.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef, RepositoryTypeDef

BATCH = 100
"""Digests a BatchCheckLayerAvailability takes."""
TAG_TAKEN = {"ImageTagAlreadyExistsException", "ImageAlreadyExistsException"}


class Registry:
    """One account's registry in one region.

    `emulated`: the registry may keep manifests and tags but no layers, as MiniStack does; then only the
    first blob is sent, to find that out. A real registry that loses a layer is an error.
    """

    def __init__(self, client: ECRClient, *, emulated: bool, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or SystemClock()
        self._emulated = emulated

    def ensure(self, name: str) -> str:
        """Make the repository if it is missing, with immutable tags and a scan on push; its URI.

        One that is as it should be is left alone: a role that deploys may not change repositories.
        """
        known = self._describe(name)
        if known is not None:
            with translated(f"set up the ECR repository {name}"):
                if known.get("imageTagMutability") != "IMMUTABLE":
                    self._client.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
                if not known.get("imageScanningConfiguration", {}).get("scanOnPush"):
                    self._client.put_image_scanning_configuration(
                        repositoryName=name, imageScanningConfiguration={"scanOnPush": True}
                    )
            return known["repositoryUri"]
        # It is there already when the answer to the first attempt was lost, or somebody was faster.
        there = self._client.exceptions.RepositoryAlreadyExistsException
        with translated(f"create the ECR repository {name}"), suppress(there):
            self._client.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )
        return seen(lambda: self._uri(name), f"the ECR repository {name}", clock=self._clock)

    def find(self, name: str) -> str | None:
        """URI of the repository; None when there is none."""
        return self._uri(name)

    def delete(self, name: str) -> bool:
        """Delete the repository and its images; False when it was not there."""
        with translated(f"delete the ECR repository {name}"):
            try:
                self._client.delete_repository(repositoryName=name, force=True)
            except self._client.exceptions.RepositoryNotFoundException:
                return False
        return True

    def digest_of(self, repository: str, tag: str) -> str | None:
        """Digest of a tag; None when there is no such tag or repository."""
        return self._find(repository_name(repository), {"imageTag": tag})

    def has_digest(self, repository: str, digest: str) -> bool:
        """Whether the registry has an image of that digest."""
        return self._find(repository_name(repository), {"imageDigest": digest}) is not None

    def push(self, layout: Path, image: Image) -> Image:
        """Push missing blobs, then the manifest under its tag; the image with its repository's URI.

        BadInputError when the tag names another digest, EnvironmentFailedError when the registry computes
        another digest than ours or loses a layer, NotFoundError when the repository is missing.
        """
        name = repository_name(image.repository)
        uri = self._uri(name)
        if uri is None:
            raise NotFoundError(
                f"there is no ECR repository {name}", next_step="Run the provision phase first."
            )
        pushed = Image(repository=uri, tag=image.tag, digest=image.digest, size_bytes=image.size_bytes)
        if self._tag_is_ours(name, image):
            return pushed
        manifest = read_manifest(layout, image.digest)
        self._push_blobs(name, manifest.blobs)
        self._put(name, image, manifest)
        return pushed

    def _put(self, name: str, image: Image, manifest: ManifestFile) -> None:
        with translated(f"push the image {name}:{image.tag}"):
            try:
                answer = self._client.put_image(
                    repositoryName=name,
                    imageManifest=manifest.content.decode(),
                    imageManifestMediaType=manifest.media_type,
                    imageTag=image.tag,
                )
            except ClientError as error:
                if code_of(error) in TAG_TAKEN and self._tag_is_ours(name, image):
                    return  # someone pushed the same image in the meantime
                raise
        digest = answer["image"]["imageId"]["imageDigest"]
        if digest != image.digest:
            raise EnvironmentFailedError(
                f"ECR stored {name}:{image.tag} under another digest",
                why=f"{digest} instead of {image.digest}",
                next_step="Something between here and ECR rewrites manifests; do not deploy this image.",
            )

    def _tag_is_ours(self, name: str, image: Image) -> bool:
        """Whether the tag names this very image already. BadInputError when it names another."""
        found = self._find(name, {"imageTag": image.tag})
        if found is not None and found != image.digest:
            raise BadInputError(
                f"the tag {name}:{image.tag} is taken",
                why=f"it is immutable and names {found}, not {image.digest}",
                next_step="Give the release another version.",
            )
        return found is not None

    def _push_blobs(self, name: str, blobs: Sequence[Blob]) -> None:
        missing = self._unavailable(name, [blob.digest for blob in blobs])
        for blob in blobs:
            if blob.digest not in missing:
                continue
            self._upload(name, blob)
            if not self._unavailable(name, [blob.digest]):
                continue
            if self._emulated:
                return
            raise EnvironmentFailedError(
                f"ECR does not have the layer {blob.digest} of {name} after its upload",
                next_step="Run again; what was uploaded is not sent twice.",
            )

    def _unavailable(self, name: str, digests: Sequence[str]) -> set[str]:
        """Those of the digests that the repository does not have."""
        available: set[str] = set()
        with translated(f"look for layers in the ECR repository {name}"):
            for first in range(0, len(digests), BATCH):
                answer = self._client.batch_check_layer_availability(
                    repositoryName=name, layerDigests=list(digests[first : first + BATCH])
                )
                available |= {
                    layer.get("layerDigest", "")
                    for layer in answer["layers"]
                    if layer.get("layerAvailability") == "AVAILABLE"
                }
        return set(digests) - available

    def _upload(self, name: str, blob: Blob) -> None:
        """Send one blob in parts of the size that ECR asks for. BadInputError when it was altered."""
        seen = hashlib.sha256()
        with translated(f"upload a layer to the ECR repository {name}"), blob.path.open("rb") as file:
            begun = self._client.initiate_layer_upload(repositoryName=name)
            upload, sent = begun["uploadId"], 0
            while part := file.read(begun["partSize"]):
                seen.update(part)
                self._client.upload_layer_part(
                    repositoryName=name,
                    uploadId=upload,
                    partFirstByte=sent,
                    partLastByte=sent + len(part) - 1,
                    layerPartBlob=part,
                )
                sent += len(part)
            if f"sha256:{seen.hexdigest()}" != blob.digest:
                raise BadInputError(f"the blob {blob.digest} was altered", next_step="Build the image again.")
            try:
                self._client.complete_layer_upload(
                    repositoryName=name, uploadId=upload, layerDigests=[blob.digest]
                )
            except self._client.exceptions.LayerAlreadyExistsException:
                return

    def _uri(self, name: str) -> str | None:
        known = self._describe(name)
        return known["repositoryUri"] if known is not None else None

    def _describe(self, name: str) -> RepositoryTypeDef | None:
        with translated(f"look for the ECR repository {name}"):
            try:
                found = self._client.describe_repositories(repositoryNames=[name])
            except self._client.exceptions.RepositoryNotFoundException:
                return None
        return found["repositories"][0]

    def _find(self, name: str, image: ImageIdentifierTypeDef) -> str | None:
        with translated(f"look for an image in the ECR repository {name}"):
            try:
                found = self._client.batch_get_image(repositoryName=name, imageIds=[image])
            except self._client.exceptions.RepositoryNotFoundException:
                return None
        images = found.get("images") or []
        return images[0]["imageId"]["imageDigest"] if images else None


def repository_name(repository: str) -> str:
    """ECR's name of a repository given by name or by URI (`<account>.dkr.ecr.<region>.../name`)."""
    host, slash, name = repository.partition("/")
    return name if slash and "." in host else repository
