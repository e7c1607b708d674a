#!/bin/sh
# Makes the GitHub release from what ci/package.sh left in dist/.
# Reads TAG; gh reads GH_TOKEN and GH_REPO.
set -eu
cd "$(dirname "$0")/.."
: "${TAG:?is to name the tag}"
gh release create "$TAG" --verify-tag --title "rollbook ${TAG#v}" --notes-file dist/notes.md \
  dist/*.whl dist/sample-report.html dist/SHA256SUMS
