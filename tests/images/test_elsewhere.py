"""A target without a registry of rollbook's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.images.elsewhere import BuiltElsewhere, KeptElsewhere


def test_nothing_is_built_or_pushed() -> None:
    """Whoever asks for it is told to give a digest."""
    with pytest.raises(BadInputError, match="has to be built elsewhere") as caught:
        BuiltElsewhere().build(
            context=Path(), dockerfile=Path(), repository="registry.example.com/hello", version="1.0.0"
        )

    assert "--set digest=sha256:" in caught.value.next_step


def test_nothing_is_asked_and_nothing_is_said_to_be_there() -> None:
    """Where images are is known from the service file; whether they exist is not."""
    cloud = KeptElsewhere("registry.example.com/team")

    assert "registry.example.com/team/hello" == cloud.ensure_repository("hello")
    assert (None, None, None) == (
        cloud.identity(),
        cloud.has_digest("hello", "sha256:0"),
        cloud.image_digest("hello", "1.0.0"),
    )
    assert ((), False, False) == (
        cloud.components(),
        cloud.delete_repository("hello"),
        cloud.delete_secret("hello"),
    )


def test_a_registry_has_to_be_known() -> None:
    """Without one, no image can be named."""
    with pytest.raises(BadInputError, match="nobody knows where this cluster's images are"):
        KeptElsewhere("").ensure_repository("hello")
