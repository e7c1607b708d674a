"""Kubernetes objects without the values that they declare secret."""

from __future__ import annotations

import json

from rollbook.evidence.manifests import LAST_APPLIED, without_secrets

SECRET = {
    "kind": "Secret",
    "metadata": {"name": "db"},
    "type": "Opaque",
    "data": {"user": "YXBw", "password": "aHVudGVyMg=="},
    "stringData": {"more": "plain"},
}
CLEAN = {
    "kind": "Secret",
    "metadata": {"name": "db"},
    "type": "Opaque",
    "data": {"user": "[secret user]", "password": "[secret password]"},
    "stringData": {"more": "[secret more]"},
}


def test_no_value_of_a_secret_is_kept() -> None:
    """Keys and everything else of a Secret stay, by itself and in a list."""
    assert CLEAN == without_secrets(SECRET)
    assert {"kind": "List", "items": [CLEAN]} == without_secrets({"kind": "List", "items": [SECRET]})


def test_the_manifest_that_kubectl_keeps_is_no_way_out() -> None:
    """The annotation holds the same manifest as JSON, and loses the same values."""
    annotated = {
        "kind": "Secret",
        "metadata": {"annotations": {LAST_APPLIED: json.dumps(SECRET), "other": "kept"}},
    }
    torn = {"kind": "Secret", "metadata": {"annotations": {LAST_APPLIED: '{"data": {"password": "aHVu'}}}

    kept = without_secrets(annotated)["metadata"]["annotations"]

    assert CLEAN == json.loads(kept[LAST_APPLIED])
    assert "kept" == kept["other"]
    assert "aHVu" not in json.dumps(without_secrets(torn))


def test_values_whose_name_says_secret_are_not_kept() -> None:
    """Of a ConfigMap and of a container's environment; other values and references stay."""
    settings = {"kind": "ConfigMap", "data": {"db_password": "hunter2", "greeting": "hello"}}
    pod = {
        "kind": "Pod",
        "spec": {
            "containers": [
                {
                    "env": [
                        {"name": "API_TOKEN", "value": "hunter2"},
                        {"name": "GREETING", "value": "hello"},
                        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}},
                    ]
                }
            ]
        },
    }

    assert {"db_password": "[secret db_password]", "greeting": "hello"} == without_secrets(settings)["data"]
    assert [
        {"name": "API_TOKEN", "value": "[secret API_TOKEN]"},
        {"name": "GREETING", "value": "hello"},
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}},
    ] == without_secrets(pod)["spec"]["containers"][0]["env"]
