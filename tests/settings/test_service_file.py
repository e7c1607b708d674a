"""The service file: what it accepts, and how it complains."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.settings import service_file
from rollbook.settings.template import write_service_file

PROJECT = Path(__file__).resolve().parents[2]


def project_with(tmp_path: Path, text: str) -> Path:
    for folder in ("app", "k8s/overlays/sandbox", "k8s/overlays/eks/access"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "app" / "Dockerfile").write_text("FROM python:3.13-slim\n")
    path = tmp_path / "service.yaml"
    path.write_text(text)
    return path


def template(tmp_path: Path) -> str:
    write_service_file("orders", tmp_path / "template.yaml")
    return (tmp_path / "template.yaml").read_text()


def test_own_service_file_is_accepted() -> None:
    """The project's own service file loads, and its folders exist."""
    service = service_file.load(PROJECT / "service.yaml")

    assert service.name == "hello"
    assert set(service.overlays) == {"sandbox", "sandbox-secrets", "eks", "eks-access", "eks-policies"}
    assert service.signal("errors") is not None


def test_template_is_a_valid_service_file(tmp_path: Path) -> None:
    """What `rollbook init` writes can be loaded as it is, in a project with those folders."""
    service = service_file.load(project_with(tmp_path, template(tmp_path)))

    assert service.stable_service == "orders-stable"
    assert service.faults["errors"] == {"FAULT_ERROR_SHARE": "0.2"}


@pytest.mark.parametrize(
    ("find", "replace", "complaint"),
    [
        ("port: 8080", "port: 80800", "service.yaml line 7: port"),
        ("port: 8080", "port: web", "service.yaml line 7: port"),
        ("name: orders\n", "name: Orders!\n", "service.yaml line 2: name"),
        ("timeout: 5.0", "timeout: -1", "traffic.timeout"),
        ("paths: [/]", "paths: [orders]", "a path starts with a slash"),
        ("slo:", "slos:", "slos: there is no such name here"),
        ("initialVersion:", "initalVersion:", "line 8: initalVersion: there is no such name here"),
        ("availability: 0.99 ", "availability: 99 ", "slo.availability"),
        ("unit: requests/s", "unit: apples", "signals.requests.unit"),
        ("context: app ", "context: nowhere ", "image.context: there is no nowhere"),
        ("FAULT_ERROR_SHARE", "FAULT ERROR", "is not the name of an environment variable"),
        ("initialVersion: 1.0.0", "initialVersion: 1.10", "initialVersion: Input should be a valid string"),
        ("name: orders\n", "name: orders\nname: orders\n", "line 3: 'name' stands here twice"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, find: str, replace: str, complaint: str) -> None:
    """Each kind of mistake ends in one line that names the place."""
    text = template(tmp_path)
    assert find in text
    with pytest.raises(BadInputError) as caught:
        service_file.load(project_with(tmp_path, text.replace(find, replace, 1)))

    assert complaint in str(caught.value)
    assert "\n" not in caught.value.what


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"- a\n- b\n", "it must be a mapping"),
        (b"name: caf\xe9\n", "line 1: it is not UTF-8 text"),
        (b"name: [\n", "it is not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    """Files that are empty, lists, not UTF-8 or not YAML are refused in one line."""
    path = tmp_path / "service.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        service_file.load(path)


def test_a_folder_is_not_a_service_file(tmp_path: Path) -> None:
    """A folder in the file's place is bad input, not a traceback."""
    with pytest.raises(BadInputError, match="cannot be read"):
        service_file.load(tmp_path)


def test_the_service_file_is_found_from_a_folder_below(tmp_path: Path) -> None:
    """A notebook in runbooks/ finds the service file of the project above it."""
    (tmp_path / "service.yaml").write_text("name: x\n")
    below = tmp_path / "runbooks"
    below.mkdir()

    assert tmp_path / "service.yaml" == service_file.find("service.yaml", below)


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    """`rollbook init` leaves a file that is there alone."""
    path = tmp_path / "service.yaml"
    path.write_text("mine")
    with pytest.raises(BadInputError, match="is there already"):
        write_service_file("orders", path)

    assert path.read_text() == "mine"
