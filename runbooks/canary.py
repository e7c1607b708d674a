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
# # Release a version as a canary
#
# **When:** to bring a new version to users step by step; with `fault` set, to see that a bad one is sent back
# (a drill).
#
# **What it changes:** pushes an image, unless `digest` names one; changes the Rollout's template. Argo Rollouts then moves the traffic
# step by step and measures it; it promotes the version or aborts it by itself.
#
# **What it proves:** how the release went for users: every request of the whole time is accounted for.
#
# **How to undo it:** until it is promoted, interrupt the kernel: all traffic goes back to stable. Afterwards,
# run *deploy* with the earlier version.

# %% tags=["parameters"]
target = "sandbox"  # where to release: sandbox, aws or kubeconfig
region = ""  # AWS region; empty: that of the profile
cluster = ""  # name of the EKS cluster; empty: rollbook, as terraform/ has it
endpoint_url = ""  # an emulator of AWS on this machine, or sandbox for the sandbox's; empty: AWS
context = ""  # context of the kubeconfig, for the target kubeconfig
service = "service.yaml"  # service file; looked for here and in the folders above
run = ""  # folder of the run to go on with; empty: a new one under reports/
name = ""  # name of this phase in the record: lower-case letters, digits, -; empty: the runbook's
version = ""  # version to release: letters, digits, .+_- in quotes; empty: the next minor version
digest = ""  # digest of an image in the registry, sha256:...; empty: build one of this version
fault = ""  # fault of the service file to release on purpose; empty: none
drill = ""  # drill of drills.yaml whose statements it is held against; empty: none
expect = "promoted"  # verdict that must come out: promoted or rolled-back
rps = 50.0  # user traffic in requests a second; more than 0, at most 1000
timeout_s = 300.0  # seconds until the rollout must have ended; more than 0, at most 7200
lead_s = 3.0  # seconds of traffic before and after the rollout; 0 to 300
judge = "advise"  # what the judge may do: off, advise, abort, gate or argo, as docs/judge.md has it
alpha = 0.01  # share of healthy canaries that the judge may call harmful; 1e-06 to 0.2
margin = 0.01  # share of errors above stable's that still counts as safe; 0.0001 to 0.5
latency_margin = 0.025  # share of slow requests above stable's that still counts as safe; 0.0001 to 0.5
gate_budget_s = 60.0  # seconds at a paused step until the gate does what undecided says; 5 to 7200
undecided = "abort"  # what the gate does at a step whose time is over: abort or advance

# %%
from rollbook.notebook.parameters import CanaryParameters

parameters = CanaryParameters.of(
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
    fault=fault,
    drill=drill,
    expect=expect,
    rps=rps,
    timeout_s=timeout_s,
    lead_s=lead_s,
    judge=judge,
    alpha=alpha,
    margin=margin,
    latency_margin=latency_margin,
    gate_budget_s=gate_budget_s,
    undecided=undecided,
).form()
parameters

# %%
from rollbook.runbook import open_run

session = open_run(parameters)
session

# %% [markdown]
# ## Plan the release
#
# What is stable now, what is to replace it, and the steps that the Rollout declares.

# %%
from rollbook.notebook.tables import fields_table
from rollbook.phases import planning

planned = planning.plan(session.ctx, version=parameters.version, fault=parameters.fault)
fields_table(planned)

# %% [markdown]
# ## Build the image and push it, or find it
#
# With `digest` nothing is built: that very image, which is in the registry already, is taken.

# %%
from rollbook.phases.images import release_image

image = release_image(session.ctx, planned.version, parameters.digest)
fields_table(image)

# %% [markdown]
# ## Roll out under users' traffic
#
# Requests are sent on schedule, whether or not earlier ones were answered, so that a stall is counted. The
# picture grows while the rollout goes: the weight that Argo has set, requests a second, the share of errors
# and the 95th percentile of stable and canary.
#
# Interrupting this cell aborts the rollout and leaves all traffic on stable.

# %%
from rollbook.notebook.live import CanaryPicture
from rollbook.phases import canary
from rollbook.phases.gating import GatePolicy, Undecided
from rollbook.phases.judging import Mode, Policy

slo = session.ctx.service.slo
picture = CanaryPicture(
    stable=planned.stable_version, canary=planned.version, availability=slo.availability, p95_s=slo.p95_s
)
timings = canary.Timings(lead_s=parameters.lead_s, timeout_s=parameters.timeout_s)
gate = GatePolicy(budget_s=parameters.gate_budget_s, undecided=Undecided(parameters.undecided))
policy = Policy(
    Mode(parameters.judge),
    alpha=parameters.alpha,
    margin=parameters.margin,
    latency_margin=parameters.latency_margin,
    gate=gate,
)
users_on_it = canary.users_and_rollout(
    session.ctx, planned, image, rps=parameters.rps, timings=timings, policy=policy
)
with picture, users_on_it as rollout:
    outcome = rollout.watch(picture.update)

# %% [markdown]
# ## Account for every user's request
#
# A failed request is counted by cause and by the version that answered. *Time to detect* runs from the first
# failed answer of the new version to the abort; *time to roll back* from the abort to the last answer that it
# still gave.

# %%
from rollbook.notebook.tables import users_table
from rollbook.phases import users

account = users.account(session.ctx, outcome)
session.facts(**users.facts(outcome, account))
users_table(account)

# %% [markdown]
# ## What the judge says
#
# It compares errors and latency of canary and stable at every look, and watches split and memory; its verdicts hold at
# any look. *Harmful*, *safe* (within the margins), or *undecided*: too little is known. By default it only says so, and
# Argo decides.

# %%
fields_table(outcome.judged)

# %% [markdown]
# ## Gate: did it end as expected, and did users stay within the objective?
#
# Red here means that the release must not go on: the message says which expectation failed, with numbers. A `drill` is
# held against what it states instead, row by row; it waits until somebody was told of the abort, and of its end.

# %%
from rollbook.notebook.tables import drill_table
from rollbook.phases import drilling

if parameters.drill:
    stated = drilling.named(session.ctx, parameters.drill, fault=parameters.fault)
    found = drilling.measure(session.ctx, stated, outcome, account)
    rows = drilling.held_against(session.ctx, stated, found, outcome)
    session.facts(**drilling.facts(stated, found, rows))
    sentence = drilling.sentence(stated, found, rows)
else:
    rows, sentence = (), users.sentence(outcome, account)
drill_table(rows)

# %%
if parameters.drill:
    drilling.leave(session.ctx, outcome, rows)
else:
    users.gate(session.ctx, outcome, account, expect=parameters.expect)
session.finish(sentence, verdict=outcome.verdict.value)
