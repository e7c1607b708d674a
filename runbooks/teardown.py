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
# secret. With `environment` it also takes the sandbox down.
#
# **What it proves:** nothing of the service is left.
#
# **How to undo it:** run *provision* and *deploy* again. Images and the secret's value are gone for good.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
registry = True  # also delete the image repository and the secret
environment = False  # also take the sandbox itself down

# %%
from rollbook.notebook.parameters import TeardownParameters

parameters = TeardownParameters.of(
    target=target,
    service=service,
    run=run,
    name=name,
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
registry_removed = teardown.remove_registry(session.ctx) if parameters.registry else teardown.nothing()
fields_table(registry_removed)

# %% [markdown]
# ## Verify that nothing is left

# %%
teardown.verify_gone(session.ctx)
session.take_down() if parameters.environment else "the environment stays up"

# %%
session.finish(teardown.sentence(service_removed, registry_removed))
