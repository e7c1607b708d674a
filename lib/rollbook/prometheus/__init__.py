"""Prometheus and Alertmanager: queries, rules, targets and alerts."""
