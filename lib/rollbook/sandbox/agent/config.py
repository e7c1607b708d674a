from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import BadInputError


@dataclass(frozen=True)
class AgentConfig:
    """What the supervisor tells the node agent; paths are absolute."""

    apiserver: str
    ca: Path
    cert: Path
    key: Path
    node_name: str
    subnet: str
    """First two numbers of the pods' addresses, `127.X`."""
    node_ip: str
    port: int
    """Port of the kubelet server, on `node_ip`."""
    serving_cert: Path
    serving_key: Path
    client_ca: Path
    """Clients of the kubelet server must show a certificate of this authority."""
    images: Path
    """OCI image layout that pods' images are taken from."""
    state: Path
    """Folder for pods, unpacked images and what the agent remembers."""


_PATHS = ("ca", "cert", "key", "serving_cert", "serving_key", "client_ca", "images", "state")
_TEXTS = ("apiserver", "node_name", "subnet", "node_ip")


def load_config(file: Path) -> AgentConfig:
    """Read the JSON configuration. BadInputError names what is missing or of the wrong type."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadInputError(f"cannot read the node agent's configuration {file}", why=str(error)) from error
    if not isinstance(content, dict):
        raise BadInputError(f"the node agent's configuration {file} is not a JSON object")
    for name in (*_PATHS, *_TEXTS):
        if not isinstance(content.get(name), str) or not content[name]:
            raise BadInputError(f"the node agent's configuration {file} lacks the text {name!r}")
    port = content.get("port", 10250)
    if not isinstance(port, int) or not 0 < port < 65536:
        raise BadInputError(f"the node agent's configuration {file} has no valid 'port'", why=repr(port))
    texts = {name: content[name] for name in _TEXTS}
    paths = {name: Path(content[name]).absolute() for name in _PATHS}
    return AgentConfig(**texts, **paths, port=port)  # type: ignore[arg-type]  # texts and paths by field name
