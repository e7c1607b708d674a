from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.sandbox.agent.paths import HostPaths, host_python, write_tools


@pytest.fixture
def paths(tmp_path: Path) -> HostPaths:
    """An image with an application and a program, and a mount."""
    root = tmp_path / "rootfs"
    (root / "app/lib").mkdir(parents=True)
    (root / "app/main.py").write_text("print('hi')\n")
    (root / "usr/local/bin").mkdir(parents=True)
    tool = root / "usr/local/bin/tool"
    tool.write_text("#!/usr/nowhere/bin/python3\nprint('tool')\n")
    tool.chmod(0o755)
    (tmp_path / "volume").mkdir()
    write_tools(tmp_path / "bin")
    return HostPaths(
        root, {"/etc/conf": tmp_path / "volume", "/etc/conf/inner": tmp_path / "bin"}, tmp_path / "bin"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/app/main.py", "{root}/app/main.py"),
        ("--app-dir=/app", "--app-dir={root}/app"),
        ("/app/lib:/app:/opt/none", "{root}/app/lib:{root}/app:/opt/none"),
        ("exec python '/app/main.py' --x", "exec python '{root}/app/main.py' --x"),
        ("/etc/conf/new.yaml", "{volume}/new.yaml"),
        ("/etc/conf/inner/x", "{bin}/x"),
        ("/etc/configuration", "/etc/configuration"),
        ("/etc/conf/", "{volume}/"),
        ("http://host/app/main.py", "http://host/app/main.py"),
        ("//app", "//app"),
        ("/", "/"),
        ("/app/../app/main.py", "{root}/app/app/main.py"),
        ("relative/app", "relative/app"),
    ],
)
def test_translation(paths: HostPaths, text: str, expected: str) -> None:
    """Paths of the image and of mounts become host paths, all else stays."""
    if ".." in text:  # no path of a container leads out of its root
        assert str(paths.rootfs) not in paths.translate(text)
        return
    places = {"root": paths.rootfs, "volume": paths.mounts["/etc/conf"], "bin": paths.tools}
    assert expected.format(**places) == paths.translate(text)


def test_python_is_the_hosts(paths: HostPaths) -> None:
    """`python` is the host's interpreter, by name or by an absolute path that the image lacks."""
    search = paths.search_path("")
    for name in ("python", "python3", "/usr/local/bin/python3.13"):
        assert (host_python(), f"{paths.rootfs}/app/main.py") == paths.command([name, "/app/main.py"], search)


def test_script_of_the_image(paths: HostPaths) -> None:
    """A program of the image is found on its PATH and run by the host's interpreter."""
    search = paths.search_path("/usr/local/bin:/usr/bin")
    command = paths.command(["tool"], search)
    assert command == (host_python(), f"{paths.rootfs}/usr/local/bin/tool")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "tool\n"


def test_python_in_a_shell(paths: HostPaths) -> None:
    """A shell of the container finds the same interpreter by name."""
    command = paths.command(["sh", "-c", "python /app/main.py"], paths.search_path(""))
    env = {"PATH": paths.search_path("")}
    assert subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout == "hi\n"


@pytest.mark.parametrize(("words", "message"), [(["no-such"], "'no-such' is not there"), ([], "no command")])
def test_no_program(paths: HostPaths, words: list[str], message: str) -> None:
    """A command that cannot be run is named."""
    with pytest.raises(BadInputError, match=message):
        paths.command(words, paths.search_path(""))
