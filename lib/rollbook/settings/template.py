"""`rollbook init`: a commented service file to start from."""

from __future__ import annotations

import re
from pathlib import Path

from rollbook.errors import BadInputError

TEMPLATE = """\
# What is particular to the service that rollbook releases. Paths are relative to this file.
name: {name}
namespace: {name}
rollout: {name}                 # name of the Argo Rollout
stableService: {name}-stable    # the two Services of the Rollout's canary strategy
canaryService: {name}-canary
port: 8080                      # port the container listens on
initialVersion: 1.0.0           # what `deploy` installs when no version is given

image:
  repository: {name}            # name of the ECR repository
  context: app                  # folder with the sources
  dockerfile: app/Dockerfile
  container: {name}             # container of the pod template that runs the image

# secret: {name}/config         # name in AWS Secrets Manager, when the service has one

overlays:                       # kustomize overlay by target
  sandbox: k8s/overlays/sandbox
  eks: k8s/overlays/eks

traffic:                        # how users reach it through the edge
  host: {name}.example.test     # Host header; what the IngressRoute matches
  paths: [/]                    # taken in turn
  timeout: 5.0                  # seconds until a user gives up
  versionHeader: X-App-Version  # response headers that say who answered:
  podHeader: X-App-Pod          # without them, requests cannot be told apart by version

# monitoring: monitoring        # folder with rules/*.yaml for Prometheus, when the service has one

slo:
  availability: 0.99            # share of requests that succeed; the canary's gate uses it
  p95: 0.3                      # seconds

# PromQL by signal. $hash: pod-template hash of the side looked at; $namespace; $window: such as 10s.
# Units: requests/s, share (0 to 1), s, bytes. The report draws `requests`, `errors`, `p95` and `memory`.
signals:
  requests:
    unit: requests/s
    query: sum(rate(http_requests_total{{namespace="$namespace",pod_template_hash="$hash"}}[$window]))

# Running totals of one side, for the judge, which compares canary and stable at every look.
# counters:
#   requests: sum(http_requests_total{{pod_template_hash="$hash"}})
#   errors: sum(http_requests_total{{pod_template_hash="$hash",code=~"5.."}}) or vector(0)
# It also judges the following where they are there; by `scraped` it knows when to look.
#   latencyBuckets: sum by (le) (http_request_duration_seconds_bucket{{pod_template_hash="$hash"}})
#   memory: max by (pod) (process_resident_memory_bytes{{pod_template_hash="$hash"}})
#   scraped: max(timestamp(http_requests_total{{pod_template_hash="$hash"}}))

# What makes the service misbehave, as its environment, by the fault's name. Without `errors`, give
# `rollbook run` a plan that leaves the drill out.
faults:
  errors: {{ FAULT_ERROR_SHARE: "0.2" }}

# drills: drills.yaml           # what must come of each, for `rollbook drill`
"""


def write_service_file(name: str, out: Path) -> None:
    """Write the template for a service. BadInputError when the name is none, or the file is there already."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", name):
        raise BadInputError(
            f"{name!r} is not a Kubernetes name",
            why="it may have lower-case letters, digits and dashes, and at most 52 of them",
        )
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(name=name))
    except FileExistsError as error:
        raise BadInputError(f"{out} is there already", next_step="Name another file with -o.") from error
    except OSError as error:
        raise BadInputError(f"{out} cannot be written", why=error.strerror or str(error)) from error
