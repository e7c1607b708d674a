"""Expressions of GitHub's workflows, `${{ ... }}`: as much of the language as the workflows here use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w.-]*)|(&&|\|\||==|!=|!|\(|\)))")
STATUS = re.compile(r"\b(?:success|failure|cancelled|always)\(\)")

Contexts = Mapping[str, Any]


def fill(text: str, contexts: Contexts) -> str:
    """The text with each expression in it replaced by its value. ValueError for what is not understood."""
    return EMBEDDED.sub(lambda found: as_text(evaluate(found[1], contexts)), text)


def holds(condition: object, contexts: Contexts) -> bool:
    """Whether a step's or job's `if` lets it run. Without a word about failures, none may have happened."""
    text = str(condition).strip()
    whole = EMBEDDED.fullmatch(text)
    inner = whole[1] if whole else text
    if not STATUS.search(inner) and contexts["failed"]:
        return False
    return bool(evaluate(inner, contexts))


def evaluate(text: str, contexts: Contexts) -> Any:
    """Value of one expression; a name that nothing is known of is an empty text, as on GitHub."""
    parser = _Parser(text, contexts)
    value = parser.either()
    if parser.tokens:
        raise ValueError(f"not understood in an expression: {text.strip()}")
    return value


def as_text(value: object) -> str:
    """How a value stands in a text: truth in lower case, nothing as nothing."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


class _Parser:
    def __init__(self, text: str, contexts: Contexts) -> None:
        self._contexts = contexts
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"not understood in an expression: {text.strip()}")
            self.tokens.append(found[0].strip())
            at = found.end()

    def either(self) -> Any:
        return self._joined("||", self._both, lambda left, right: left or right)

    def _both(self) -> Any:
        return self._joined("&&", self._equal, lambda left, right: left and right)

    def _joined(self, sign: str, part: Callable[[], Any], join: Callable[[Any, Any], Any]) -> Any:
        value = part()
        while self._take(sign):
            value = join(value, part())
        return value

    def _equal(self) -> Any:
        left = self._one()
        if self._take("=="):
            return as_text(left) == as_text(self._one())
        if self._take("!="):
            return as_text(left) != as_text(self._one())
        return left

    def _one(self) -> Any:
        if self._take("!"):
            return not self._one()
        if self._take("("):
            value = self.either()
            self._need(")")
            return value
        if not self.tokens:
            raise ValueError("an expression ends too early")
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._take("("):
            self._need(")")
            return self._status(token)
        return self._named(token)

    def _status(self, function: str) -> bool:
        values = {
            "always": True,
            "cancelled": False,
            "failure": bool(self._contexts["failed"]),
            "success": not self._contexts["failed"],
        }
        if function not in values:
            raise ValueError(f"{function}() is not known here")
        return values[function]

    def _named(self, path: str) -> Any:
        if path in {"true", "false"}:
            return path == "true"
        value: Any = self._contexts
        for name in path.split("."):
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        return value

    def _take(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"{token} is missing in an expression")
