# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Validate what runs
#
# **When:** after a release, or at any time, to see from the outside that the world is as the record says.
#
# **What it changes:** nothing.
#
# **What it proves:** the running image is the released one; all traffic is on stable; the traffic split that
# users saw was the one that Argo had set; what must not run is refused; rules and alerts are loaded and evaluated.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox, aws or kubeconfig
region = ""  # AWS region; empty: that of the profile
cluster = ""  # name of the EKS cluster; empty: rollbook, as terraform/ has it
endpoint_url = ""  # an emulator of AWS on this machine, or sandbox for the sandbox's; empty: AWS
context = ""  # context of the kubeconfig, for the target kubeconfig
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
probes = 20  # requests sent through the edge; 1 to 1000

# %%
from rollbook.notebook.parameters import ValidateParameters

parameters = ValidateParameters.of(
    target=target,
    region=region,
    cluster=cluster,
    endpoint_url=endpoint_url,
    context=context,
    service=service,
    run=run,
    name=name,
    probes=probes,
).form()
parameters

# %%
from rollbook.runbook import open_run

session = open_run(parameters)
session

# %% [markdown]
# ## Look at what is running

# %%
from rollbook.notebook.tables import gate_table
from rollbook.phases import validate

running = (
    validate.running_digest(session.ctx),
    validate.rollout_healthy(session.ctx),
    validate.edge_serves_stable(session.ctx, parameters.probes),
)
gate_table(running)

# %% [markdown]
# ## Compare the split that users saw with the one that Argo set
#
# For each stretch of constant weight in this run's canaries: does the share of requests that the new version
# answered fit the weight? A run without a canary has nothing to compare, and says so.

# %%
from rollbook.phases import split

splits = split.gates(session.ctx)
gate_table(splits)

# %% [markdown]
# ## Try what must be refused
#
# The released pod with one thing changed: an image by tag, a container without limits, a privileged one and so on,
# each as a dry run. And Secrets, asked for in the names of the service and of Argo Rollouts. What is not refused fails.

# %%
from rollbook.phases import refusals

refused = refusals.refused(session.ctx)
gate_table(refused)

# %% [markdown]
# ## Check the monitoring

# %%
monitoring = (
    validate.rules_loaded(session.ctx),
    validate.targets_up(session.ctx),
    validate.alertmanager_ready(session.ctx),
)
gate_table(monitoring)

# %% [markdown]
# ## Keep what the dashboards showed
#
# Every panel of the service's dashboards, over the whole run: what they show is in the report.

# %%
from rollbook.phases import panels

panels.archive_run(session.ctx)

# %% [markdown]
# ## Gate: all of it
#
# Red here names each gate that refused, with what was expected and what was found.

# %%
passed = validate.require((*running, *splits, *refused, *monitoring))
session.finish(validate.sentence(passed))
