"""Dashboards of every day: the objectives, and the platform that releases rest on."""

from __future__ import annotations

from monitoring.dashboards.model import Board, Limit, Panel, Query, Section
from monitoring.dashboards.release import MARKS, NAME, NAMESPACE, OF

QUIET = "no alert fires while all is well."
EDGE = '{entrypoint=~"web|websecure"}'
WINDOWS = ("5m", "30m", "1h", "6h", "3d")

SLO_BOARD = Board(
    "rollbook-slo",
    "Objectives",
    "Availability of 99 % and 95 % of answers within 0.3 s, and how fast their budgets burn.",
    (
        Section(
            "Availability",
            (
                Panel(
                    "Availability of the last hour",
                    "percentunit",
                    "Share of requests that succeeded; 99 % is the objective.",
                    (Query(f"1 - namespace:hello_http_errors:ratio_rate1h{{{OF}}}", "availability"),),
                    kind="stat",
                    limits=(Limit(0.99, "green"),),
                    base="red",
                ),
                Panel(
                    "Budget left of three days",
                    "percentunit",
                    "What is left of the errors that three days may have; less where data is younger.",
                    (Query(f"1 - namespace:hello_http_errors:ratio_rate3d{{{OF}}} / 0.01", "left"),),
                    kind="stat",
                    limits=(Limit(0.0, "yellow"), Limit(0.5, "green")),
                    base="red",
                    runbooks=("HelloErrorBudgetBurnsSlowly",),
                ),
                Panel(
                    "Burn rate of the error budget",
                    "short",
                    "1 uses up the budget of 30 days in 30 days. 14.4 over 1 h and 5 m wakes somebody, "
                    "6 over 6 h and 30 m is told of.",
                    tuple(
                        Query(f"namespace:hello_http_errors:ratio_rate{window}{{{OF}}} / 0.01", window)
                        for window in WINDOWS
                    ),
                    limits=(Limit(1, "yellow"), Limit(6, "orange"), Limit(14.4, "red")),
                    runbooks=("HelloErrorBudgetBurnsFast", "HelloErrorBudgetBurns"),
                ),
            ),
        ),
        Section(
            "Latency",
            (
                Panel(
                    "Answers within 0.3 s, last hour",
                    "percentunit",
                    "Share of answers; 95 % is the objective.",
                    (Query(f"1 - namespace:hello_http_slow:ratio_rate1h{{{OF}}}", "within 0.3 s"),),
                    kind="stat",
                    limits=(Limit(0.95, "green"),),
                    base="red",
                ),
                Panel(
                    "Burn rate of the latency budget",
                    "short",
                    "1 uses up the budget of 30 days in 30 days. 14.4 over 1 h and 5 m wakes somebody.",
                    tuple(
                        Query(f"namespace:hello_http_slow:ratio_rate{window}{{{OF}}} / 0.05", window)
                        for window in ("5m", "1h")
                    ),
                    limits=(Limit(1, "yellow"), Limit(14.4, "red")),
                    runbooks=("HelloLatencyBudgetBurnsFast",),
                ),
                Panel(
                    "Alerts about the objectives",
                    "short",
                    "Those that fire, or are about to.",
                    (
                        Query(
                            'max by (alertname, alertstate) (ALERTS{alertname=~"Hello.+BudgetBurns.*"})',
                            "{{alertname}} {{alertstate}}",
                        ),
                    ),
                    empty=QUIET,
                ),
            ),
        ),
    ),
    MARKS,
    (NAMESPACE, NAME),
)

PLATFORM_BOARD = Board(
    "rollbook-platform",
    "Platform",
    "What releases rest on: the edge, Argo Rollouts' controller, Prometheus and Alertmanager.",
    (
        Section(
            "Alerts and targets",
            (
                Panel(
                    "Alerts that fire",
                    "short",
                    "All of them, those that are held back as well.",
                    (
                        Query(
                            'sum by (alertname, severity) (ALERTS{alertstate="firing"})',
                            "{{alertname}} ({{severity}})",
                        ),
                    ),
                    empty=QUIET,
                ),
                Panel(
                    "Targets that are scraped",
                    "percentunit",
                    "Share of each job's targets that answer.",
                    (Query("avg by (job) (up)", "{{job}}"),),
                    limits=(Limit(1, "green"),),
                    base="red",
                    runbooks=("ScrapeTargetDown", "PodNotScraped"),
                ),
                Panel(
                    "Duration of scrapes",
                    "s",
                    "Longest scrape of each job.",
                    (Query("max by (job) (scrape_duration_seconds)", "{{job}}"),),
                ),
            ),
        ),
        Section(
            "Edge",
            (
                Panel(
                    "Answers at the edge by code",
                    "reqps",
                    "What users got. 502, 503 and 504 are the edge's own: no pod could be reached.",
                    (
                        Query(
                            f"sum by (code) (rate(traefik_entrypoint_requests_total{EDGE}[1m]))",
                            "{{code}}",
                        ),
                    ),
                    runbooks=("EdgeCannotReachPods",),
                ),
                Panel(
                    "p95 at the edge",
                    "s",
                    "Within this time 19 of 20 users had their answer.",
                    (
                        Query(
                            "histogram_quantile(0.95, sum by (le) (rate("
                            f"traefik_entrypoint_request_duration_seconds_bucket{EDGE}[1m])))",
                            "p95",
                        ),
                    ),
                    limits=(Limit(0.3, "red"),),
                ),
                Panel(
                    "Open connections",
                    "short",
                    "Connections of users that are open, by entry point.",
                    (Query("sum by (entrypoint) (traefik_open_connections)", "{{entrypoint}}"),),
                ),
                Panel(
                    "Age of the edge's configuration",
                    "s",
                    "Since the edge last took a change; each change of a weight is one.",
                    (Query("time() - max(traefik_config_last_reload_success)", "age"),),
                ),
                Panel(
                    "Days that certificates have left",
                    "d",
                    "cert-manager renews at 30 days.",
                    (
                        Query(
                            "(min by (sans) (traefik_tls_certs_not_after) - time()) / 86400",
                            "{{sans}}",
                        ),
                    ),
                    limits=(Limit(14, "green"),),
                    base="red",
                    empty="an edge without TLS, as the sandbox's, has no certificates.",
                    runbooks=("CertificateNearItsEnd",),
                ),
            ),
        ),
        Section(
            "Argo Rollouts",
            (
                Panel(
                    "Calls of the API server",
                    "reqps",
                    "Calls of the controller by status; 409 is a conflict, which it tries again.",
                    (
                        Query(
                            "sum by (status_code) (rate(controller_clientset_k8s_request_total[1m]))",
                            "{{status_code}}",
                        ),
                    ),
                    runbooks=("RolloutMetricsMissing",),
                ),
                Panel(
                    "Rollouts looked after",
                    "reqps",
                    "How often the controller brought a Rollout in step.",
                    (
                        Query(
                            "sum by (namespace, name) (rate(rollout_reconcile_count[1m]))",
                            "{{namespace}}/{{name}}",
                        ),
                    ),
                ),
            ),
        ),
        Section(
            "Prometheus and Alertmanager",
            (
                Panel(
                    "Alertmanagers known",
                    "short",
                    "Without one, nobody is told.",
                    (Query("min(prometheus_notifications_alertmanagers_discovered)", "known"),),
                    kind="stat",
                    limits=(Limit(1, "green"),),
                    base="red",
                    runbooks=("AlertmanagerNotDiscovered",),
                ),
                Panel(
                    "Alerts handed to Alertmanager",
                    "reqps",
                    "Sent, and those that Alertmanager did not take.",
                    (
                        Query("sum(rate(prometheus_notifications_sent_total[2m]))", "sent"),
                        Query("sum(rate(prometheus_notifications_errors_total[2m]))", "not taken"),
                    ),
                    runbooks=("AlertmanagerTakesNoAlerts",),
                ),
                Panel(
                    "Notifications that failed",
                    "reqps",
                    "What Alertmanager could not deliver, by kind of receiver.",
                    (
                        Query(
                            "sum by (integration) (rate(alertmanager_notifications_failed_total[5m]))",
                            "{{integration}}",
                        ),
                    ),
                    runbooks=("AlertmanagerCannotNotify",),
                ),
                Panel(
                    "Rules that failed",
                    "short",
                    "Evaluations that failed within five minutes.",
                    (
                        Query(
                            "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m]))",
                            "{{rule_group}}",
                        ),
                    ),
                    limits=(Limit(1, "red"),),
                    runbooks=("RuleEvaluationFails",),
                ),
                Panel(
                    "Duration of rules",
                    "s",
                    "The last evaluation of each group of rules.",
                    (
                        Query(
                            "max by (rule_group) (prometheus_rule_group_last_duration_seconds)",
                            "{{rule_group}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
