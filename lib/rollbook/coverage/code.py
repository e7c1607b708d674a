"""A digest of a function's code that changes when what it does may have changed, and only then.

Comments, docstrings, layout and annotations do not count; every function, class and constant of this package
that it reaches by name does. Attributes of objects are not followed, so that checks use functions of `lookup`
and not methods.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

PACKAGE = "rollbook."
_NOT_MEANT = {"annotation", "returns", "type_comment", "type_params", "kind", "ctx", "docstring"}
"""Fields that say nothing about what a piece of code does, or that only some Pythons have."""

_WITH_DOCSTRINGS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

Definition = tuple[str, str]
"""A name that is defined at the top of a module: the module, and the name."""


@cache
def sha256(function: Callable[..., Any]) -> str:
    """SHA-256 (hex) over the code of `function` and all of this package that it reaches by name."""
    reached: dict[Definition, str] = {}
    waiting = [(function.__module__, function.__qualname__)]
    while waiting:
        definition = waiting.pop()
        if definition not in reached:
            reached[definition], uses = _read(*definition)
            waiting.extend(uses)
    whole = "\n".join(f"{module}.{name} {told}" for (module, name), told in sorted(reached.items()))
    return hashlib.sha256(whole.encode()).hexdigest()


@cache
def _read(module: str, name: str) -> tuple[str, tuple[Definition, ...]]:
    """A definition as text, and what it reaches by name; nothing for a name that no code defines."""
    node = _definitions(module).get(name)
    return ("", ()) if node is None else (_told(node), tuple(_uses(module, node)))


@cache
def _definitions(module: str) -> dict[str, ast.stmt]:
    """What a module defines at its top, by name; empty for a module that has no source."""
    source = _source(importlib.import_module(module))
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(source).body:
        if isinstance(node, _WITH_DOCSTRINGS):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
    return found


@cache
def _imports(module: str) -> dict[str, Definition]:
    """What a module imports by name from this package: the name that it uses, and what it is."""
    found: dict[str, Definition] = {}
    for node in ast.walk(ast.parse(_source(importlib.import_module(module)))):
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(PACKAGE):
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
    return found


def _uses(module: str, node: ast.stmt) -> Iterator[Definition]:
    own, imported = _definitions(module), _imports(module)
    for name in sorted(set(_names(node))):
        if name in own:
            yield module, name
        elif name in imported:
            origin, original = imported[name]
            inner = f"{origin}.{original}"
            if inner in sys.modules:  # a module of which attributes are used: all of it counts
                yield from ((inner, one) for one in _definitions(inner))
            else:
                yield origin, original


def _names(node: ast.AST) -> Iterator[str]:
    """Names that are read, those in annotations left out."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    for _field, value in _fields(node):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield from _names(one)


def _told(node: object) -> str:
    """Code as text: the same in every Python that reads it the same way."""
    if isinstance(node, list):
        return "[" + ",".join(_told(one) for one in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    inside = ",".join(
        f"{field}={_told(value)}" for field, value in _fields(node) if value is not None and value != []
    )
    return f"{type(node).__name__}({inside})"


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    for field, value in ast.iter_fields(node):
        if field in _NOT_MEANT:
            continue
        if field == "body" and isinstance(node, _WITH_DOCSTRINGS) and _is_text(value[0]):
            yield field, value[1:]
        elif isinstance(node, ast.JoinedStr):  # Python 3.12 ends some of them with an empty text
            yield field, [one for one in value if not (isinstance(one, ast.Constant) and one.value == "")]
        else:
            yield field, value


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""
