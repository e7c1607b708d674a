"""Dashboards of one release: the rollout, and the service while it goes on."""

from __future__ import annotations

from monitoring.dashboards.model import Board, Limit, Mark, Panel, Query, Section

OF = 'namespace="$namespace"'
ROLLOUT = 'namespace="$namespace",name="$rollout"'
EDGE = 'traefik_service_requests_total{service=~"$namespace-$rollout'
VERSION = (
    "* on (namespace, pod_template_hash) group_left (version) "
    f"namespace_pod_template_hash_version:hello_build_info:max{{{OF}}}"
)
VERSION_NAME = "{{version}} ({{pod_template_hash}})"
NAMESPACE = ("namespace", "label_values(rollout_info, namespace)", "hello")
NAME = ("rollout", 'label_values(rollout_info{namespace="$namespace"}, name)', "hello")
# A pause follows each weight: where one begins is a step. Argo's counters of events begin at 1, so that what
# happens first would be no change of theirs.
MARKS = (
    Mark("steps", f'max by (phase) (rollout_info{{{ROLLOUT},phase="Paused"}})', "blue"),
    # Stretched: rollbook ends the phase within seconds, which a graph's step would miss.
    Mark("aborted", f'max by (phase) (max_over_time(rollout_info{{{ROLLOUT},phase="Abort"}}[30s]))', "red"),
)
ANALYSIS_ENDS = "Argo removes an AnalysisRun soon after it has ended, and there is none between releases."

REQUESTS = Panel(
    "Requests by version",
    "reqps",
    "Answers that pods gave, by the version that gave them.",
    (Query(f"namespace_pod_template_hash:hello_http_requests:rate1m{{{OF}}} {VERSION}", VERSION_NAME),),
)
ERRORS = Panel(
    "Errors by version",
    "percentunit",
    "Share of a version's answers that are errors. Argo's analysis fails a canary above 5 %.",
    (Query(f"namespace_pod_template_hash:hello_http_errors:ratio_rate1m{{{OF}}} {VERSION}", VERSION_NAME),),
    limits=(Limit(0.01, "yellow"), Limit(0.05, "red")),
    runbooks=("HelloVersionFails",),
)
P95 = Panel(
    "p95 by version",
    "s",
    "Within this time 19 of 20 answers were given; the objective is 0.3 s.",
    (
        Query(
            f"namespace_pod_template_hash:hello_http_request_duration_seconds:p95_rate1m{{{OF}}} {VERSION}",
            VERSION_NAME,
        ),
    ),
    limits=(Limit(0.3, "red"),),
    runbooks=("HelloSlow",),
)

ROLLOUT_BOARD = Board(
    "rollbook-rollout",
    "Rollout",
    "One release while it goes: phase, split, versions side by side, analysis.",
    (
        Section(
            "Where it is",
            (
                Panel(
                    "Phase",
                    "short",
                    "Phase of the Rollout by Argo's metrics.",
                    (Query(f"max by (phase) (rollout_info{{{ROLLOUT}}})", "{{phase}}"),),
                    kind="stat",
                    runbooks=("RolloutAborted", "RolloutFailed", "RolloutStuck", "RolloutPausedTooLong"),
                ),
                Panel(
                    "Users on the canary",
                    "percentunit",
                    "Share of the requests that the edge sent to the canary: counted, and not what was set.",
                    (
                        Query(
                            f'sum(rate({EDGE}-canary-.+"}}[1m]))'
                            f' / (sum(rate({EDGE}-(canary|stable)-.+"}}[1m])) > 0)',
                            "canary",
                        ),
                    ),
                    empty="the edge counts a Service from its first request on, and there was no canary yet.",
                    runbooks=("HelloCanaryWithoutTraffic",),
                ),
                Panel(
                    "Pods",
                    "short",
                    "Pods that the Rollout wants, has, and lacks.",
                    (
                        Query(f"max(rollout_info_replicas_desired{{{ROLLOUT}}})", "desired"),
                        Query(f"max(rollout_info_replicas_available{{{ROLLOUT}}})", "available"),
                        Query(f"max(rollout_info_replicas_updated{{{ROLLOUT}}})", "updated"),
                        Query(f"max(rollout_info_replicas_unavailable{{{ROLLOUT}}})", "unavailable"),
                    ),
                ),
            ),
        ),
        Section("Versions side by side", (REQUESTS, ERRORS, P95)),
        Section(
            "Analysis",
            (
                Panel(
                    "AnalysisRuns",
                    "short",
                    "AnalysisRuns that exist, by phase.",
                    (Query(f"sum by (phase) (analysis_run_info{{{OF}}})", "{{phase}}"),),
                    empty=ANALYSIS_ENDS,
                    runbooks=("AnalysisInconclusive", "AnalysisInError"),
                ),
                Panel(
                    "Measures",
                    "short",
                    "Phase of each measure of each AnalysisRun.",
                    (
                        Query(
                            f"max by (name, metric, phase) (analysis_run_metric_phase{{{OF}}} == 1)",
                            "{{name}} {{metric}}: {{phase}}",
                        ),
                    ),
                    empty=ANALYSIS_ENDS,
                ),
                Panel(
                    "Events of the Rollout",
                    "short",
                    "What Argo did, counted since its controller started.",
                    (Query(f"sum by (reason) (rollout_events_total{{{ROLLOUT}}})", "{{reason}}"),),
                ),
            ),
        ),
    ),
    MARKS,
    (NAMESPACE, NAME),
)


def _quantile(share: str) -> Query:
    buckets = f"namespace_pod_template_hash_le:hello_http_request_duration_seconds_bucket:rate1m{{{OF}}}"
    return Query(f"histogram_quantile({share}, sum by (le) ({buckets}))", f"p{share.removeprefix('0.')}")


SERVICE_BOARD = Board(
    "rollbook-service",
    "Service",
    "Rate, errors and duration of the service, and how full its pods are.",
    (
        Section(
            "Rate and errors",
            (
                REQUESTS,
                Panel(
                    "Answers by code",
                    "reqps",
                    "Answers that pods gave, by status.",
                    (Query(f"sum by (code) (rate(hello_http_requests_total{{{OF}}}[1m]))", "{{code}}"),),
                ),
                Panel(
                    "Requests by path",
                    "reqps",
                    "By method and path; paths that the service does not know count as other.",
                    (
                        Query(
                            f"sum by (method, path) (rate(hello_http_requests_total{{{OF}}}[1m]))",
                            "{{method}} {{path}}",
                        ),
                    ),
                ),
                ERRORS,
            ),
        ),
        Section(
            "Duration",
            (
                P95,
                Panel(
                    "Durations of all versions",
                    "s",
                    "Half, 95 % and 99 % of the answers were given within these times.",
                    (_quantile("0.50"), _quantile("0.95"), _quantile("0.99")),
                    limits=(Limit(0.3, "red"),),
                ),
            ),
        ),
        Section(
            "Saturation",
            (
                Panel(
                    "Memory of the fullest pod",
                    "bytes",
                    "Resident memory; beyond 128 MiB a pod is killed.",
                    (
                        Query(
                            f"namespace_pod_template_hash:process_resident_memory_bytes:max{{{OF}}}",
                            "{{pod_template_hash}}",
                        ),
                    ),
                    limits=(Limit(107374182.4, "yellow"), Limit(134217728, "red")),
                    runbooks=("HelloMemoryNearLimit",),
                ),
                Panel(
                    "Processors in use",
                    "short",
                    "Seconds of processor time per second, all pods of a version together.",
                    (
                        Query(
                            f"namespace_pod_template_hash:process_cpu_seconds:rate1m{{{OF}}}",
                            "{{pod_template_hash}}",
                        ),
                    ),
                ),
                Panel(
                    "Pods that are scraped",
                    "short",
                    "Pods whose metrics Prometheus reads; those at 0 cannot be read.",
                    (
                        Query(
                            f'sum by (pod_template_hash) (up{{job="pods",{OF}}})',
                            "{{pod_template_hash}}",
                        ),
                    ),
                    runbooks=("PodNotScraped",),
                ),
            ),
        ),
    ),
    MARKS,
    (NAMESPACE, NAME),
)
