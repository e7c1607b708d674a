"""The diagrams: each picture is that of its source, and says what manifests, workflow and layers say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DIAGRAMS = ROOT / "docs" / "diagrams"
SOURCES = sorted(DIAGRAMS.glob("*.mmd"))
SVG = "{http://www.w3.org/2000/svg}"

OBJECT = re.compile(r'\["([A-Z]\w+)<br>([\w-]+)(?:<br>port (\d+))?"\]:::object')
NAMESPACE = re.compile(r'subgraph \w+\["(Namespace) ([\w-]+)"\]')
NODE = re.compile(r'^\s*ci_\w+\["[^"]*<br>([^"<]+)"\]', re.MULTILINE)
WEIGHT = re.compile(r"weight (\d+)$", re.MULTILINE)
STYLE = re.compile(r"^\s*classDef (\w+) (.+)$", re.MULTILINE)
USED = re.compile(r":::(\w+)")
DECISION = re.compile(r"ADR (\d{4})")

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    """docs/diagrams/render.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("render", DIAGRAMS / "render.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> list[Any]:
    return [document for document in YAML(typ="safe").load_all(path.read_text()) if document]


def objects_of(folder: Path) -> list[dict[str, Any]]:
    """All objects that a kustomization names, itself or by another; those for kustomize only are left out."""
    found = []
    for resource in read(folder / "kustomization.yaml")[0]["resources"]:
        path = (folder / resource).resolve()
        found += objects_of(path) if path.is_dir() else read(path)
    local = "config.kubernetes.io/local-config"
    return [each for each in found if local not in each["metadata"].get("annotations", {})]


def ports_of(declared: dict[str, Any]) -> set[str]:
    """The ports of a Service, or of the containers of a Rollout."""
    spec = declared["spec"]
    if declared["kind"] == "Service":
        return {str(port["port"]) for port in spec["ports"]}
    return {
        str(port["containerPort"])
        for each in spec["template"]["spec"]["containers"]
        for port in each["ports"]
    }


@each_source
def test_the_picture_is_that_of_its_source(renderer: ModuleType, source: Path) -> None:
    """Neither source nor settings were changed since: else `python docs/diagrams/render.py` is due."""
    picture = ET.parse(source.with_suffix(".svg")).getroot()  # noqa: S314 - our own file

    assert renderer.marks(source) == {name: picture.get(name) for name in renderer.marks(source)}


@each_source
def test_the_picture_can_be_shown_anywhere(source: Path) -> None:
    """It is plain SVG: no script, no HTML, nothing from elsewhere, on an opaque background of its own."""
    text = source.with_suffix(".svg").read_text()
    picture = ET.fromstring(text)  # noqa: S314 - our own file
    first = next(iter(picture))
    outside = re.findall(
        r"""(?:href|src)=["'](?!#)|url\((?!["']?#)|@import|https?://(?!www\.w3\.org/)""", text
    )

    assert set() == {each.tag for each in picture.iter()} & {f"{SVG}script", f"{SVG}foreignObject"}
    assert [] == outside
    assert (f"{SVG}rect", "#ffffff") == (first.tag, first.get("fill"))
    assert picture.get("viewBox", "").split() == [
        first.get(name, "") for name in ("x", "y", "width", "height")
    ]


def test_no_picture_is_left_without_a_source() -> None:
    """Each SVG has its .mmd, and each is shown in the folder's README."""
    shown = re.findall(r"\]\(([\w-]+)\.svg\)", (DIAGRAMS / "README.md").read_text())

    assert [path.stem for path in SOURCES] == sorted(path.stem for path in DIAGRAMS.glob("*.svg"))
    assert [path.stem for path in SOURCES] == sorted(shown)


def test_the_diagrams_speak_one_language() -> None:
    """A class looks the same wherever it is used, and each class that is used is there."""
    looks: dict[str, set[str]] = {}
    for source in SOURCES:
        text = source.read_text()
        styles = dict(STYLE.findall(text))
        assert set() == set(USED.findall(text)) - styles.keys(), source.name
        for name, style in styles.items():
            looks.setdefault(name, set()).add(style)

    assert dict.fromkeys(looks, 1) == {name: len(styles) for name, styles in looks.items()}


@pytest.mark.parametrize("overlay", ["sandbox", "eks"])
def test_the_system_has_the_objects_of_its_overlay(overlay: str) -> None:
    """Each object of k8s/overlays is in the diagram once, with its kind and name, and no other is."""
    text = (DIAGRAMS / f"system-{overlay}.mmd").read_text()
    drawn = [(kind, name) for kind, name, _ in OBJECT.findall(text)] + NAMESPACE.findall(text)
    declared = [
        (each["kind"], each["metadata"]["name"]) for each in objects_of(ROOT / "k8s" / "overlays" / overlay)
    ]

    assert len(declared) > 10
    assert sorted(declared) == sorted(drawn)


@pytest.mark.parametrize("overlay", ["sandbox", "eks"])
def test_ports_of_the_system_are_those_of_the_manifests(overlay: str) -> None:
    """A port in the diagram is the Service's, or the container's."""
    text = (DIAGRAMS / f"system-{overlay}.mmd").read_text()
    drawn = {(kind, name): {port} for kind, name, port in OBJECT.findall(text) if port}
    declared = {
        (each["kind"], each["metadata"]["name"]): ports_of(each)
        for each in objects_of(ROOT / "k8s" / "overlays" / overlay)
        if each["kind"] in {"Service", "Rollout"}
    }

    assert declared == drawn


def test_the_canary_takes_the_weights_of_the_rollout() -> None:
    """The sequence sets the weights of the Rollout's steps, in order; an abort sets 0."""
    steps = read(ROOT / "k8s" / "rollouts" / "rollout.yaml")[0]["spec"]["strategy"]["canary"]["steps"]
    drawn = [int(weight) for weight in WEIGHT.findall((DIAGRAMS / "canary-sequence.mmd").read_text())]

    assert [step["setWeight"] for step in steps if "setWeight" in step] == [each for each in drawn if each]


def test_ci_is_drawn_as_it_is() -> None:
    """The steps of the workflow `ci` are those of the diagram, in order."""
    (job,) = read(ROOT / ".github" / "workflows" / "ci.yml")[0]["jobs"].values()
    declared = [step.get("run") or step["uses"].partition("@")[0] for step in job["steps"]]

    assert declared == NODE.findall((DIAGRAMS / "ci-cd.mmd").read_text())


def test_the_layers_are_those_that_are_enforced(renderer: ModuleType) -> None:
    """The diagram of the package's rooms is generated from pyproject.toml, and is not old."""
    assert renderer.module_layers() == (DIAGRAMS / "module-layers.mmd").read_text()


def test_the_decision_tree_names_decisions_that_are_there() -> None:
    """Each ADR in a branch of the tree is a file."""
    named = set(DECISION.findall((DIAGRAMS / "decision-tree.mmd").read_text()))
    there = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}

    assert named
    assert set() == named - there
