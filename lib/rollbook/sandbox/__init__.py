"""A real Kubernetes with Argo Rollouts, Traefik and Prometheus as ordinary processes of this machine."""
