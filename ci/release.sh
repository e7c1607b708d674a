#!/bin/sh
# Releases the image to EKS by the plan ci/plans/PLAN.yaml. Ends with rollbook's exit code: 3 when a gate refused it.
# Reads AWS_REGION, CLUSTER, DIGEST and PLAN. Says `run`, the run's folder, to the workflow, and leaves the predicate
# that its record is signed with in build/predicate.json.
set -eu
cd "$(dirname "$0")/.."
: "${AWS_REGION:?is to name the region of the cluster}"
: "${CLUSTER:?is to name the cluster}"
plan="${PLAN:-release}"
case "$plan" in
  release | first) ;;
  *)
    echo "error: there is no plan '$plan'" >&2
    exit 2
    ;;
esac
set -- --target aws --region "$AWS_REGION" --cluster "$CLUSTER" \
  --plan "ci/plans/$plan.yaml" --set "version=$(ci/version.sh)"
if [ -n "${AWS_ENDPOINT_URL:-}" ]; then
  # An emulated account: rollbook builds the image itself, for its sandbox.
  set -- "$@" --endpoint-url "$AWS_ENDPOINT_URL"
else
  set -- "$@" --set "digest=${DIGEST:?is to be the digest of the image}"
fi

mkdir -p build
make .venv/.installed
code=0
.venv/bin/rollbook run "$@" --json >build/run.json || code=$?

# Also a release that was refused has a record, and that is signed as well.
if run="$(jq -er .report build/run.json)" && run="$(dirname "$run")" && [ -f "$run/statement.dsse.json" ]; then
  jq -er .payload "$run/statement.dsse.json" | base64 -d | jq -e .predicate >build/predicate.json
  echo "run=$run" >>"${GITHUB_OUTPUT:-/dev/stdout}"
fi
exit "$code"
