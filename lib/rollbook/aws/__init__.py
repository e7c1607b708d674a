"""AWS as far as a release needs it: identity, registry, secrets. Real, or emulated behind an endpoint."""
