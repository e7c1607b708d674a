"""A tiny order service on the standard library alone."""
