"""A run's folder as evidence: read with types, listed in a manifest, sealed in a statement, verified."""
