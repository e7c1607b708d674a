"""Build a version's image and push it, so that pods can name it by digest."""

from __future__ import annotations

from pathlib import Path

from rollbook.bundle.images import PROVENANCE, ROOM, SBOM
from rollbook.domain.release import Image
from rollbook.errors import BadInputError
from rollbook.evidence.folder import write_atomically
from rollbook.images.origin import attestations
from rollbook.phases.context import PhaseContext


def build_and_push(ctx: PhaseContext, version: str) -> Image:
    """Build from the service's sources, push to ECR, and return the image with its digest.

    The tag holds the version and the digest's first 12 characters: tags are immutable, and the same version
    of other sources is another image. BadInputError when the Dockerfile asks for what cannot be done.
    """
    source = ctx.service.image
    world = ctx.world
    with ctx.journal.step("build image", version=version) as step:
        uri = world.cloud.ensure_repository(source.repository)
        image, layout = world.images.build(
            context=source.context,
            dockerfile=source.dockerfile,
            repository=uri,
            version=version,
            progress=ctx.say,
        )
        step |= {"digest": image.digest, "tag": image.tag, "bytes": image.size_bytes}
        step["described_by"] = _keep_origin(ctx, attestations(layout, image.digest), image)
    with ctx.journal.step("push image", tag=image.tag) as step:
        pushed = world.cloud.push(layout, image)
        step |= {"digest": pushed.digest, "repository": pushed.repository}
    ctx.say(f"image {pushed.tag} is in the registry, {pushed.digest[:19]}")
    return pushed


def _keep_origin(ctx: PhaseContext, made: Path, image: Image) -> list[str]:
    """Copy inventory and provenance of an image into the run's folder; the files, none if none were made."""
    room = Path(ROOM) / image.digest.removeprefix("sha256:")
    kept = []
    for name in (SBOM, PROVENANCE):
        if (made / name).is_file():
            # Byte for byte: each is named by its digest, and nothing secret goes into either.
            write_atomically(ctx.folder.path / room / name, (made / name).read_bytes())
            kept.append((room / name).as_posix())
    return kept


def release_image(ctx: PhaseContext, version: str, digest: str) -> Image:
    """The image to release: the one of `digest`, if it is given, and otherwise a new one.

    BadInputError when the registry has no image of that digest.
    """
    if not digest:
        return build_and_push(ctx, version)
    source = ctx.service.image
    with ctx.journal.step("find image", version=version, digest=digest) as step:
        uri = ctx.world.cloud.find_repository(source.repository)
        there = uri is not None and ctx.world.cloud.has_digest(source.repository, digest)
        step |= {"repository": uri or "", "in_registry": there}
    if uri is None or there is False:
        raise BadInputError(
            f"there is no image {digest[:19]} in {uri or source.repository}",
            why="no registry has it" if uri else "there is no such repository",
            next_step="Push it first, or give the digest that was pushed (ci/image.sh prints it).",
        )
    ctx.say(f"image {digest[:19]} of {uri}" + ("" if there else "; whether it is there is not asked"))
    return Image(repository=uri, tag="", digest=digest, size_bytes=None)
