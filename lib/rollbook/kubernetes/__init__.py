"""Kubernetes with Argo Rollouts, spoken to through its API; `connect` makes the adapter."""

from rollbook.kubernetes.cluster import KubernetesCluster, connect

__all__ = ["KubernetesCluster", "connect"]
