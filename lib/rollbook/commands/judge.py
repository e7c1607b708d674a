"""`rollbook judge`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollbook.errors import BadInputError

if TYPE_CHECKING:
    from rollbook.judge.replay import Replay


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook judge counts.csv --alpha 0.01 --margin 0.01 --json")
    def judge(
        counts: Annotated[
            Path,
            typer.Argument(
                metavar="COUNTS.csv|serve",
                help="`serve` answers Argo Rollouts over HTTP instead of judging a file. A file has "
                "the header time,stable_total,stable_errors,canary_total,canary_errors and a look a row; "
                "time in seconds; an empty value is a scrape that is missing.",
            ),
        ],
        alpha: Annotated[
            float, typer.Option(help="Share of healthy canaries that may be called harmful, over all looks.")
        ] = 0.01,
        margin: Annotated[
            float,
            typer.Option(
                help="How much worse than stable is still safe: a share of requests, 0.01 is one in 100."
            ),
        ] = 0.01,
        relative: Annotated[
            bool,
            typer.Option(
                "--relative", help="The margin is a part of stable's own rate: 0.5 is half as many again."
            ),
        ] = False,
        per_block: Annotated[
            bool,
            typer.Option("--per-block", help="Counts are those since the row before; without it, counters."),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        prometheus: Annotated[str, typer.Option(help="URL of Prometheus, for serve.")] = "",
        service: Annotated[
            Path,
            typer.Option(help="File with the service's counters, or a folder of such files, for serve."),
        ] = Path("service.yaml"),
        bind: Annotated[str, typer.Option(help="HOST:PORT to listen on, for serve.")] = "127.0.0.1:9797",
    ) -> None:
        """Judge a canary by anyone's counts, row by row: harmful, safe, undecided or no-data.

        It reports, and decides nothing: a harmful canary ends with exit code 0 like any other.

        `rollbook judge serve --prometheus URL --service FILE` answers `GET /judge` until it is ended, as
        Argo's `web` metric provider asks.
        """
        if counts == Path("serve"):
            _serve(prometheus, service, bind, alpha, margin)
            return
        from rollbook.judge import replay, table
        from rollbook.judge.model import Margin
        from rollbook.judge.standing import RateMetric

        metric = RateMetric(alpha=alpha, margin=Margin(margin, relative))
        rows = table.parse(_read(counts), counts.name)
        found = replay.replay(rows, metric, per_block=per_block)
        if as_json:
            typer.echo(json.dumps(replay.as_json(found), allow_nan=False))
        else:
            typer.echo(_for_people(found))


def _serve(prometheus: str, service: Path, bind: str, alpha: float, margin: float) -> None:
    from rollbook.judge.canary import Rules
    from rollbook.prometheus.judge_server import serve
    from rollbook.prometheus.metrics import PrometheusMetrics
    from rollbook.prometheus.verdicts import Verdicts
    from rollbook.settings.service_file import load_counters

    if not prometheus:
        raise BadInputError(
            "serve needs --prometheus",
            why="it reads the counters there",
            next_step="For example --prometheus http://127.0.0.1:9090.",
        )
    load_counters(service)  # what is wrong with them is told at once
    verdicts = Verdicts(
        PrometheusMetrics(prometheus, prometheus), lambda: load_counters(service), Rules(alpha, margin)
    )
    serve(verdicts, bind, lambda url: typer.echo(f"answering at {url}/judge"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadInputError(f"there is no file {path}") from None
    except OSError as error:
        raise BadInputError(f"{path} cannot be read", why=error.strerror or "") from None


def _for_people(found: Replay) -> str:
    from rollbook.judge import telling
    from rollbook.judge.replay import changes

    last = found.last
    lines = [f"{last.verdict.value}: {last.sentence}", ""]
    for look in changes(found):
        bad, total = look.counts.canary_errors, look.counts.canary_total
        lines.append(
            f"  {look.at_s:>12g} s  {look.verdict.value:<9}  e-value {look.e_value:<8.3g}  "
            f"canary {telling.of(bad, total)}, "
            f"stable {telling.of(look.counts.stable_errors, look.counts.stable_total)}"
        )
    firsts = telling.seconds(last.first_harmful_s), telling.seconds(last.first_safe_s)
    values = f"e-value {last.e_value:.3g}, p-value {last.p_value:.3g}, alpha {last.alpha:g}"
    lines += ["", f"first harmful: {firsts[0]}; first safe: {firsts[1]}; {len(found.looks)} looks"]
    lines += [f"{values}; safe means {telling.within(found.metric.margin)}"]
    lines += [f"note: {one}" for one in last.warnings]
    return "\n".join(lines)
