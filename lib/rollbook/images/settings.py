"""What an image's config says beside its files, and the instructions that set it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rollbook.errors import BadInputError
from rollbook.images import dockerfile as syntax
from rollbook.images.dockerfile import Dockerfile, Instruction

WITHOUT_EFFECT: Mapping[str, str] = {
    "HEALTHCHECK": "Kubernetes has probes of its own",
    "SHELL": "no command is run in a shell here",
}


@dataclass(frozen=True)
class Settings:
    """The part of an image's config that Dockerfile instructions set."""

    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    ports: tuple[str, ...] = ()
    """As the OCI specification writes them: `8080/tcp`."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """An instruction where it stands: its file, and the variables that are known there."""

    dockerfile: Dockerfile
    instruction: Instruction
    arguments: Mapping[str, str]
    environment: Mapping[str, str]

    def words(self) -> list[str]:
        """The value split at blanks, variables put in."""
        return syntax.words(self.dockerfile, self.instruction, self.arguments, self.environment)

    def pairs(self) -> dict[str, str]:
        """The value as `key=value` pairs, variables put in."""
        return syntax.pairs(self.dockerfile, self.instruction, self.arguments, self.environment)

    def word(self) -> str:
        """The value as one word. BadInputError when it is several."""
        words = self.words()
        if len(words) != 1:
            raise self.refuse(why="it takes one value", next_step="Quote it when it has blanks.")
        return words[0]

    def refuse(self, *, why: str, next_step: str = "") -> BadInputError:
        """An error that names file, line and instruction; to be raised by the caller."""
        what = f"{self.instruction.name} {self.instruction.value}"
        short = what if len(what) <= 80 else f"{what[:77]}..."
        return self.dockerfile.refuse(self.instruction.line, short, why=why, next_step=next_step)


def configure(settings: Settings, line: Line) -> Settings:
    """The settings after an instruction. BadInputError when it is none that is understood."""
    handler = _HANDLERS.get(line.instruction.name)
    if handler is None:
        raise line.refuse(
            why="images are built here without Docker",
            next_step=f"Understood are ARG, COPY, RUN pip install, {', '.join(sorted(_HANDLERS))}.",
        )
    return handler(settings, line)


def _environment(settings: Settings, line: Line) -> Settings:
    return replace(settings, environment={**settings.environment, **line.pairs()})


def _labels(settings: Settings, line: Line) -> Settings:
    return replace(settings, labels={**settings.labels, **line.pairs()})


def _workdir(settings: Settings, line: Line) -> Settings:
    return replace(settings, workdir=posixpath.normpath(posixpath.join(settings.workdir, line.word())))


def _user(settings: Settings, line: Line) -> Settings:
    return replace(settings, user=line.word())


def _expose(settings: Settings, line: Line) -> Settings:
    ports = list(settings.ports)
    for word in line.words():
        port = word if "/" in word else f"{word}/tcp"
        if not re.fullmatch(r"\d{1,5}/(tcp|udp)", port):
            raise line.refuse(why=f"{word} is not a port", next_step="Write a number such as 8080.")
        if port not in ports:
            ports.append(port)
    return replace(settings, ports=tuple(ports))


def _entrypoint(settings: Settings, line: Line) -> Settings:
    return replace(settings, entrypoint=syntax.exec_form(line.dockerfile, line.instruction), cmd=())


def _cmd(settings: Settings, line: Line) -> Settings:
    return replace(settings, cmd=syntax.exec_form(line.dockerfile, line.instruction))


def _stop_signal(settings: Settings, line: Line) -> Settings:
    if line.word().upper() not in {"SIGTERM", "TERM", "15"}:
        raise line.refuse(
            why="pods are stopped with SIGTERM",
            next_step="Let the service end on SIGTERM, and remove the line.",
        )
    return settings


_HANDLERS: Mapping[str, Callable[[Settings, Line], Settings]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _environment,
    "EXPOSE": _expose,
    "LABEL": _labels,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "WORKDIR": _workdir,
}
