#!/bin/sh
# Makes what a release of rollbook consists of, in dist/: the wheel, the sample report, notes and digests.
# Reads TAG, such as v0.1.0, which has to be the version of pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
: "${TAG:?is to name the tag, such as v0.1.0}"
make .venv/.installed
version="$(.venv/bin/python -m hatchling version)"
if [ "$TAG" != "v$version" ]; then
  echo "error: the tag is $TAG, and pyproject.toml has version $version" >&2
  echo "  next: change the version, commit, and tag that commit" >&2
  exit 2
fi
if [ ! -f reports/sample/report.html ]; then
  echo "error: there is no recorded run in reports/sample" >&2
  echo "  next: record one, look at its report, and commit its folder as reports/sample" >&2
  exit 4
fi
# Nobody should be given a sample that does not hold.
.venv/bin/rollbook verify reports/sample

rm -rf dist
.venv/bin/python -m hatchling build --target wheel --directory dist
cp reports/sample/report.html dist/sample-report.html
before="$(git describe --tags --abbrev=0 --match 'v*' "HEAD^" 2>/dev/null || true)"
{
  if [ -n "$before" ]; then echo "What changed since $before:"; else echo "The first release. How it came about:"; fi
  echo
  git log --no-merges --reverse --format='- %s' "${before:+$before..}HEAD"
  echo
  echo "sample-report.html is the report of a recorded run; it opens offline. The wheel is attested:"
  echo "\`gh attestation verify rollbook-$version-py3-none-any.whl --repo ${GITHUB_REPOSITORY:-OWNER/REPOSITORY}\`"
} >dist/notes.md
(cd dist && sha256sum ./*.whl sample-report.html >SHA256SUMS)
