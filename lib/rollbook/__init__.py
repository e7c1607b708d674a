"""Runbooks that release a service to Kubernetes as a canary, and prove afterwards that it was safe."""

__version__ = "0.1.0"
