#!/bin/sh
# Refuses an image that this repository's workflow has not built from the main branch, whoever pushed it.
# Reads IMAGE, by digest, and GH_REPO; gh reads GH_TOKEN, and Docker is logged in to the registry.
set -eu
: "${IMAGE:?is to name the image by digest}"
: "${GH_REPO:?is to name the repository as OWNER/NAME}"
case "$IMAGE" in
  ?*@sha256:*) ;;
  *)
    echo "error: $IMAGE names no digest" >&2
    exit 2
    ;;
esac
gh attestation verify "oci://$IMAGE" --repo "$GH_REPO" --deny-self-hosted-runners \
  --signer-workflow "$GH_REPO/.github/workflows/deploy.yml" --source-ref refs/heads/main
