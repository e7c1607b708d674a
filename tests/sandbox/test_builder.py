"""The builder: resources, one build at a time, nothing half."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox import builder
from rollbook.sandbox.builder import check_resources, ensure_binaries, expected_seconds
from rollbook.sandbox.home import Cache
from rollbook.sandbox.progress import PlainProgress, SilentProgress
from rollbook.sandbox.recipe import recipe


def test_too_little_disk_is_told_before_anything_is_built(tmp_path: Path) -> None:
    """The error names the folder, what is free and what is needed."""
    with pytest.raises(EnvironmentFailedError, match="too little disk space") as caught:
        check_resources(tmp_path, disk_bytes=2**60, memory_bytes=0)
    assert str(tmp_path) in caught.value.why
    assert "ROLLBOOK_CACHE" in caught.value.next_step


def test_too_little_memory_is_told_before_anything_is_built(tmp_path: Path) -> None:
    """Compilers that are killed half way tell nobody why."""
    with pytest.raises(EnvironmentFailedError, match="too little memory"):
        check_resources(tmp_path, disk_bytes=0, memory_bytes=2**60)


def test_enough_of_both_is_no_error(tmp_path: Path) -> None:
    """A machine that has what is needed goes on."""
    check_resources(tmp_path, disk_bytes=0, memory_bytes=0)


def test_an_expected_time_is_given() -> None:
    """More processors make it shorter, never nothing."""
    assert 0 < expected_seconds() <= builder.CPU_SECONDS


def test_a_finished_build_is_used_as_it_is(tmp_path: Path) -> None:
    """Nothing is installed and nothing compiled when the cache has it."""
    cache = Cache(tmp_path)
    folder = cache.binaries / recipe().key
    folder.mkdir(parents=True)
    assert folder == ensure_binaries(cache, SilentProgress()).folder


def test_a_second_build_waits_for_the_first(tmp_path: Path) -> None:
    """Two builds do not race: the second says that it waits, and then uses what the first made."""
    cache = Cache(tmp_path)
    cache.create()
    told = io.StringIO()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(cache.lock("build")):
            second = pool.submit(ensure_binaries, cache, PlainProgress(told))
            deadline = time.monotonic() + 60
            while "another process is building" not in told.getvalue():
                assert time.monotonic() < deadline, "it does not say that it waits"
                time.sleep(0.01)
            (cache.binaries / recipe().key).mkdir()
        assert recipe().key == second.result(timeout=180).key
