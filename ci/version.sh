#!/bin/sh
# The version that the main branch is released as: the day (UTC) and the commit, so that a tag in the registry tells both.
set -eu
cd "$(dirname "$0")/.."
day="$(TZ=UTC git show --no-patch --format=%cd --date=format-local:%Y%m%d HEAD)"
echo "$day-$(git rev-parse --short=12 HEAD)"
