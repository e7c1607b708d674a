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
# # Tear down what was released
#
# **When:** you are done with the service on this target.
#
# **What it changes:** deletes the service's namespace with everything in it, then its image repository and
# secret. With `environment` it also ends the target: the sandbox is taken down; on AWS the add-ons are removed,
# then what their controllers left, then everything that Terraform made. There, repository and secret are
# Terraform's, and stay without `environment`.
#
# **What it proves:** nothing of the service is left; with `environment`, a sweep of the account finds nothing.
#
# **How to undo it:** run *provision* and *deploy* again. Images and the secret's value are gone for good.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox, aws or kubeconfig
region = ""  # AWS region; empty: that of the profile
cluster = ""  # name of the EKS cluster; empty: rollbook, as terraform/ has it
endpoint_url = ""  # an emulator of AWS on this machine, or sandbox for the sandbox's; empty: AWS
context = ""  # context of the kubeconfig, for the target kubeconfig
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
backend = ""  # file that says where Terraform's state is; empty: terraform/backend.hcl
values = ""  # file with values of Terraform's variables; empty: terraform/terraform.tfvars
addons = True  # also install or remove the cluster's add-ons
charts = ""  # folder with the add-ons' charts; empty: from their repositories
registry = True  # also delete the image repository and the secret
environment = False  # also end the target itself: take the sandbox down, destroy what is on AWS

# %%
from rollbook.notebook.parameters import TeardownParameters

parameters = TeardownParameters.of(
    target=target,
    region=region,
    cluster=cluster,
    endpoint_url=endpoint_url,
    context=context,
    service=service,
    run=run,
    name=name,
    backend=backend,
    values=values,
    addons=addons,
    charts=charts,
    registry=registry,
    environment=environment,
).form()
parameters

# %%
from rollbook.runbook import open_run

session = open_run(parameters)
session

# %% [markdown]
# ## Delete the service
#
# When this is red, something in the namespace has a finalizer that nobody answers; the message says how to look.

# %%
from rollbook.notebook.tables import fields_table
from rollbook.phases import teardown

service_removed = teardown.remove_service(session.ctx)
fields_table(service_removed)

# %% [markdown]
# ## Delete its images and its secret

# %%
registry_removed = teardown.remove_registry(
    session.ctx, wanted=parameters.registry, environment=parameters.environment
)
fields_table(registry_removed)

# %% [markdown]
# ## Verify that nothing of it is left

# %%
teardown.verify_gone(session.ctx)
"nothing of the service is left"

# %% [markdown]
# ## End the target itself
#
# Only with `environment`. On AWS: add-ons in reverse order, so that their controllers take their load balancers
# away; what was left of these; Terraform's destroy; then a sweep by tags and by kind that must find nothing.
# When this is red, run it again: it goes on where it ended.

# %%
from rollbook.notebook.infrastructure_tables import end_table

ended = teardown.end_target(session.ctx, wanted=parameters.environment)
end_table(ended)

# %%
session.take_down() if parameters.environment else "the environment stays up"

# %%
session.finish(teardown.sentence(service_removed, registry_removed, ended))
