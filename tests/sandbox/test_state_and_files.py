"""Homes, small files, the state's reader, processes by their marker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox import api, processes
from rollbook.sandbox.doctor import checks
from rollbook.sandbox.files import remove_tree, write_json, write_private
from rollbook.sandbox.home import Cache, SandboxHome
from rollbook.sandbox.state import read_state
from rollbook.sandbox.toolchain import LOCKS, tool_key
from rollbook.sandbox.units import MARKER, POD_MARKER


def test_the_environment_names_home_and_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ROLLBOOK_HOME and ROLLBOOK_CACHE come before everything else."""
    monkeypatch.setenv("ROLLBOOK_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("ROLLBOOK_CACHE", str(tmp_path / "c"))
    assert (tmp_path / "h", tmp_path / "c") == (SandboxHome.current().root, Cache.current().root)


def test_without_them_the_user_folders_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State and cache go where the XDG variables say."""
    monkeypatch.delenv("ROLLBOOK_HOME", raising=False)
    monkeypatch.delenv("ROLLBOOK_CACHE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    expected = (tmp_path / "state" / "rollbook", tmp_path / "cache" / "rollbook")
    assert expected == (SandboxHome.current().root, Cache.current().root)


def test_two_homes_have_two_tags(tmp_path: Path) -> None:
    """Their processes are told apart."""
    assert SandboxHome(tmp_path / "a").tag != SandboxHome(tmp_path / "b").tag


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the folder should be is the user's to move."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailedError, match="cannot be made"):
        SandboxHome(tmp_path / "file" / "home").create()


def test_files_are_replaced_whole_and_closed_to_others(tmp_path: Path) -> None:
    """No temporary file stays behind."""
    file = tmp_path / "a"
    write_private(file, b"one")
    write_json(file, {"b": 1})
    assert (["a"], 0o600) == ([path.name for path in tmp_path.iterdir()], file.stat().st_mode & 0o777)


def test_trees_are_removed_whatever_is_in_them(tmp_path: Path) -> None:
    """Read-only folders go too, and a missing one is no error."""
    inner = tmp_path / "tree" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("")
    inner.chmod(0o500)
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "tree")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": 99}'])
def test_a_state_that_cannot_be_read_is_no_state(tmp_path: Path, content: str) -> None:
    """Half a file, another file and another format are all the same to the reader."""
    home = SandboxHome(tmp_path)
    home.state.write_text(content)
    assert read_state(home) is None


def test_no_sandbox_is_told_with_what_to_do(tmp_path: Path) -> None:
    """`load` says which command brings one up, `status` that there is none, `down` that nothing was to do."""
    home = SandboxHome(tmp_path / "never")
    with pytest.raises(EnvironmentFailedError, match="no sandbox is up") as caught:
        api.load(home)
    assert "Run `rollbook sandbox up`." == caught.value.next_step
    assert "down" == api.status(home).state
    assert 0 == api.down(home)
    assert not home.root.exists()


def test_processes_are_found_and_ended_by_their_marker(tmp_path: Path) -> None:
    """Those of pods are left when they are to be left, all are ended in the end."""
    tag = SandboxHome(tmp_path).tag
    sleep = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    plain = {**os.environ, MARKER: f"{tag}-1"}
    with (
        subprocess.Popen(sleep, env=plain) as component,
        subprocess.Popen(sleep, env={**plain, POD_MARKER: "uid"}) as pod,
        subprocess.Popen(sleep, env={**os.environ, MARKER: "another-1"}) as stranger,
    ):
        try:
            assert (component.pid,) == processes.marked(tag, pods=False)
            assert {component.pid, pod.pid} == set(processes.marked(tag))
            processes.end_marked(tag, pods=False)
            assert (pod.pid,) == processes.marked(tag)
            processes.end_marked(tag, grace_s=5.0)
            assert () == processes.marked(tag)
            assert stranger.poll() is None
        finally:
            for process in (component, pod, stranger):
                process.kill()


def test_a_pid_that_was_given_anew_is_another_process() -> None:
    """A process is its pid and its start."""
    own = os.getpid()
    started = processes.started_at(own)
    assert processes.same_process(own, started)
    assert not processes.same_process(own, started - 10)
    assert 0.0 == processes.started_at(2**22 + 1)


def test_every_locked_requirement_has_a_hash() -> None:
    """Nothing is installed that is not known by its content, and no host is named."""
    for lock in LOCKS.glob("*.lock"):
        text = lock.read_text()
        blocks = [block for block in text.replace("\\\n", " ").splitlines() if "==" in block]
        assert blocks, lock
        assert all("--hash=sha256:" in block for block in blocks)
        assert "://" not in text


def test_a_changed_lock_is_another_installation() -> None:
    """An installation is named by what it was made of."""
    assert tool_key(b"a==1") != tool_key(b"a==2")


def test_the_doctor_says_what_to_do_about_each_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not well has a next step, and what is well has none."""
    monkeypatch.setenv("ROLLBOOK_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("ROLLBOOK_CACHE", "/proc/nowhere")
    found = checks()
    assert [one.name for one in found if not one.ok] == [one.name for one in found if one.next_step]
    assert not next(one for one in found if one.name == "cache folder").ok
    assert not (tmp_path / "h").exists()
