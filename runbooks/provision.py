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
# it, and makes the image repository and the secret in AWS, which MiniStack emulates there. On AWS it applies
# `terraform/` after its plan and its cost were shown, and installs the cluster's add-ons. What is there already
# and as it should be is left as it is.
#
# **What it proves:** AWS knows us; what is there is what is written, within the budget; every component is
# healthy, with its version; images and secrets have a place.
#
# **How to undo it:** run the *teardown* runbook, on AWS with `environment`.

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
budget = 250.0  # US dollars a month that it may cost; 0 to 100000
accept_unknown = False  # go on when something has no price in the table
account = ""  # AWS account that it must be, 12 digits in quotes; empty: any

# %%
from rollbook.notebook.parameters import ProvisionParameters

parameters = ProvisionParameters.of(
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
    budget=budget,
    accept_unknown=accept_unknown,
    account=account,
).form()
parameters

# %% [markdown]
# ## Open the target
#
# The sandbox is one for all runbooks and lives on afterwards. A second bring-up finds it running.
# When this is red, the message names the component; `rollbook sandbox logs COMPONENT` shows what it said.

# %%
from rollbook.runbook import open_run

session = open_run(parameters, bring_up=True)
session

# %% [markdown]
# ## Ask AWS who we are
#
# With `account` set, any other account is refused: nothing is made in the wrong place.

# %%
from rollbook.notebook.tables import component_table, fields_table
from rollbook.phases import provision

identity = provision.check_identity(session.ctx, account=parameters.account)
fields_table(identity)

# %% [markdown]
# ## Plan the infrastructure
#
# What Terraform would add, change and destroy, before anything is. The sandbox has nothing to plan: it is
# processes of this machine.

# %%
from rollbook.notebook.infrastructure_tables import cost_table, plan_table
from rollbook.phases import infrastructure

planned = infrastructure.plan(session.ctx)
plan_table(planned)

# %% [markdown]
# ## Hold it against the budget
#
# What a month of it costs by `terraform/prices.yaml`. Over the budget it ends here, and so it does when
# something has no price in the table, unless `accept_unknown` is set.

# %%
estimated = infrastructure.guard(
    session.ctx, planned, budget=parameters.budget, accept_unknown=parameters.accept_unknown
)
cost_table(estimated)

# %% [markdown]
# ## Apply it
#
# Exactly the plan from above. An interrupt lets Terraform finish what it has begun and keep its state.

# %%
made = infrastructure.apply(session.ctx, planned)
fields_table(made.outputs if made else None)

# %% [markdown]
# ## Install the cluster's add-ons, and say who may deploy
#
# Pinned Helm releases, each after what it needs. An emulated AWS has the sandbox's cluster, which has its own.

# %%
from rollbook.notebook.infrastructure_tables import addon_table
from rollbook.notebook.tables import applied_table

installed = infrastructure.install_addons(session.ctx, made)
granted = infrastructure.grant(session.ctx, made)
addon_table(installed)

# %%
applied_table(granted)

# %% [markdown]
# ## Look at the cluster as a release will find it
#
# Versions, kinds, controllers, each right that a release needs, metrics, and the way in for users. Red names all that
# is missing, and how to mend it.

# %%
from rollbook.notebook.infrastructure_tables import finding_table

finding_table(provision.preflight(session.ctx))

# %% [markdown]
# ## Check every component
#
# Each part is asked for its version and health. *Emulated* marks what stands in for the real thing.

# %%
components = provision.check_components(session.ctx)
session.components(components)
component_table(components)

# %% [markdown]
# ## Make a place for images and secrets
#
# The repository's tags are immutable and its images are scanned on push. The secret's first value is random;
# it is never read here.

# %%
registry = provision.ensure_registry(session.ctx)
fields_table(registry)

# %% [markdown]
# ## Look for drift
#
# Plan again: nothing may be left to change. What an emulator is known to leave out is listed and told.

# %%
from rollbook.notebook.infrastructure_tables import drift_table

drift_table(infrastructure.verify(session.ctx))

# %%
fields_table(infrastructure.spent(session.ctx, estimated, made.began if made else None))

# %%
session.finish(f"{len(components)} components are healthy; images go to {registry.repository}")
