"""Names by which the record tells which version of a secret pods were given. Never a value."""

from __future__ import annotations

VERSION_ANNOTATION = "rollbook.dev/secret-version"
"""Of the pod template: id, in Secrets Manager, of the version that its pods were given."""
BROUGHT = "bring the secret into the cluster"
"""The step that ends when the cluster has the version of the release."""
