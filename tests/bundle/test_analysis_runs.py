"""AnalysisRuns as Kubernetes stores them."""

from __future__ import annotations

from tests.report import runs

from rollbook.bundle.analysis_runs import parse_analysis_run


def test_metrics_have_their_conditions_measurements_and_resolved_query() -> None:
    """Conditions come from the spec, values from the status, arguments are put into the query."""
    run = parse_analysis_run(runs.analysis_run(runs.DRILL))
    rate = next(metric for metric in run.metrics if metric.name == "success-rate")
    assert "Failed" == run.phase
    assert ("[0.8113]", "[0.7931]") == tuple(one.value for one in rate.measurements)
    assert 'sum(rate(x{hash="58fb7cd994"}[10s]))' == rate.query
    assert "result[0] < 0.99" == rate.failure_condition
    assert 2 == rate.failed


def test_an_empty_object_is_an_empty_run() -> None:
    """An object without spec and status, as a run that was just made, is read without an error."""
    run = parse_analysis_run({"metadata": {"name": "new"}, "spec": None})
    assert ("new", "", ()) == (run.name, run.phase, run.metrics)
