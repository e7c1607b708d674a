from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.sandbox.agent.config import load_config

GOOD = {
    "apiserver": "https://127.0.0.1:6443", "ca": "/a", "cert": "/b", "key": "/c", "node_name": "sandbox",
    "subnet": "127.77", "node_ip": "127.77.0.1", "port": 10250, "serving_cert": "/d", "serving_key": "/e",
    "client_ca": "/f", "images": "/g", "state": "/h",
}  # fmt: skip


def test_read(tmp_path: Path) -> None:
    """A whole configuration is read."""
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(GOOD))
    config = load_config(file)
    assert (config.node_name, config.port, config.state) == ("sandbox", 10250, Path("/h"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot read"),
        ("[]", "not a JSON object"),
        (json.dumps({**GOOD, "ca": ""}), "lacks the text 'ca'"),
        (json.dumps({**GOOD, "port": 0}), "no valid 'port'"),
    ],
)
def test_refused(tmp_path: Path, content: str, message: str) -> None:
    """A configuration that is not whole is refused in one line."""
    file = tmp_path / "agent.json"
    file.write_text(content)
    with pytest.raises(BadInputError, match=message):
        load_config(file)


def test_absent(tmp_path: Path) -> None:
    """A configuration that is not there is refused."""
    with pytest.raises(BadInputError, match="cannot read"):
        load_config(tmp_path / "none.json")
