""".env.example: every environment variable that the project reads, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
READERS = {"lib": ("environ",), "app": ("environ", "environment", "reader")}
"""What the process's environment is called in each folder."""
OURS_ONLY = ("tests", "benchmarks", "docs/diagrams", ".ci", "Makefile")
"""Where our own variables are looked for as well, by their prefix."""
NAMED = re.compile(r"^# ?([A-Z][A-Z0-9_]+)[=:]", re.MULTILINE)
PLACEHOLDERS = {"ROLLBOOK_PROMETHEUS_URL", "ROLLBOOK_DEPLOYERS_GROUP", "ROLLBOOK_REGISTRIES"}
"""Look like variables, and stand in manifests for something else."""
NAMED_BY_PEOPLE = {"lib/rollbook/evidence/reference.py: variable['name']"}
"""Looks for a variable that somebody names: `env:NAME` as a reference to a secret."""
FOR_PODS = {"ROLLBOOK_POD_UID", "ROLLBOOK_CONTAINER_ID"}
"""Marks in the environment of processes that rollbook starts: written there, and looked for in /proc."""


@cache
def own_constants(path: Path) -> dict[str, frozenset[str]]:
    """Names of a module whose values are texts, or rows of texts; loop variables over such rows too."""
    found: dict[str, frozenset[str]] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign):
            source, targets = node.value, node.targets
        elif isinstance(node, ast.For | ast.comprehension):
            source, targets = node.iter, [node.target]
        else:
            continue
        texts = texts_of(source, found)
        found |= {target.id: texts for target in targets if isinstance(target, ast.Name) and texts}
    return found


def constants(path: Path) -> dict[str, frozenset[str]]:
    """The same, and those that the module imports from others of ours."""
    found: dict[str, frozenset[str]] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rollbook."):
            module = ROOT / "lib" / Path(*str(node.module).split(".")).with_suffix(".py")
            if module.is_file():
                names = {alias.name for alias in node.names}
                found |= {name: texts for name, texts in own_constants(module).items() if name in names}
    return found | own_constants(path)


def texts_of(node: ast.expr, known: dict[str, frozenset[str]]) -> frozenset[str]:
    """The texts that an expression may be, as far as it is a constant."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return frozenset({node.value})
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return frozenset().union(*(texts_of(element, known) for element in node.elts))
    if isinstance(node, ast.Name):
        return known.get(node.id, frozenset())
    return frozenset()


def keys_asked_for(tree: ast.AST, environment: tuple[str, ...]) -> Iterator[ast.expr]:
    """The key of each look into the environment: `environ[KEY]`, `environ.get(KEY)`, `KEY in environ`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            asked, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr == "getenv":
                yield node.args[0]
            if node.func.attr != "get":
                continue
            asked, key = node.func.value, node.args[0]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            asked, key = node.comparators[0], node.left
        elif isinstance(node, ast.keyword) and node.arg == "envvar":
            yield node.value
            continue
        else:
            continue
        if ast.unparse(asked).rpartition(".")[2] in environment:
            yield key


def read_by_the_code() -> tuple[set[str], list[str]]:
    """Names of variables that lib/ and app/ read, and the places where the name cannot be told."""
    names: set[str] = set()
    unclear = []
    for folder, environment in READERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            for key in keys_asked_for(ast.parse(path.read_text()), environment):
                texts = texts_of(key, constants(path))
                names |= texts
                if not texts:
                    unclear.append(f"{path.relative_to(ROOT)}: {ast.unparse(key)}")
    return names, sorted(set(unclear) - NAMED_BY_PEOPLE)


def ours_elsewhere() -> set[str]:
    """Variables with our prefix in tests, benchmarks and build files."""
    files = [
        path for name in OURS_ONLY for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()
    ]
    texts = [
        path.read_text() for path in files if path.suffix in {"", ".py", ".toml"} and path != Path(__file__)
    ]
    found = {name for text in texts for name in re.findall(r"\bROLLBOOK_[A-Z][A-Z_]+[A-Z]\b", text)}
    return found - PLACEHOLDERS - FOR_PODS


def named() -> set[str]:
    return set(NAMED.findall(EXAMPLE.read_text()))


def test_every_variable_that_is_read_is_in_the_example() -> None:
    """Whoever looks for what the environment decides finds all of it in one place."""
    names, unclear = read_by_the_code()

    assert [] == unclear
    assert set() == {name.upper() for name in names | ours_elsewhere()} - named()


def test_every_variable_of_the_example_is_read() -> None:
    """No variable stays in the example when the code no longer reads it."""
    names, _ = read_by_the_code()

    assert set() == named() - {name.upper() for name in names | ours_elsewhere()}


def test_the_example_sets_nothing() -> None:
    """Each line is a comment, so that a copy changes nothing and holds no secret."""
    lines = EXAMPLE.read_text().splitlines()

    assert [] == [line for line in lines if line and not line.startswith("#")]
