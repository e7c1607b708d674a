"""The documents: what they name is there, and nothing in the project belongs to one machine only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from rollbook.cli import app
from rollbook.errors import ExitCode
from rollbook.sandbox.recipe import PATCHES, recipe
from rollbook.settings.plan_file import Plan

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", ".github", "app", "ci", "docs", "k8s", "lib", "monitoring", "runbooks", "tests")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "reports" / "README.md"])
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]

LINK = re.compile(r"(?<!!)\[[^\]]*(?<!\\)\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")

# Put together here, so that this file does not name them itself.
OF_ONE_MACHINE = re.compile(
    "|".join(rf"(?<![\w.])/{name}/" for name in ("work", "root", r"home/\w+", r"tmp/\w+build"))
)
EVERY_INTERFACE = ".".join("0000")
MAY_NAME_EVERY_INTERFACE = {
    "lib/rollbook/sandbox/recipe.py",  # the patch that takes it out of Argo Rollouts
}

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)
each_decision = pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)


def prose(document: Path) -> str:
    return FENCED.sub("", document.read_text())


def code(document: Path) -> list[str]:
    text = document.read_text()
    blocks = [line for _, block in FENCED.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    return blocks + INLINE.findall(FENCED.sub("", text))


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def project_files() -> Iterator[tuple[str, str]]:
    """Every text file of the project: its path, and what is in it."""
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name not in {".env", ".coverage"}]
    files += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in files:
        if {"__pycache__", ".ipynb_checkpoints"} & set(path.parts):
            continue
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture


def commands() -> dict[str, TyperCommand]:
    """Commands of rollbook by their words, such as `sandbox up`."""
    found: dict[str, TyperCommand] = {}
    top = get_command(app)
    assert isinstance(top, TyperGroup)
    for name, command in top.commands.items():
        if isinstance(command, TyperGroup):
            found |= {f"{name} {inner}": one for inner, one in command.commands.items()}
        else:
            found[name] = command
    return found


def options(command: TyperCommand) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    """Each relative link leads to a file that is there, and each anchor to a heading in it."""
    broken = []
    for match in LINK.finditer(prose(document)):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name) if name else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert [] == broken


@each_document
def test_make_targets_are_in_the_makefile(document: Path) -> None:
    """Each `make NAME` that a document tells people to type is a target."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for text in code(document) for target in re.findall(r"(?:^|\s)make ([a-z-]+)", text)}

    assert set() == named - targets


@each_document
def test_commands_and_options_are_those_of_the_command_line(document: Path) -> None:
    """Each `rollbook COMMAND --option` that a document names is one that the command line takes."""
    known = commands()
    wrong = []
    for text in code(document):
        for words in re.findall(r"(?:^|[\s(/\"])rollbook ((?!-)[a-z][^#;|)\"]*)", text):
            first, *rest = words.split()
            name = f"{first} {rest[0]}" if first == "sandbox" and rest else first
            if name == "sandbox kubectl":
                continue  # its arguments are kubectl's
            if name not in known:
                wrong.append(text)
                continue
            used = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(rest)))
            if used - options(known[name]):
                wrong.append(text)

    assert [] == wrong


def test_every_command_is_in_the_readme() -> None:
    """No command is left out of the command line's reference."""
    text = (ROOT / "README.md").read_text()
    sandbox = next(line for line in text.splitlines() if line.startswith("| `rollbook sandbox up`, "))
    missing = [
        name
        for name in commands()
        if f"rollbook {name}" not in text and f"`{name.partition(' ')[2]}`" not in sandbox
    ]

    assert [] == missing


def test_every_option_of_run_is_in_the_readme() -> None:
    """The synopsis of `rollbook run` has all of its options."""
    text = (ROOT / "README.md").read_text()

    assert set() == {name for name in options(commands()["run"]) if f"[{name}" not in text}


def test_the_readme_names_the_versions_that_are_built() -> None:
    """What the table calls real or emulated has the version that the sandbox's recipe has."""
    section = (ROOT / "README.md").read_text().partition("## What is real and what is emulated")[2]
    versions = {name: version.removeprefix("v") for name, version in recipe().versions().items()}

    assert {} == {name: version for name, version in versions.items() if f" {version}" not in section}


def test_the_readme_discloses_every_patch() -> None:
    """There is one point for each line of vendor code that is patched."""
    section = (ROOT / "README.md").read_text().partition("lines of vendor code are patched")[2]
    _, points, *_ = section.split("\n\n")

    assert len(PATCHES) == len(re.findall(r"^- ", points, re.MULTILINE))


def test_exit_codes_of_the_readme_are_the_real_ones() -> None:
    """The table has each exit code once, in order."""
    rows = re.findall(r"^\| (\d) \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert [str(code.value) for code in ExitCode] == rows


def test_the_plan_of_the_readme_is_a_plan() -> None:
    """The example can be copied and run."""
    blocks = [text for kind, text in FENCED.findall((ROOT / "README.md").read_text()) if kind == "yaml"]

    assert 1 == len(blocks)
    assert 5 == len(Plan.model_validate(YAML(typ="safe").load(blocks[0])).phases)


def test_the_contents_of_the_readme_are_its_headings() -> None:
    """The table of contents names each section, in order."""
    text = prose(ROOT / "README.md")

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == re.findall(
        r"^- \[([^\]]+)\]\(#", text, re.MULTILINE
    )


def test_decisions_are_numbered_without_gaps() -> None:
    """The first is 0001, and each is one more than the one before, in its name and in its title."""
    numbers = [path.name[:4] for path in DECISIONS]

    assert [f"{number:04}" for number in range(1, len(DECISIONS) + 1)] == numbers
    assert [f"# {number}: " for number in numbers] == [path.read_text()[:8] for path in DECISIONS]


@each_decision
def test_a_decision_says_what_was_turned_down(decision: Path) -> None:
    """Each has its status, and the same four sections."""
    text = decision.read_text()

    assert SECTIONS == re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert re.search(r"^Status: (accepted|superseded by \[\d{4}\])", text, re.MULTILINE)


def test_every_decision_is_in_the_index() -> None:
    """The index links each decision under its title."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    wanted = [
        f"| [{path.name[:4]}]({path.name}) | {path.read_text().splitlines()[0][8:]} |" for path in DECISIONS
    ]

    assert [] == [row for row in wanted if row not in index]


def test_no_file_names_a_place_of_one_machine() -> None:
    """No path of the machine that something was written on is in the project."""
    assert [] == [name for name, text in project_files() if OF_ONE_MACHINE.search(text)]


def test_nothing_listens_on_every_interface() -> None:
    """All servers bind loopback addresses; where the other address is spoken of, there is a reason."""
    found = {name for name, text in project_files() if EVERY_INTERFACE in text}

    assert MAY_NAME_EVERY_INTERFACE == found
