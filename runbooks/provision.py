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
# # Provision what a release stands on
#
# **When:** first of all, and whenever you are not sure that the environment is whole.
#
# **What it changes:** in the sandbox it builds the cluster if this machine has not yet (minutes, once), starts
# it, and makes the image repository and the secret in AWS, which MiniStack emulates there. What is there
# already is left as it is.
#
# **What it proves:** every component is healthy, with its version; AWS knows us; images and secrets have a place.
#
# **How to undo it:** run the *teardown* runbook.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
account = ""  # AWS account that it must be, 12 digits in quotes; empty: any

# %%
from rollbook.notebook.parameters import ProvisionParameters

parameters = ProvisionParameters.of(
    target=target,
    service=service,
    run=run,
    name=name,
    account=account,
).form()
parameters

# %% [markdown]
# ## Bring up the target
#
# The sandbox is one for all runbooks and lives on afterwards. A second bring-up finds it running.
# When this is red, the message names the component; `rollbook sandbox logs COMPONENT` shows what it said.

# %%
from rollbook.runbook import open_run

session = open_run(parameters, bring_up=True)
session

# %% [markdown]
# ## Check every component
#
# Each part is asked for its version and health. *Emulated* marks what stands in for the real thing.

# %%
from rollbook.notebook.tables import component_table, fields_table
from rollbook.phases import provision

components = provision.check_components(session.ctx)
session.components(components)
component_table(components)

# %% [markdown]
# ## Ask AWS who we are
#
# With `account` set, any other account is refused: nothing is made in the wrong place.

# %%
identity = provision.check_identity(session.ctx, account=parameters.account)
fields_table(identity)

# %% [markdown]
# ## Make a place for images and secrets
#
# The repository's tags are immutable and its images are scanned on push. The secret's first value is random;
# it is never read here.

# %%
registry = provision.ensure_registry(session.ctx)
fields_table(registry)

# %%
session.finish(f"{len(components)} components are healthy; images go to {registry.repository}")
