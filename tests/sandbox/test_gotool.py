"""What a failed `go` command says, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.errors import BuildFailedError
from rollbook.sandbox.gotool import GoTool, parse_failure
from rollbook.sandbox.home import Cache

COMPILER = """go: downloading example.test/dep v1.0.0
internal/abi
example.test/dep
# example.test/broken/pkg
./file.go:12:3: undefined: missing
./file.go:13:3: too many errors
example.test/other
# example.test/later
./late.go:1:1: syntax error
"""

LOADER = """go: downloading example.test/dep v1.0.0
go: example.test/dep@v1.0.0: Get "https://mirror.test/dep": dial tcp: lookup mirror.test: no such host
"""


def test_the_first_failing_package_and_its_lines_are_found() -> None:
    """What the compiler said first is what is shown."""
    failure = parse_failure(COMPILER)
    assert "example.test/broken/pkg" == failure.package
    assert ("./file.go:12:3: undefined: missing", "./file.go:13:3: too many errors") == failure.lines


def test_a_failure_without_a_package_shows_what_the_loader_said() -> None:
    """Download notices and package names are left out."""
    failure = parse_failure(LOADER)
    assert "" == failure.package
    assert 1 == len(failure.lines)
    assert "no such host" in failure.lines[0]


def test_no_output_is_no_crash() -> None:
    """A command that died silently has no lines."""
    assert ("", ()) == (parse_failure("").package, parse_failure("").lines)


def fake_go(folder: Path, script: str) -> Path:
    """A `go` command that does what the script says."""
    go = folder / "go"
    go.write_text(f"#!/bin/sh\n{script}\n")
    go.chmod(0o755)
    return go


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("write x: no space left on device", "Free some disk space"),
        ("dial tcp: lookup mirror.test: no such host", "network connection"),
        ("example.test/a: signal: killed", "lack of memory"),
        ("something else", "bug of rollbook"),
    ],
)
def test_each_kind_of_failure_says_what_to_do(tmp_path: Path, told: str, hint: str) -> None:
    """Disk, network, memory and bugs have different next steps."""
    go = fake_go(tmp_path, f"echo '{told}' >&2; exit 1")
    with pytest.raises(BuildFailedError) as caught:
        GoTool(go, Cache(tmp_path / "cache")).run(["build"], cwd=tmp_path, doing="building etcd")
    assert hint in caught.value.next_step
    assert "building etcd failed" == caught.value.what


def test_the_failing_package_is_in_the_error(tmp_path: Path) -> None:
    """The reader sees the package before the lines."""
    (tmp_path / "told").write_text(COMPILER)
    go = fake_go(tmp_path, f"cat {tmp_path / 'told'} >&2; exit 1")
    with pytest.raises(BuildFailedError) as caught:
        GoTool(go, Cache(tmp_path / "cache")).run(["build"], cwd=tmp_path, doing="building etcd")
    assert "building etcd failed in package example.test/broken/pkg" == caught.value.what
    assert "undefined: missing" in caught.value.why


def test_compiled_packages_are_reported(tmp_path: Path) -> None:
    """Progress hears every line as it comes."""
    heard: list[str] = []
    go = fake_go(tmp_path, "echo one >&2; echo two >&2; echo out")
    output = GoTool(go, Cache(tmp_path / "cache")).run(
        ["build"], cwd=tmp_path, doing="building", compiled=heard.append
    )
    assert (["one", "two"], "out\n") == (heard, output)


def test_settings_of_the_user_do_not_reach_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags of the user's own would change the binaries under the same key."""
    monkeypatch.setenv("GOFLAGS", "-race")
    monkeypatch.setenv("GOTOOLCHAIN", "auto")
    monkeypatch.setenv("GOPROXY", "https://mirror.test")
    environment = GoTool(tmp_path / "go", Cache(tmp_path)).environment()
    assert ("-modcacherw", "local") == (environment["GOFLAGS"], environment["GOTOOLCHAIN"])
    assert "https://mirror.test" == environment["GOPROXY"]
