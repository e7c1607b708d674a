"""The `terraform` command, as `port.Provisioner` asks for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rollbook.domain.release import Component
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.terraform import binary, deadlines, differences, events, folder, outputs, plans
from rollbook.terraform.deadlines import Deadlines
from rollbook.terraform.failures import failure, interrupted, overdue
from rollbook.terraform.folder import Inputs, taken
from rollbook.terraform.port import Applied, Drift, Event, KnownDifference, Outputs, Plan, Resource
from rollbook.terraform.process import Ended, followed
from rollbook.terraform.records import Recording

LOCK_WAIT_S = 60.0
"""How long another one that holds the state is waited for."""
INIT_WAIT_S = 600.0
"""Terraform's cache of providers may be filled by one at a time."""
CHANGED = 2
"""Exit code of a plan that would change something."""


class Terraform:
    """Terraform in one folder. Nothing is started before the first call that needs it.

    `source` holds the code; `workdir` is kept from run to run, closed to others: with an emulator it has the
    state. `plugins` is where providers are kept, for all who share it. `progress` is given what Terraform
    tells, line by line. `environ` is what it may see of the environment (see `folder.environment`). Whoever
    else holds the state is waited for `lock_wait_s` seconds, then TargetHeldError.

    `apply`, `plan` and `destroy` end in order when they are interrupted, and when they take longer than
    `within` (None: `deadlines.AWS`, or `deadlines.EMULATOR`); see `process.followed`.
    """

    def __init__(
        self,
        source: Path,
        *,
        workdir: Path,
        plugins: Path,
        environ: Mapping[str, str],
        inputs: Inputs,
        records: Records | None = None,
        progress: Callable[[Event], None] = lambda _event: None,
        lock_wait_s: float = LOCK_WAIT_S,
        within: Deadlines | None = None,
    ) -> None:
        self._source = source.resolve()
        self._workdir = workdir.resolve()
        self._plugins = plugins.resolve()
        self._environ = environ
        self._inputs = inputs
        self._emulated = inputs.endpoint_url is not None
        self._recording = Recording(records, self._source.name, emulated=self._emulated)
        self._progress = progress
        self._lock_wait_s = lock_wait_s
        self._within = within or (deadlines.EMULATOR if self._emulated else deadlines.AWS)
        self._binary = ""
        self._env: dict[str, str] = {}
        self._components: tuple[Component, ...] = ()

    # --- what a phase asks ---

    def components(self) -> tuple[Component, ...]:
        """Terraform and its providers, by version."""
        self._ready()
        return self._components

    def plan(self, *, destroy: bool = False) -> Plan:
        """What apply would do; with `destroy`, what it would take to have nothing left."""
        self._ready()
        call = "plan -destroy" if destroy else "plan"
        file = self._root / ("destroy.tfplan" if destroy else "apply.tfplan")
        asked: dict[str, Any] = {"given": self._given()}
        if self._emulated:
            asked["known_differences"] = [asdict(one) for one in self._known()]
        options = ["-detailed-exitcode", self._patience, f"-out={file}", *(("-destroy",) if destroy else ())]
        with self._alone():
            ended = self._run("plan", *options, *self._values())
            if ended.interrupted or ended.code not in {0, CHANGED}:
                self._recording.keep(
                    call, ended.code, events.complaints(ended.stdout, interrupted=ended.interrupted), **asked
                )
                raise self._failed(call, ended)
            document = self._json("show", str(file))
        self._recording.keep(call, ended.code, document, **asked)
        return plans.parsed(document, file, destroy=destroy, emulated=self._emulated)

    def apply(self, plan: Plan) -> Applied:
        """Do exactly what the plan says. BadInputError when it is gone, or the state has changed since."""
        self._ready()
        if not plan.file.is_file():
            raise BadInputError(
                "this plan was applied already, or another one was made since",
                why=f"there is no {plan.file.name} any more",
                next_step="Plan again, and apply that.",
            )
        call = "destroy" if plan.destroy else "apply"
        began = time.monotonic()
        with self._alone():
            try:
                ended = self._run("apply", self._patience, str(plan.file))
            finally:
                # It holds values in clear, and is good for one apply only.
                plan.file.unlink(missing_ok=True)
        done = events.done(ended.stdout)
        answer = {**done, **events.complaints(ended.stdout, interrupted=ended.interrupted)}
        if ended.interrupted or ended.code != 0:
            self._recording.keep(call, ended.code, answer, plan=plan.sentence)
            raise self._failed(call, ended, made=sum(len(found) for found in done.values()))
        seconds = time.monotonic() - began
        state = self._state()
        there = plans.resources(state["values"])
        if plan.destroy:
            answer["left"] = [one.address for one in there]
        self._recording.keep(call, 0, answer, plan=plan.sentence)
        if not plan.destroy:
            self._recording.keep("show", 0, state, reads=True)
        return Applied(
            created=tuple(done["created"]),
            updated=tuple(done["updated"]),
            deleted=tuple(done["deleted"]),
            resources=there,
            seconds=seconds,
        )

    def resources(self) -> tuple[Resource, ...]:
        """What is there, by the state; nothing is asked of the cloud."""
        self._ready()
        state = self._state()
        self._recording.keep("show", 0, state, reads=True)
        return plans.resources(state["values"])

    def outputs(self) -> Outputs:
        """What was made, by name. NotFoundError when nothing was applied yet."""
        self._ready()
        document = self._json("output")
        self._recording.keep("output", 0, document, reads=True)
        return outputs.parsed(document)

    def drift(self) -> Drift:
        """Plan again, and tell how what is there differs from what is written."""
        plan = self.plan()
        plan.file.unlink(missing_ok=True)
        return differences.drift(plan, self._known())

    def destroy(self) -> Applied:
        """Remove everything that is in the state."""
        return self.apply(self.plan(destroy=True))

    # --- how ---

    @property
    def _root(self) -> Path:
        return self._workdir / "root"

    @property
    def _patience(self) -> str:
        return f"-lock-timeout={round(self._lock_wait_s * 1000)}ms"

    def _ready(self) -> None:
        """Find the command, copy the code, and `init`; once."""
        if self._components:
            return
        self._binary = binary.found(self._environ)
        folder.check(self._source, self._inputs)
        locked = (self._source / folder.LOCK_FILE).is_file()
        self._env = folder.environment(
            self._environ, self._workdir, self._plugins, self._inputs, locked=locked
        )
        with self._alone():
            folder.copy(self._source, self._root, self._inputs)
            version = binary.new_enough(str(self._json("version")["terraform_version"]))
            self._init(locked=locked)
            selected = self._json("version")["provider_selections"]
        self._recording.keep("init", 0, {"terraform_version": version, "provider_selections": selected})
        remark = "an emulator of AWS is what it asks" if self._emulated else ""
        self._components = (
            Component("Terraform", version, healthy=True),
            *(
                Component(
                    f"Terraform provider {name.rpartition('/')[2]}", chosen, healthy=True, detail=remark
                )
                for name, chosen in sorted(selected.items())
            ),
        )

    def _init(self, *, locked: bool) -> None:
        options = ["-reconfigure", *(("-lockfile=readonly",) if locked else ())]
        if self._inputs.backend is not None:
            options.append(f"-backend-config={self._inputs.backend.resolve()}")
        cache = Path(self._env["TF_PLUGIN_CACHE_DIR"])
        with taken(cache.with_name(f"{cache.name}.lock"), INIT_WAIT_S, f"fetches providers into {cache}"):
            ended = self._run("init", *options)
        if ended.interrupted or ended.code != 0:
            self._recording.keep(
                "init", ended.code, events.complaints(ended.stdout, interrupted=ended.interrupted)
            )
            raise self._failed("init", ended)

    def _values(self) -> Iterator[str]:
        for file in (*self._inputs.var_files, folder.write_values(self._root, self._inputs)):
            yield f"-var-file={file.resolve()}"

    def _known(self) -> tuple[KnownDifference, ...]:
        return differences.known(self._source / differences.PLACE) if self._emulated else ()

    def _state(self) -> Mapping[str, Any]:
        state = self._json("show")
        # It has no values before the first apply.
        return state if "values" in state else {**state, "values": {"root_module": {}}}

    def _given(self) -> dict[str, Any]:
        """Names of what was given from outside: the plan itself tells values, without sensitive ones."""
        return {
            "files": [file.name for file in self._inputs.var_files],
            "names": sorted(self._inputs.variables),
        }

    def _run(self, command: str, *options: str) -> Ended:
        argv = (self._binary, command, "-json", "-input=false", *options)
        return followed(
            argv,
            cwd=self._root,
            environ=self._env,
            log=self._workdir / f"{command}.jsonl",
            within_s=self._within.of(command),
            each=lambda line: self._progress(events.event(line)),
        )

    def _json(self, command: str, *arguments: str) -> Mapping[str, Any]:
        """What a command that only looks prints, as JSON."""
        log = self._workdir / f"{command}.json"
        argv = (self._binary, command, "-json", *arguments)
        within_s = self._within.of(command)
        ended = followed(argv, cwd=self._root, environ=self._env, log=log, within_s=within_s)
        log.unlink(missing_ok=True)  # show and output print sensitive values in clear
        if ended.interrupted or ended.code != 0:
            raise self._failed(command, ended)
        try:
            document = json.loads(ended.stdout)
        except ValueError as error:
            raise EnvironmentFailedError(
                f"terraform {command} did not answer in JSON",
                why=str(error),
                next_step="See what `terraform version` says: the command itself is needed, 1.11 or newer.",
            ) from error
        if not isinstance(document, Mapping):
            raise EnvironmentFailedError(f"terraform {command} did not answer with a JSON object")
        return document

    def _failed(self, command: str, ended: Ended, made: int = 0) -> Exception:
        if ended.overdue:
            within_s = self._within.of("apply" if command == "destroy" else command.split()[0])
            waited = events.under_way(ended.until_then)
            return overdue(command, within_s, waited, made, orderly=ended.orderly)
        if ended.interrupted:
            return interrupted(command, made)
        return failure(command, ended.code, events.diagnostics(ended.stdout), ended.stderr)

    def _alone(self) -> AbstractContextManager[None]:
        """Two that work in one folder would take each other's plans: Terraform locks only the state."""
        return taken(self._workdir / "workdir.lock", self._lock_wait_s, f"works in {self._workdir}")
