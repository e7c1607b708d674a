"""Which RUN lines are understood, and how their packages are cached."""

from __future__ import annotations

import pytest

from rollbook.errors import BadInputError
from rollbook.images.requirements import PipInstall, install, parse


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pip install -r a.txt", PipInstall(("a.txt",), "", ())),
        (
            "pip install --no-cache-dir --require-hashes --target /x -r a.txt -r b.txt",
            PipInstall(("a.txt", "b.txt"), "/x", ()),
        ),
        ("python3 -m pip install --target=/x --requirement=a.txt", PipInstall(("a.txt",), "/x", ())),
        ("--mount=type=cache,target=/cache pip3 install -r a", PipInstall(("a",), "", ())),
        (("pip", "install", "--no-deps", "-r", "a"), PipInstall(("a",), "", ("--no-deps",))),
    ],
)
def test_pip_install_is_understood(command: str | tuple[str, ...], expected: PipInstall) -> None:
    """The usual ways to write a pip install of a requirements file all mean the same."""
    assert expected == parse(command)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("apt-get install -y curl", "only `pip install"),
        ("pip install -r a.txt && rm a.txt", "needs a shell"),
        ("pip install -r a.txt; ls", "needs a shell"),
        ("pip install $(cat names)", "needs a shell"),
        ("pip install requests", "`requests` is not among"),
        ("pip install --index-url http://x -r a", "`--index-url` is not among"),
        ("pip install", "names no requirements file"),
        ("pip install -r", "names no requirements file"),
        ("pip download -r a.txt", "only `pip install"),
    ],
)
def test_other_commands_are_refused(command: str, why: str) -> None:
    """Whatever would need a container is refused with its reason."""
    with pytest.raises(ValueError, match=r"it|only|not") as refused:
        parse(command)
    assert why in str(refused.value)


def test_requirements_without_hashes_are_refused(tmp_path) -> None:
    """Packages that are not pinned by hash would make an image that nobody can build again."""
    with pytest.raises(BadInputError, match="has no hashes"):
        install([b"requests==2.0\n"], [], tmp_path, lambda _line: None)
