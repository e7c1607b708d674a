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
# # Deploy the service's baseline
#
# **When:** for the first install of a service, or to lay a known baseline again. A new version that users
# should meet step by step goes through the *canary* runbook.
#
# **What it changes:** builds the image and pushes it, unless `digest` names one; applies the overlay server-side, with the image by
# digest; where another version is stable, this one replaces it at once.
#
# **What it proves:** the image that was built is the one that runs; the Rollout is healthy; users reach it
# through the edge.
#
# **How to undo it:** deploy the earlier version, or run *teardown*.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox, aws or kubeconfig
region = ""  # AWS region; empty: that of the profile
cluster = ""  # name of the EKS cluster; empty: rollbook, as terraform/ has it
endpoint_url = ""  # an emulator of AWS on this machine, or sandbox for the sandbox's; empty: AWS
context = ""  # context of the kubeconfig, for the target kubeconfig
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
version = ""  # version to install: letters, digits, .+_- in quotes; empty: the service's first
digest = ""  # digest of an image in the registry, sha256:...; empty: build one of this version
timeout_s = 120.0  # seconds until the Rollout must be healthy; more than 0, at most 3600
probes = 20  # requests sent through the edge to verify traffic; 1 to 1000

# %%
from rollbook.notebook.parameters import DeployParameters

parameters = DeployParameters.of(
    target=target,
    region=region,
    cluster=cluster,
    endpoint_url=endpoint_url,
    context=context,
    service=service,
    run=run,
    name=name,
    version=version,
    digest=digest,
    timeout_s=timeout_s,
    probes=probes,
).form()
parameters

# %%
from rollbook.runbook import open_run

session = open_run(parameters)
session

# %% [markdown]
# ## Build the image and push it, or find it
#
# The same sources give the same digest, on any machine of this kind. The tag carries the version and the
# digest's first characters, because tags cannot be moved. With `digest` nothing is built: that very image,
# which is in the registry already, is taken.

# %%
from rollbook.notebook.tables import applied_table, fields_table
from rollbook.phases.images import release_image

chosen = parameters.version or session.ctx.service.initial_version
image = release_image(session.ctx, chosen, parameters.digest)
fields_table(image)

# %% [markdown]
# ## Install it
#
# When this is red, the message holds what Argo Rollouts says and the last warnings of the namespace.

# %%
from rollbook.phases import deploy
from rollbook.phases.manifests import Release

installed = deploy.install(session.ctx, Release(chosen, image), timeout_s=parameters.timeout_s)
applied_table(installed.applied)

# %% [markdown]
# ## Verify live traffic
#
# Every request goes through the edge, as a user's would, and must be answered by this very version.

# %%
live = deploy.verify_traffic(session.ctx, chosen, probes=parameters.probes)
fields_table(live)

# %%
session.facts(release={"version": chosen, "digest": image.digest, "reference": image.reference, "fault": ""})
session.finish(f"{chosen} is installed and answered {live.good} of {live.sent} requests through the edge")
