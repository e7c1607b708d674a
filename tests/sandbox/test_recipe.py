"""The recipe: versions, key, patches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rollbook.errors import BuildFailedError
from rollbook.sandbox.binaries import Binaries
from rollbook.sandbox.builder import apply_patch
from rollbook.sandbox.recipe import (
    PATCHES,
    Group,
    Patch,
    binary_name,
    module_version,
    prometheus_release,
    recipe,
)

GO_MOD = """module example.test/sandbox

require (
\tgo.etcd.io/etcd/server/v3 v3.6.8 // indirect
\tk8s.io/api v0.0.0
\texample.test/one v1.2.3
)

replace (
\tk8s.io/api => k8s.io/api v0.36.3
)

replace example.test/one => example.test/fork v1.3.0
"""


@pytest.mark.parametrize(
    ("module", "expected"),
    [("go.etcd.io/etcd/server/v3", "v3.6.8"), ("k8s.io/api", "v0.36.3"), ("example.test/one", "v1.3.0")],
)
def test_a_replaced_module_has_the_version_that_replaces_it(module: str, expected: str) -> None:
    """The version is the one that is compiled, not the one that is required."""
    assert expected == module_version(GO_MOD, module)


def test_an_unknown_module_is_refused() -> None:
    """A version is never invented."""
    with pytest.raises(BuildFailedError, match="is not in the sandbox"):
        module_version(GO_MOD, "example.test/two")


@pytest.mark.parametrize(
    ("module", "expected"), [("v0.312.0", "3.12.0"), ("v0.301.2", "3.1.2"), ("v0.400.1", "4.0.1")]
)
def test_prometheus_release_is_read_from_its_module(module: str, expected: str) -> None:
    """Prometheus numbers its Go module differently from its releases."""
    assert expected == prometheus_release(module)


@pytest.mark.parametrize(
    ("package", "expected"),
    [("go.etcd.io/etcd/server/v3", "server"), ("k8s.io/kubernetes/cmd/kubectl", "kubectl"), ("a/b/v22", "b")],
)
def test_a_binary_is_named_as_go_names_it(package: str, expected: str) -> None:
    """Major-version suffixes are no names."""
    assert expected == binary_name(package)


def test_key_changes_with_everything_that_changes_a_binary() -> None:
    """No two recipes that differ share a folder of the cache."""
    base = recipe()
    group = base.groups[0]
    patch = base.patches[0]
    variants = [
        replace(base, go_mod=base.go_mod + "\n"),
        replace(base, go_sum=base.go_sum + "\n"),
        replace(base, patches=(replace(patch, new="x"), *base.patches[1:])),
        replace(base, groups=(replace(group, stamps={"a": "b"}), *base.groups[1:])),
        replace(base, groups=base.groups[1:]),
    ]
    keys = {base.key, *(variant.key for variant in variants)}
    assert len(variants) + 1 == len(keys)


def test_key_is_the_same_for_the_same_recipe() -> None:
    """A cache is found again."""
    assert recipe().key == recipe().key


def test_moving_text_between_parts_changes_the_key() -> None:
    """Parts are delimited, so that no byte can move from one to the next unseen."""
    base = recipe()
    moved = replace(base, go_mod=base.go_mod + base.go_sum[:1], go_sum=base.go_sum[1:])
    assert base.key != moved.key


def test_every_binary_that_a_sandbox_starts_is_built() -> None:
    """The recipe makes what the components name."""
    expected = {
        "server",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "rollouts-controller",
        "prometheus",
        "alertmanager",
        "kubectl",
        "promtool",
        "amtool",
    }
    assert expected == set(recipe().binaries)


def test_versions_are_those_of_go_mod() -> None:
    """What is reported is what is compiled."""
    versions = recipe().versions()
    assert "v1.36.3" == versions["kubernetes"]
    assert "0.31.1" == versions["alertmanager"]
    assert "3.12.0" == versions["prometheus"]


def test_stamps_reach_the_linker() -> None:
    """An unstamped API server reports a version that clients cannot parse."""
    flags = {group.title: group.linker_flags for group in recipe().groups}
    assert "version.gitVersion=v1.36.3" in flags["Kubernetes"]
    assert "version.Version=3.12.0" in flags["Prometheus"]
    assert "version.Version=0.31.1" in flags["Alertmanager"]


@pytest.mark.parametrize("count", [0, 2, 3])
def test_a_patch_that_does_not_fit_exactly_once_is_refused(count: int) -> None:
    """A module that changed is never compiled half patched."""
    patch = Patch("m", "f.go", "if loopback {", "if false {", "")
    with pytest.raises(BuildFailedError, match=f"occurs {count} times"):
        patch.apply("x\n" + "if loopback {\n" * count)


def test_a_patch_changes_its_line_and_no_other() -> None:
    """The rest of the file stays."""
    patch = Patch("m", "f.go", "if loopback {", "if false {", "")
    assert "a\nif false {\nb\n" == patch.apply("a\nif loopback {\nb\n")


def test_patched_file_is_written(tmp_path: Path) -> None:
    """The copy of the module holds the changed line."""
    patch = PATCHES[0]
    file = tmp_path / patch.file
    file.parent.mkdir(parents=True)
    file.write_text(f"\t{patch.old}\n")
    apply_patch(patch, tmp_path)
    assert f"\t{patch.new}\n" == file.read_text()


def test_a_missing_file_to_patch_is_named(tmp_path: Path) -> None:
    """A module that was laid out anew is told from one that changed."""
    with pytest.raises(BuildFailedError, match="has no pkg/"):
        apply_patch(PATCHES[0], tmp_path)


def test_binaries_are_found_by_name(tmp_path: Path) -> None:
    """A build's folder has one place for each thing."""
    binaries = Binaries(tmp_path, "key", {})
    assert tmp_path / "bin" / "kubectl" == binaries.path("kubectl")


def test_linker_flags_are_in_a_fixed_order() -> None:
    """The same stamps give the same flags, whatever order they were written in."""
    one = Group("a", (), {"x": "1", "y": "2"})
    two = Group("a", (), {"y": "2", "x": "1"})
    assert one.linker_flags == two.linker_flags
