"""Which labels of which metrics are used, and by what: rules, panels, AnalysisTemplates, signals of a run.

Prometheus itself reads the queries. A label of a recorded metric leads to the metrics that it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from tests.monitoring.asking import Prometheus, Tree
from tests.monitoring.files import (
    PROJECT,
    alerts,
    dashboards,
    panel_queries,
    records,
    with_first_values,
    yaml,
)

_SETS = {"and", "or", "unless"}
_NAME = "__name__"


@dataclass(frozen=True)
class Consumer:
    """A query, what it belongs to (such as `alert HelloSlow`), and the labels that are shown of it."""

    name: str
    query: str
    shown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Use:
    """A label of a metric that something cannot do without. An empty label stands for the metric itself."""

    metric: str
    label: str
    consumer: str


@dataclass
class Reader:
    """Reads queries with a Prometheus; what it has read once it knows."""

    prometheus: Prometheus
    recorded: Mapping[str, str]
    _trees: dict[str, Tree] = field(default_factory=dict)

    def uses(self, consumers: Iterable[Consumer]) -> frozenset[Use]:
        """What the consumers need. AssertionError when one shows a label that its query does not give."""
        return frozenset(
            Use(metric, label, one.name)
            for one in consumers
            for metric, label in self._needs(self._tree(one.query), one.shown)
        )

    def _tree(self, query: str) -> Tree:
        if query not in self._trees:
            self._trees[query] = self.prometheus.parsed(query)
        return self._trees[query]

    def _needs(self, tree: Tree, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
        kind = tree["type"]
        if kind in {"vectorSelector", "matrixSelector"}:
            yield from self._selector(tree, wanted)
        elif kind == "aggregation":
            grouping = frozenset(tree["grouping"])
            if not tree["without"]:
                assert wanted <= grouping, f"{sorted(wanted - grouping)} is shown, and aggregated away"
            yield from self._needs(tree["expr"], wanted | grouping if tree["without"] else grouping)
        elif kind == "call":
            added = {"le"} if tree["func"]["name"] == "histogram_quantile" else set()
            for argument in tree["args"]:
                yield from self._needs(argument, wanted | added)
        elif kind == "binaryExpr":
            yield from self._binary(tree, wanted)
        elif "expr" in tree:  # parentheses, a sign, a subquery
            yield from self._needs(tree["expr"], wanted)
        else:
            assert kind in {"numberLiteral", "stringLiteral"}, kind

    def _selector(self, tree: Tree, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
        matched = {one["name"] for one in tree["matchers"] if one["name"] != _NAME}
        needed = wanted | matched
        if tree["name"] in self.recorded:
            yield from self._needs(self._tree(self.recorded[tree["name"]]), needed)
        else:
            yield tree["name"], ""
            yield from ((tree["name"], label) for label in needed)

    def _binary(self, tree: Tree, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
        matching = tree["matching"]
        if matching is None:  # one side is a number
            for side in ("lhs", "rhs"):
                yield from self._needs(tree[side], wanted if _is_vector(tree[side]) else frozenset())
            return
        on = frozenset(matching["labels"]) if matching["on"] else frozenset()
        given = frozenset(matching["include"])
        if tree["op"] in _SETS:
            other = wanted if tree["op"] == "or" else on
            yield from self._needs(tree["lhs"], wanted | on)
            yield from self._needs(tree["rhs"], other)
            return
        many, one = ("rhs", "lhs") if matching["card"] == "one-to-many" else ("lhs", "rhs")
        both = on if matching["on"] else wanted - given
        yield from self._needs(tree[many], (wanted - given) | on)
        yield from self._needs(tree[one], given | both)


def _is_vector(tree: Tree) -> bool:
    if tree["type"] == "call":
        return bool(tree["func"]["returnType"] == "vector")
    if tree["type"] == "binaryExpr":
        return _is_vector(tree["lhs"]) or _is_vector(tree["rhs"])
    if tree["type"] in {"parenExpr", "unaryExpr"}:
        return _is_vector(tree["expr"])
    return tree["type"] not in {"numberLiteral", "stringLiteral"}


def consumers() -> list[Consumer]:
    """Everything in the project that asks for the service's or the platform's metrics."""
    found = [Consumer(f"record {name}", query) for name, query in records().items()]
    for alert in alerts():
        told = " ".join(alert.annotations.values())
        found.append(
            Consumer(f"alert {alert.name}", alert.expr, frozenset(re.findall(r"\$labels\.(\w+)", told)))
        )
    for query in panel_queries():
        shown = frozenset(re.findall(r"{{(\w+)}}", query.legend))
        found.append(Consumer(f"panel {query.board}: {query.panel}", query.expr, shown))
    return [*found, *_variables(), *_analysis_templates(), *_signals()]


def _variables() -> Iterator[Consumer]:
    for name, board in dashboards().items():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
                assert asked is not None, variable["query"]
                query = with_first_values(asked[1])
                yield Consumer(f"variable {name}: {variable['name']}", query, frozenset({asked[2]}))


def _analysis_templates() -> Iterator[Consumer]:
    for document in YAML(typ="safe").load_all((PROJECT / "k8s/rollouts/analysis.yaml").read_text()):
        for metric in document["spec"]["metrics"]:
            query = metric["provider"]["prometheus"]["query"]
            query = query.replace("[{{args.window}}]", "[1m]").replace("{{args.minimum-requests}}", "1")
            yield Consumer(f"AnalysisTemplate {document['metadata']['name']}", query)


def _signals() -> Iterator[Consumer]:
    for name, signal in yaml(PROJECT / "service.yaml")["signals"].items():
        yield Consumer(f"signal {name}", signal["query"].replace("$window", "1m"))


def lacking(uses: Iterable[Use], provided: Mapping[str, frozenset[str]]) -> list[str]:
    """A sentence for each label that a metric in `provided` (labels by metric) lacks, with all who use it."""
    users: dict[tuple[str, str], set[str]] = {}
    for use in uses:
        if use.metric in provided and use.label and use.label not in provided[use.metric]:
            users.setdefault((use.metric, use.label), set()).add(use.consumer)
    return [
        f"{metric} has no label {label}, which is used by {', '.join(sorted(who))}"
        for (metric, label), who in sorted(users.items())
    ]
