"""What AWS and the CI's provider answered."""

from __future__ import annotations

from rollbook.coverage.lookup import Bundle, NoDataError, NotExercisedError, failed, judged, proved, refer
from rollbook.coverage.model import Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import answers, is_emulated, required

EMULATES = "emulated"


@check("aws.called")
def aws_called(bundle: Bundle, service: str, operation: str) -> Finding:
    """AWS (or what emulates it, which is told) did this operation."""
    call = f"{service}:{operation}"
    found = answers(bundle, f"aws:{service}", call)
    if not found:
        raise NotExercisedError(f"This run did not call {call}.")
    good = [pair for pair in found if pair[0].status == "200"]
    answer, ref = (good or found)[-1]
    emulated = is_emulated(answer)
    by = "an emulator of AWS" if emulated else "AWS"
    if not good:
        return failed(f"{by[0].upper()}{by[1:]} refused {call}: {answer.status}.", ref, emulated=emulated)
    return proved(f"{call} was done by {by}.", ref, emulated=emulated)


@check("aws.secret_kept")
def secret_kept(bundle: Bundle, name: str = "") -> Finding:
    """AWS Secrets Manager (or what emulates it, which is told) has the service's secret, by its ARN."""
    asked = [
        (answer, ref)
        for operation in ("CreateSecret", "DescribeSecret")
        for answer, ref in answers(bundle, "aws:secretsmanager", f"secretsmanager:{operation}")
        if name in {"", *(str(answer.asked.parameters.get(key, "")) for key in ("Name", "SecretId"))}
    ]
    if not asked:
        raise NotExercisedError(f"Nobody asked AWS Secrets Manager for {name or 'a secret'} in this run.")
    good = [pair for pair in asked if pair[0].status == "200" and pair[0].answer.get("ARN")]
    answer, ref = (good or asked)[-1]
    emulated = is_emulated(answer)
    if not good:
        return failed(
            f"There is no secret {name}: {answer.status}.".replace(" :", ":"), ref, emulated=emulated
        )
    by = "An emulator of AWS" if emulated else "AWS"
    return proved(f"{by} keeps the secret {answer.answer['ARN']}.", ref, emulated=emulated)


@check("aws.emulated")
def aws_emulated(bundle: Bundle) -> Finding:
    """Where AWS is emulated, the run says so: in its components and in its disclosures."""
    found = required(bundle, "aws", told="called AWS")
    emulated = [(answer, ref) for answer, ref in found if is_emulated(answer)]
    if not emulated:
        raise NotExercisedError("AWS itself answered in this run.")
    _, called = emulated[0]
    run = bundle.evidence.run
    ref = refer(bundle, "run.json", "components and disclosures")
    told = [sentence for sentence in run.disclosures if "AWS" in sentence and EMULATES in sentence]
    marked = [component.name for component in run.components if component.emulated]
    sentence = (
        f"{len(emulated)} calls went to an emulator; the run says: {told[0] if told else 'nothing of it'}"
    )
    return judged(bool(told and marked), f"{sentence.rstrip('.')}.", called, ref)


@check("oidc.role_assumed")
def role_assumed(bundle: Bundle) -> Finding:
    """A role was assumed by a web identity token (OIDC), so that no long-lived key was needed."""
    found = required(
        bundle, "aws:sts", "sts:AssumeRoleWithWebIdentity", told="assumed a role by a web identity"
    )
    answer, ref = found[-1]
    emulated = is_emulated(answer)
    if answer.status != "200":
        return failed(f"The role was not given: {answer.status}.", ref, emulated=emulated)
    who = answer.answer.get("AssumedRoleUser", {}).get("Arn", "a role")
    return proved(f"{who} was assumed by a web identity.", ref, emulated=emulated)


@check("cost.recorded")
def cost_recorded(bundle: Bundle) -> Finding:
    """What the run cost is recorded, with its currency and what the figure is made of.

    Looks for records of `cost`, call `estimate` or `bill`: answer `currency`, `total`, and `items`, each with
    an `amount`; their sum is the total.
    """
    found = required(bundle, "cost", told="worked out what it cost")
    answer, ref = found[-1]
    told = answer.answer
    total = float(told["total"])
    items = [float(item["amount"]) for item in told["items"]]
    if not items or not told.get("currency"):
        raise NoDataError("The recorded cost names no currency or nothing that it is made of.", (ref,))
    sentence = f"The run cost {total:.2f} {told['currency']} in {len(items)} items."
    return judged(abs(sum(items) - total) < 0.01, sentence, ref)


@check("ci.run_succeeded")
def ci_run_succeeded(bundle: Bundle, workflow: str) -> Finding:
    """The CI's provider says that the last run of this workflow ended well, for the commit of this run.

    Looks for records of `github`, call `GET /repos/<owner>/<name>/actions/runs...`: answer a
    workflow run with `name` or `path`, `conclusion`, `head_sha`, or a list of them in `workflow_runs`.
    """
    runs = [
        (run, ref)
        for answer, ref in answers(bundle, "github", "GET /repos/", status="200")
        if "/actions/runs" in answer.asked.call
        for run in answer.answer.get("workflow_runs", [answer.answer])
        if workflow in {run.get("name"), str(run.get("path", "")).rpartition("/")[2].partition(".")[0]}
    ]
    if not runs:
        raise NotExercisedError(f"Nobody asked how the workflow {workflow} ended.")
    run, ref = runs[-1]
    commit = bundle.evidence.run.commit.sha
    same = run.get("head_sha") == commit
    sentence = f"The workflow {workflow} ended as {run.get('conclusion')} for {str(run.get('head_sha'))[:12]}"
    other = "" if same else f", and this run is of {commit[:12]}"
    return judged(run.get("conclusion") == "success" and same, f"{sentence}{other}.", ref)
