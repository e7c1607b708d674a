#!/bin/sh
# Builds the service's image for this machine's architecture, and pushes it with an SBOM and how it was built.
# Reads REPOSITORY, the address of the registry's repository; Docker is logged in to it. Says `digest` to the workflow.
set -eu
cd "$(dirname "$0")/.."
: "${REPOSITORY:?is to name the repository that the image is pushed to}"
version="$(ci/version.sh)"
mkdir -p build

# A job that is run again finds the tag taken, for tags never move: what is there was built from this very commit.
if ! digest="$(docker buildx imagetools inspect "$REPOSITORY:$version" --format '{{ .Manifest.Digest }}' 2>build/inspect)"; then
  # Only this driver of Docker keeps attestations.
  docker buildx inspect rollbook >/dev/null 2>&1 || docker buildx create --name rollbook --driver docker-container
  docker buildx build app --file app/Dockerfile --builder rollbook --push \
    --tag "$REPOSITORY:$version" --build-arg "VERSION=$version" \
    --label "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
    --sbom=true --provenance=mode=max --metadata-file build/image.json
  digest="$(jq -er '."containerimage.digest"' build/image.json)"
fi
docker buildx imagetools inspect "$REPOSITORY@$digest" --format '{{ json .SBOM.SPDX }}' >build/sbom.spdx.json
jq -e '.spdxVersion' build/sbom.spdx.json >/dev/null

echo "$REPOSITORY:$version is $digest"
echo "digest=$digest" >>"${GITHUB_OUTPUT:-/dev/stdout}"
