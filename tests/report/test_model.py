"""The view model: the page comes from it alone, it travels in the page, and is not believed when changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.report import bundles, runs

from rollbook.errors import BadInputError, EvidenceInvalidError, ExitCode
from rollbook.report import again, build, embedding, render, write


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The page of a run with everything in it."""
    return render(build(bundles.whole_run(tmp_path_factory.mktemp("runs")))).encode()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The page of a run whose model is short enough not to be packed."""
    return render(build(runs.bare_run(tmp_path_factory.mktemp("runs")))).encode()


def written(folder: Path, page: bytes) -> Path:
    path = folder / "report.html"
    path.write_bytes(page)
    return path


@pytest.mark.parametrize("made", [bundles.whole_run, runs.cut_off_run, runs.bare_run, runs.cancelled_run])
def test_the_model_in_the_page_is_the_model(made: object, tmp_path: Path) -> None:
    """What is read from a page equals what the page was made from, packed or not."""
    model = build(made(tmp_path))  # type: ignore[operator]
    assert model == embedding.from_page(render(model).encode(), "report.html")


def test_a_page_is_made_again_from_its_model(page: bytes, tmp_path: Path) -> None:
    """The page that is made again, on another path, has the same bytes."""
    out = again(written(tmp_path, page), tmp_path / "again.html")
    assert page == out.read_bytes()


def test_a_page_can_be_checked_without_writing(page: bytes, tmp_path: Path) -> None:
    """Without a file to write, a page that its model makes is just confirmed."""
    path = written(tmp_path, page)
    assert path == again(path, None)
    assert ["report.html"] == [one.name for one in tmp_path.iterdir()]


def test_links_of_the_copy_are_those_of_the_page(tmp_path: Path) -> None:
    """Where a page stood is part of its model, so that its links stay as they are."""
    folder = runs.full_run(tmp_path)
    page = write(folder, tmp_path / "pages" / "one.html")
    assert page.read_bytes() == again(page, tmp_path / "copy.html").read_bytes()


def test_a_changed_model_is_refused(small: bytes, tmp_path: Path) -> None:
    """A model that was changed by hand does not verify."""
    changed = re.sub(rb'("run_id":")hello-bare', rb"\1hello-good", small)
    assert changed != small
    with pytest.raises(EvidenceInvalidError, match="was changed after the page was made") as caught:
        again(written(tmp_path, changed), None)
    assert ExitCode.EVIDENCE_INVALID == caught.value.exit_code


def test_a_changed_page_is_told_and_made_again(page: bytes, tmp_path: Path) -> None:
    """A number changed beside the model is found, and the page that the model makes is written."""
    path = written(tmp_path, page.replace(b"proved of 8", b"proved of 7", 1))
    out = tmp_path / "again.html"
    with pytest.raises(EvidenceInvalidError, match="is not the page that its view model makes"):
        again(path, out)
    assert page == out.read_bytes()


def test_a_page_of_a_newer_rollbook_is_refused(small: bytes, tmp_path: Path) -> None:
    """A model with a newer schema is bad input, with the advice to take a newer rollbook."""
    path = written(tmp_path, small.replace(b'{"schema":1,', b'{"schema":2,', 1))
    with pytest.raises(BadInputError, match="newer rollbook"):
        again(path, None)


@pytest.mark.parametrize("content", [b"", b"<!doctype html><p>hello", b"\x00\xff" * 99])
def test_another_page_is_refused(content: bytes, tmp_path: Path) -> None:
    """A page without a model is bad input."""
    with pytest.raises(BadInputError, match="not a report"):
        again(written(tmp_path, content), None)


def test_a_page_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A page that cannot be read is bad input."""
    with pytest.raises(BadInputError, match="cannot be read"):
        again(tmp_path / "nothing.html", None)


def test_a_page_with_two_models_is_refused(small: bytes, tmp_path: Path) -> None:
    """Nobody can say which of two models a page was made from."""
    with pytest.raises(BadInputError, match="not a report"):
        again(written(tmp_path, small + small), None)


@pytest.mark.parametrize("packed", [b'{"bz2":"AAAA"}', b'{"bz2":7}', b"[1]", b"{", b'{"schema":1,"base":3}'])
def test_a_damaged_model_is_refused(packed: bytes, small: bytes, tmp_path: Path) -> None:
    """What is no model ends in a clear error, also when its digest fits."""
    digest = embedding.digest(packed.decode()).encode()
    element = b'id="rollbook-view" data-sha256="%s">%s</script>' % (digest, packed)
    page = re.sub(rb'id="rollbook-view".*?</script>', lambda _: element, small, flags=re.DOTALL)
    with pytest.raises(EvidenceInvalidError, match="cannot be read"):
        again(written(tmp_path, page), None)


def test_the_model_is_data_and_no_markup(tmp_path: Path) -> None:
    """No text can end the element: neither `<` nor `&` stands in it."""
    folder = runs.bare_run(tmp_path)
    bundles.set_run(folder, service={"name": "</script><script>alert(1)</script><!--&lt;"})
    text = embedding.to_json(build(folder))
    assert set() == set("<>&") & set(text)
    assert "</script><script>alert(1)</script><!--&lt;" == json.loads(text)["service"]
