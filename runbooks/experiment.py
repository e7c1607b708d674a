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
# # Compare two versions by what users do (A/B test)
#
# **When:** before a release, to know whether the new version makes more users convert; or with stable's own
# version as b (an A/A test), to see that nobody wins where nothing differs.
#
# **What it changes:** pushes an image, unless `digest` names one; for its time, an Argo Experiment with pods of
# both versions, and routes that send users with a variant to them. All other users stay on stable.
#
# **What it proves:** which version has the higher share of users that convert, with a bound for the share of
# experiments that name a winner where there is none, however often one looks.
#
# **How to undo it:** interrupt the kernel: routes and Experiment are deleted, and users are on stable. At the
# end the same happens by itself.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox, aws or kubeconfig
region = ""  # AWS region; empty: that of the profile
cluster = ""  # name of the EKS cluster; empty: rollbook, as terraform/ has it
endpoint_url = ""  # an emulator of AWS on this machine, or sandbox for the sandbox's; empty: AWS
context = ""  # context of the kubeconfig, for the target kubeconfig
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
version = ""  # version of b, in quotes; stable's own: an A/A test; empty: the next minor version
digest = ""  # digest of b's image in the registry, sha256:...; empty: build one of this version
rate_a = 0.2  # simulated users: share of those on a who convert; 0 to 1
rate_b = 0.26  # simulated users: share of those on b who convert; 0 to 1
alpha = 0.05  # share of experiments with equal variants that may name a winner; 1e-06 to 0.2
effect = 0.03  # smallest difference of the two rates that matters, as a share; 0.001 to 0.5
require = "any"  # verdict that must come out: any, a, b or no-difference
rps = 80.0  # user traffic in requests a second; more than 0, at most 1000
timeout_s = 60.0  # seconds of user traffic after which it ends undecided; 5 to 7200
stop_early = True  # end as soon as there is a verdict
replicas = 1  # pods of each variant; 1 to 50

# %%
from rollbook.notebook.parameters import ExperimentParameters

parameters = ExperimentParameters.of(
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
    rate_a=rate_a,
    rate_b=rate_b,
    alpha=alpha,
    effect=effect,
    require=require,
    rps=rps,
    timeout_s=timeout_s,
    stop_early=stop_early,
    replicas=replicas,
).form()
parameters

# %%
from rollbook.runbook import open_run

session = open_run(parameters)
session

# %% [markdown]
# ## Plan the experiment
#
# Variant a is what is stable now, b the other version; its image is built and pushed, or found by its digest.
# Users are simulated: `rate_a` and `rate_b` say how many of them convert on each.

# %%
from rollbook.judge.conversion import ConversionRules
from rollbook.notebook.tables import fields_table
from rollbook.phases import experiment, experiment_planning

wanted = experiment_planning.Wanted(
    version=parameters.version,
    digest=parameters.digest,
    rates=(parameters.rate_a, parameters.rate_b),
    rules=ConversionRules(parameters.alpha, parameters.effect),
    duration_s=parameters.timeout_s,
    stop_early=parameters.stop_early,
    replicas=parameters.replicas,
)
planned = experiment_planning.plan(session.ctx, wanted)
fields_table(planned.a)

# %%
fields_table(planned.b)

# %% [markdown]
# ## Run both side by side
#
# Each user has an id, and by its hash one variant, the same at each visit; the edge routes by a header with it.
# The judge counts users, not requests, and looks each second. A verdict that falls ends the experiment.
#
# Interrupting this cell takes the routes away and deletes the Experiment.

# %%
with experiment.users_on_variants(session.ctx, planned, rps=parameters.rps) as running:
    outcome = running.watch()

# %% [markdown]
# ## What users did

# %%
from rollbook.notebook.tables import experiment_table
from rollbook.phases import experiment_gate

session.facts(**experiment_gate.facts(outcome))
experiment_table(outcome)

# %% [markdown]
# ## Gate: were users served, did each keep one variant, and is the verdict the one that has to be?

# %%
from rollbook.notebook.tables import gate_table

found = experiment_gate.gates(session.ctx, outcome, require=parameters.require)
gate_table(found)

# %%
experiment_gate.require_passed(found)
print(experiment_gate.next_command(outcome) or "b is not to be released by this.")
session.finish(experiment_gate.sentence(outcome))
