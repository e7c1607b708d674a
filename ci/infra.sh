#!/bin/sh
# Terraform, as the workflow `infra` runs it.
#   ci/infra.sh plan    shows what would change, and says `changes` and `digest` to the workflow
#   ci/infra.sh apply   plans again, and applies that only if it is the plan whose digest is in APPROVED
# Reads TERRAFORM_BACKEND and TERRAFORM_VALUES: the texts of backend.hcl and of terraform.tfvars.
set -eu
cd "$(dirname "$0")/../terraform"
: "${TERRAFORM_BACKEND:?is to be the text of backend.hcl}"
: "${TERRAFORM_VALUES:?is to be the text of terraform.tfvars}"
summary="${GITHUB_STEP_SUMMARY:-/dev/stdout}"
TF_IN_AUTOMATION=1
export TF_IN_AUTOMATION

# A folder of its own: somebody who runs this by hand keeps their files, and a plan holds what is not for everybody.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
printf '%s\n' "$TERRAFORM_BACKEND" >"$work/backend.hcl"
printf '%s\n' "$TERRAFORM_VALUES" >"$work/values.tfvars"

plan() {
  terraform init -input=false -no-color -reconfigure -backend-config="$work/backend.hcl"
  terraform plan -input=false -no-color "$@" -var-file="$work/values.tfvars" -out="$work/plan"
  terraform show -json "$work/plan" >"$work/plan.json"
  # What would be done, without when it was planned: two plans of the same have the same digest.
  digest="$(jq -cS '{resource_changes, output_changes}' "$work/plan.json" | sha256sum | cut -d' ' -f1)"
}

case "${1:-}" in
  plan)
    # A role that only reads cannot take the lock, which is an object in the bucket.
    plan -lock=false
    {
      echo "### Terraform"
      echo
      jq -r '[.resource_changes[]? | select(.change.actions != ["no-op"] and .change.actions != ["read"])]
        | if length == 0 then "Nothing would change."
          else "| would | what |\n|---|---|",
            (sort_by(.address)[] | "| \(.change.actions | join(", then ")) | `\(.address)` |") end' "$work/plan.json"
      echo
      echo "<details><summary>The whole plan</summary>"
      echo
      echo '```'
      # GitHub shows a megabyte.
      terraform show -no-color "$work/plan" | head -c 900000
      echo '```'
      echo
      echo "</details>"
    } >>"$summary"
    {
      echo "changes=$(jq '[.resource_changes[]?, (.output_changes // {} | to_entries[] | {change: .value})]
        | any(.change.actions != ["no-op"] and .change.actions != ["read"])' "$work/plan.json")"
      echo "digest=$digest"
    } >>"${GITHUB_OUTPUT:-/dev/stdout}"
    ;;
  apply)
    : "${APPROVED:?is to be the digest of the plan that was approved}"
    plan
    if [ "$digest" != "$APPROVED" ]; then
      echo "error: what would be applied now is not what was approved" >&2
      echo "  why: code, values or the account changed since the plan was made" >&2
      echo "  next: run the workflow again, and read its new plan" >&2
      exit 3
    fi
    terraform apply -input=false -no-color "$work/plan"
    mkdir -p ../build
    terraform output -json >../build/infra.json
    {
      echo "### Applied"
      echo
      echo "| variable of the repository | value |"
      echo "|---|---|"
      jq -r '{AWS_REGION: .region, AWS_ACCOUNT_ID: .account_id, AWS_DEPLOY_ROLE: .deploy_role_arn,
          CLUSTER_NAME: .cluster_name, ECR_REPOSITORY: .repository_url}
        | to_entries[] | "| `\(.key)` | `\(.value.value)` |"' ../build/infra.json
    } >>"$summary"
    ;;
  *)
    echo "usage: ci/infra.sh plan | apply" >&2
    exit 2
    ;;
esac
