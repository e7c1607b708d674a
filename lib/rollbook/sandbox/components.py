"""Command lines of what runs beside Kubernetes, and the list of all components."""

from __future__ import annotations

import sys
from pathlib import Path

from rollbook import __version__
from rollbook.sandbox.alerting import RECEIVER
from rollbook.sandbox.control_plane import apiserver, controller_manager, etcd, node_agent, scheduler
from rollbook.sandbox.judging import JUDGE, judge_folder
from rollbook.sandbox.manifests import ARGO_USER, TRAEFIK_USER
from rollbook.sandbox.parts import LEAN, Parts
from rollbook.sandbox.units import BOOTSTRAP, Probe, Unit


def all_units(parts: Parts) -> tuple[Unit, ...]:
    """All components, in the order in which they are shown."""
    return (
        etcd(parts),
        apiserver(parts),
        controller_manager(parts),
        scheduler(parts),
        node_agent(parts),
        argo_rollouts(parts),
        traefik(parts),
        prometheus(parts),
        alertmanager(parts),
        alert_receiver(parts),
        judge(parts),
        ministack(parts),
    )


def argo_rollouts(parts: Parts) -> Unit:
    """The canary controller."""
    ports = parts.addresses.ports
    argv = [
        str(parts.binaries.path("rollouts-controller")),
        f"--kubeconfig={parts.home.kubeconfig(ARGO_USER)}",
        "--leader-elect=false",
        f"--metricsPort={ports['argo-rollouts-metrics']}",
        f"--healthzPort={ports['argo-rollouts-health']}",
        "--qps=100",
        "--burst=200",
    ]
    return parts.unit(
        "argo-rollouts",
        parts.binaries.versions["argo-rollouts"],
        argv,
        Probe(f"{parts.addresses.url('argo-rollouts-health')}/healthz"),
        endpoint=parts.addresses.url("argo-rollouts-metrics"),
        needs=(BOOTSTRAP,),
        environment=LEAN,
    )


def traefik(parts: Parts) -> Unit:
    """The edge that users reach the services through."""
    argv = [str(parts.traefik), f"--configfile={parts.home.config / 'traefik.yml'}"]
    return parts.unit(
        "traefik",
        parts.binaries.versions["traefik"],
        argv,
        Probe(f"{parts.addresses.url('traefik-metrics')}/ping"),
        endpoint=parts.addresses.url("edge"),
        needs=(BOOTSTRAP,),
        environment={**LEAN, "KUBECONFIG": str(parts.home.kubeconfig(TRAEFIK_USER))},
    )


def prometheus(parts: Parts) -> Unit:
    """Metrics, scraped every second."""
    url = parts.addresses.url("prometheus")
    argv = [
        str(parts.binaries.path("prometheus")),
        f"--config.file={parts.home.config / 'prometheus.yml'}",
        f"--storage.tsdb.path={parts.home.data / 'prometheus'}",
        "--storage.tsdb.retention.time=1d",
        "--storage.tsdb.retention.size=512MB",
        f"--web.listen-address=127.0.0.1:{parts.addresses.ports['prometheus']}",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
        # The default of 5 s would keep a new pod unseen for as long, whatever the scrape interval is.
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    ]
    return parts.unit(
        "prometheus",
        parts.binaries.versions["prometheus"],
        argv,
        Probe(f"{url}/-/ready"),
        endpoint=url,
        needs=(BOOTSTRAP,),
        environment=LEAN,
    )


def alertmanager(parts: Parts) -> Unit:
    """Alerts, grouped and routed; they go to the receiver below."""
    url = parts.addresses.url("alertmanager")
    argv = [
        str(parts.binaries.path("alertmanager")),
        f"--config.file={parts.home.config / 'alertmanager.yml'}",
        f"--storage.path={parts.home.data / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{parts.addresses.ports['alertmanager']}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    return parts.unit(
        "alertmanager",
        parts.binaries.versions["alertmanager"],
        argv,
        Probe(f"{url}/-/ready"),
        endpoint=url,
        environment=LEAN,
    )


def alert_receiver(parts: Parts) -> Unit:
    """Whoever is told of alerts: it writes down what came and when."""
    url = parts.addresses.url(RECEIVER)
    file = parts.home.data / RECEIVER / "notifications.jsonl"
    port = str(parts.addresses.ports[RECEIVER])
    argv = [sys.executable, "-m", "rollbook.sandbox.receiver", "--port", port, "--file", str(file)]
    return parts.unit(RECEIVER, __version__, argv, Probe(f"{url}/healthz"), endpoint=url)


def judge(parts: Parts) -> Unit:
    """Answers Argo's `web` metric provider with what the judge says; it learns of services by their files."""
    url = parts.addresses.url(JUDGE)
    command = str(Path(sys.executable).parent / "rollbook")
    argv = [
        *(sys.executable, command, "judge", "serve"),
        f"--prometheus={parts.addresses.url('prometheus')}",
        f"--service={judge_folder(parts.home)}",
        f"--bind=127.0.0.1:{parts.addresses.ports[JUDGE]}",
    ]
    return parts.unit(JUDGE, __version__, argv, Probe(f"{url}/healthz"), endpoint=url)


def ministack(parts: Parts) -> Unit:
    """AWS, emulated."""
    url = parts.addresses.url("ministack")
    state = parts.home.data / "ministack"
    environment = {
        "PYTHONPATH": str(parts.ministack),
        "PYTHONNOUSERSITE": "1",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(parts.addresses.ports["ministack"]),
        # Its MQTT and SFTP servers listen on all addresses, and no release needs them.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "S3_DATA_DIR": str(state / "s3"),
        "LOG_LEVEL": "WARNING",
        # Where Docker is present it would start a k3s for each EKS cluster. There is no Docker here.
        "DOCKER_HOST": f"unix://{state / 'no-docker.sock'}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return parts.unit(
        "ministack",
        parts.binaries.versions["ministack"],
        [base_interpreter(), "-m", "ministack"],
        Probe(f"{url}/_ministack/health"),
        endpoint=url,
        environment=environment,
    )


def base_interpreter() -> str:
    """The Python that this one's environment was made from: MiniStack must not see our libraries."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)
