from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from rollbook.sandbox.agent.environment import ConfigError, Placement
from rollbook.sandbox.agent.podparse import parse_pod
from rollbook.sandbox.agent.podspec import PodSpec
from rollbook.sandbox.agent.volumes import mount_paths, token_lifetimes, write_volume

PLACE = Placement("sandbox", "127.77.0.1", "127.77.1.1")


class World:
    """Objects and tokens out of dictionaries; `content` may be changed between calls."""

    def __init__(self, content: dict[tuple[str, str], Mapping[str, bytes]]) -> None:
        self.content = content

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """What the dictionary has."""
        assert namespace == "ns"
        return self.content.get((kind, name))

    async def token(self, pod: PodSpec, audience: str, expiration_s: int) -> str:
        """A token that shows what was asked."""
        return f"{pod.service_account}/{audience}/{expiration_s}"


def world() -> World:
    """A ConfigMap and a Secret."""
    return World({("configmaps", "cfg"): {"a": b"1", "b": b"2"}, ("secrets", "sec"): {"key": b"s3"}})


def write(folder: Path, there: World, **source: object) -> Path:
    """Write one volume and return its folder."""
    pod = parse_pod(
        {
            "metadata": {"uid": "u", "namespace": "ns", "name": "p", "labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "c"}], "volumes": [{"name": "v", **source}]},
        }
    )
    asyncio.run(write_volume(pod.volumes[0], folder / "v", pod, PLACE, there, there))
    return folder / "v"


def files(folder: Path) -> dict[str, str]:
    """Content by path of what a container sees."""
    seen = (
        path for path in folder.rglob("*") if path.is_file() and ".." not in str(path.relative_to(folder))
    )
    return {str(path.relative_to(folder)): path.read_text() for path in seen}


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_config_map(tmp_path: Path) -> None:
    """Every key of a ConfigMap is a file."""
    volume = write(tmp_path, world(), configMap={"name": "cfg", "defaultMode": 0o644})
    assert {name: (volume / name).read_text() for name in ("a", "b")} == {"a": "1", "b": "2"}
    assert mode(volume / "a") == 0o644


def test_secret_is_private(tmp_path: Path) -> None:
    """A secret's files are for their owner only, whatever the mode asked for."""
    volume = write(tmp_path, world(), secret={"secretName": "sec", "defaultMode": 0o644})
    assert (volume / "key").read_text() == "s3"
    assert mode(volume / "key") == 0o600
    assert mode(volume) == 0o700


def test_items(tmp_path: Path) -> None:
    """Items choose keys, paths and modes."""
    items = [{"key": "a", "path": "deep/er/x", "mode": 0o400}]
    volume = write(tmp_path, world(), configMap={"name": "cfg", "items": items})
    assert (volume / "deep/er/x").read_text() == "1"
    assert mode(volume / "deep/er/x") == 0o400
    assert not (volume / "a").exists()


def test_projected(tmp_path: Path) -> None:
    """A projected volume holds all of its sources."""
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        {"secret": {"name": "sec"}},
    ]
    volume = write(tmp_path, world(), projected={"sources": sources, "defaultMode": 0o644})
    found = {name: (volume / name).read_text() for name in ("token", "ca.crt", "ns", "key")}
    assert found == {"token": "default//3607", "ca.crt": "1", "ns": "ns", "key": "s3"}
    assert mode(volume / "token") == 0o600


def test_empty_dir(tmp_path: Path) -> None:
    """An emptyDir is an empty folder, and what is in it stays."""
    volume = write(tmp_path, world(), emptyDir={})
    (volume / "kept").write_text("x")
    write(tmp_path, world(), emptyDir={})
    assert files(volume) == {"kept": "x"}


def test_replaced_at_once(tmp_path: Path) -> None:
    """Writing a volume again shows the new files, and nothing of the old ones is left."""
    there = world()
    volume = write(tmp_path, there, configMap={"name": "cfg"})
    there.content["configmaps", "cfg"] = {"b": b"3", "c": b"4"}
    write(tmp_path, there, configMap={"name": "cfg"})
    assert {name: (volume / name).read_text() for name in ("b", "c")} == {"b": "3", "c": "4"}
    hidden = sorted(
        path.name for path in volume.iterdir() if path.name.startswith("..") and path.name != "..data"
    )
    assert sorted(path.name for path in volume.iterdir()) == sorted([*hidden, "..data", "b", "c"])
    assert len(hidden) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "no"}}, "configmap 'no' not found"),
        (
            {"secret": {"secretName": "sec", "items": [{"key": "x", "path": "x"}]}},
            "secret 'sec' has no key 'x'",
        ),
        ({"configMap": {"name": "cfg", "items": [{"key": "a", "path": "../a"}]}}, "leaves its folder"),
    ],
)
def test_refused(tmp_path: Path, source: dict[str, object], message: str) -> None:
    """What cannot be written is named."""
    with pytest.raises(ConfigError, match=message):
        write(tmp_path, world(), **source)


def test_optional(tmp_path: Path) -> None:
    """An optional object that is missing leaves an empty folder."""
    volume = write(tmp_path, world(), secret={"secretName": "no", "optional": True})
    assert files(volume) == {}


def test_mounts(tmp_path: Path) -> None:
    """Mounts lead to the volume or the part that subPath names, which may not leave it."""
    mounts = [{"name": "v", "mountPath": "/data"}, {"name": "v", "mountPath": "/sub", "subPath": "x/y"}]
    raw = {
        "metadata": {"uid": "u", "namespace": "ns", "name": "p"},
        "spec": {"containers": [{"name": "c", "volumeMounts": mounts}]},
    }
    container = parse_pod(raw).containers[0]
    assert mount_paths(container, tmp_path) == {"/data": tmp_path / "v", "/sub": tmp_path / "v/x/y"}
    mounts[1]["subPath"] = "../other"
    with pytest.raises(ConfigError, match="leaves its volume"):
        mount_paths(parse_pod(raw).containers[0], tmp_path)


def test_token_lifetimes() -> None:
    """Tokens are known by how long they live."""
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 700}}
    spec = {"containers": [{"name": "c"}], "volumes": [{"name": "v", "projected": {"sources": [source]}}]}
    pod = parse_pod({"metadata": {"uid": "u", "namespace": "ns", "name": "p"}, "spec": spec})
    assert token_lifetimes(pod) == [700]
