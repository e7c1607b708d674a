"""What Terraform planned and applied.

A run that runs Terraform keeps records of `terraform`: call `plan`, status the exit code, answer the plan as
`terraform show -json` gives it; call `apply`, status the exit code; call `show`, answer the state as
`terraform show -json` gives it. `parameters.directory` names the root module, and `parameters.emulated` is
true where the providers were pointed at an emulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollbook.coverage.lookup import Bundle, NoDataError, failed, judged, proved
from rollbook.coverage.model import Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import answers, required
from rollbook.evidence.answers import Answer

HARMLESS = {"no-op", "read"}


@check("terraform.plan_clean")
def plan_clean(bundle: Bundle) -> Finding:
    """A plan made after everything was applied changes nothing: what is there is what is written.

    Where an emulator stands for AWS, `parameters.known_differences` of the plan lists what that is known to
    leave out, by `address`, `action` and `attributes`; it is told, and counts as no change.
    """
    found = required(bundle, "terraform", "plan", told="made a Terraform plan")
    answer, ref = found[-1]
    emulated = _emulated(answer)
    if answer.status not in {"0", "2"}:
        return failed(f"`terraform plan` ended with {answer.status}.", ref, emulated=emulated)
    known = {str(one["address"]) for one in answer.asked.parameters.get("known_differences") or ()}
    changing = {
        str(change["address"])
        for change in answer.answer["resource_changes"]
        if set(change["change"]["actions"]) - HARMLESS
    }
    changes = changing - known
    if changes:
        told = ", ".join(sorted(changes)[:5])
        return failed(
            f"The plan would change {len(changes)} resources, such as {told}.", ref, emulated=emulated
        )
    kept = len(answer.answer["resource_changes"])
    if not kept:
        raise NoDataError("The plan is about no resources.", (ref,))
    left_out = f", but for {len(changing)} that the emulator is known to leave out" if changing else ""
    return proved(f"The plan changes none of {kept} resources{left_out}.", ref, emulated=emulated)


@check("terraform.applied")
def applied(bundle: Bundle, resource: str = "") -> Finding:
    """Terraform applied its plan, and its state holds resources (of this type)."""
    done = required(bundle, "terraform", "apply", told="applied Terraform")
    answer, ref = done[-1]
    emulated = _emulated(answer)
    if answer.status != "0":
        return failed(f"`terraform apply` ended with {answer.status}.", ref, emulated=emulated)
    states = [pair for pair in answers(bundle, "terraform", "show") if pair[0].at >= answer.at]
    if not states:
        raise NoDataError("Terraform applied, and nobody looked at its state afterwards.", (ref,))
    state, where = states[-1]
    types = [str(one["type"]) for one in _resources(state.answer["values"]["root_module"])]
    wanted = [kind for kind in types if resource in {"", kind}]
    sentence = f"Terraform's state holds {len(wanted)} {resource or 'resources'}{_of(emulated)}."
    return judged(bool(wanted), sentence, ref, where, emulated=emulated)


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (one for one in module.get("resources") or () if one.get("mode") == "managed")
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def _emulated(answer: Answer) -> bool:
    return bool(answer.asked.parameters.get("emulated"))


def _of(emulated: bool) -> str:
    return ", made by an emulator of AWS" if emulated else ""
