"""The node agent: the kubelet's part in the sandbox, with pods as host processes.

`agent` watches the pods of its node and gives each a `pod.PodWorker`; a worker gives each container a
`container.Container`, which goes through one `run.ContainerRun` after another. Below them: `podspec` and
`podparse` (what was asked), `refusal` (what cannot be done here), `launch`, `environment`, `volumes` and
`paths` (from there to a command line), `processes`, `probes`, `actions` and `memory` (a process and how it
does), `records` and `logs` (what is kept on disk), `status`, `events`, `node` and `server` (what is told).

What differs from a kubelet: nothing is chrooted, and every pod runs as the user of the sandbox; limits of
CPU are not enforced; ConfigMap and Secret volumes are written once and not updated; there is no cluster
DNS; `exec`, `attach` and `port-forward` are not served. A pod that asks for more is refused (`refusal`).
"""
