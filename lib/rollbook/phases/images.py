"""Build a version's image and push it, so that pods can name it by digest."""

from __future__ import annotations

from rollbook.domain.release import Image
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
    with ctx.journal.step("push image", tag=image.tag) as step:
        pushed = world.cloud.push(layout, image)
        step |= {"digest": pushed.digest, "repository": pushed.repository}
    ctx.say(f"image {pushed.tag} is in the registry, {pushed.digest[:19]}")
    return pushed
