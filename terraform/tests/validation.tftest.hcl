# What is refused before AWS is asked. A run gives many variables a bad value at once, and each of them has to say so;
# a variable that can be wrong in several ways is in several runs. Where one is judged by another, the other is right.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  owner                  = "platform@example.com"
  expires                = "2030-01-01T00:00:00Z"
  cluster_administrators = ["arn:aws:iam::123456789012:role/platform"]
  budget_emails          = ["platform@example.com"]
}

run "refuses_round_1" {
  command = plan

  variables {
    name                         = "Roll_Book"                                                              # a name that iam refuses
    region                       = "us-east-1a"                                                             # a region that is a zone
    account_id                   = "12345678901"                                                            # an account without its leading zero
    endpoint_url                 = "http://203.0.113.7:4566"                                                # an endpoint that is not this machine
    environment                  = "my sandbox"                                                             # an environment with a space
    owner                        = "platform; drop"                                                         # an owner that no tag takes
    expires                      = "tomorrow"                                                               # an expiry in words
    vpc_cidr                     = "10.0.0.0/24"                                                            # a vpc that is too small
    nat_gateways                 = "two"                                                                    # a nat mode that is none
    flow_log_retention_days      = 10                                                                       # a retention that cloudwatch lacks
    kubernetes_version           = "1.33"                                                                   # a kubernetes version out of support
    compute                      = "fargate"                                                                # compute that is none
    nodes                        = { architecture = "riscv", instance_types = ["t3.medium"] }               # an architecture that is none
    addons                       = { coredns = "v1.11.4" }                                                  # an addon version without its build
    endpoint_public_access_cidrs = ["203.0.113.7"]                                                          # a range that is an address
    cluster_administrators       = []                                                                       # no administrator
    cluster_log_retention_days   = 0                                                                        # a log retention that cloudwatch lacks
    repository_name              = "Hello"                                                                  # a repository in capitals
    images_kept                  = 3                                                                        # too few images to roll back
    secret_name                  = "hello/config-abcdef"                                                    # a secret named like an arn
    secret_recovery_days         = 3                                                                        # a recovery that aws lacks
    github                       = { owner = "example", repository = "*", owner_id = 1, repository_id = 2 } # a github repository with a wildcard
    budget_usd                   = -1                                                                       # a budget below zero
  }

  expect_failures = [
    var.name,
    var.region,
    var.account_id,
    var.endpoint_url,
    var.environment,
    var.owner,
    var.expires,
    var.vpc_cidr,
    var.nat_gateways,
    var.flow_log_retention_days,
    var.kubernetes_version,
    var.compute,
    var.nodes,
    var.addons,
    var.endpoint_public_access_cidrs,
    var.cluster_administrators,
    var.cluster_log_retention_days,
    var.repository_name,
    var.images_kept,
    var.secret_name,
    var.secret_recovery_days,
    var.github,
    var.budget_usd,
  ]
}

run "refuses_round_2" {
  command = plan

  variables {
    azs                    = ["us-east-1a", "us-east-1b"]                                                                    # two zones
    node_subnets           = "isolated"                                                                                      # node subnets that are none
    budget_emails          = []                                                                                              # a budget that tells nobody
    endpoint_url           = "http://127.0.0.1:4566/aws"                                                                     # an endpoint with a path
    expires                = "2030-01-01T00:00:00+01:00"                                                                     # an expiry with an offset
    kubernetes_version     = "1.36.3"                                                                                        # a kubernetes version with a patch
    nodes                  = { architecture = "arm64", instance_types = ["t4g.medium", "t3.medium"] }                        # an instance type of another architecture
    addons                 = { istio = "v1.11.4-eksbuild.2" }                                                                # an addon that is not ours
    cluster_administrators = ["arn:aws:iam::123456789012:role/*"]                                                            # an administrator with a wildcard
    github                 = { owner = "example", repository = "hello", owner_id = 1, repository_id = 2, environments = [] } # no github environment
  }

  expect_failures = [
    var.azs,
    var.node_subnets,
    var.budget_emails,
    var.endpoint_url,
    var.expires,
    var.kubernetes_version,
    var.nodes,
    var.addons,
    var.cluster_administrators,
    var.github,
  ]
}

run "refuses_round_3" {
  command = plan

  variables {
    azs           = ["us-east-1a", "us-east-1a", "us-east-1b"]                                                             # one zone twice
    budget_emails = ["platform"]                                                                                           # an address without a domain
    nodes         = { desired_size = 5 }                                                                                   # more nodes than the maximum
    github        = { owner = "example", repository = "hello", owner_id = 1, repository_id = 2, environments = ["prod*"] } # a github environment with a wildcard
    node_subnets  = "public"                                                                                               # public nodes beside a nat gateway
  }

  expect_failures = [
    var.azs,
    var.budget_emails,
    var.nodes,
    var.github,
    var.node_subnets,
  ]
}

run "refuses_round_4" {
  command = plan

  variables {
    azs   = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] # zones of another region
    nodes = { disk_gib = 8 }                           # a disk smaller than the image
  }

  expect_failures = [
    var.azs,
    var.nodes,
  ]
}

run "refuses_round_5" {
  command = plan

  variables {
    nodes = { capacity_type = "RESERVED" } # capacity that is none
  }

  expect_failures = [
    var.nodes,
  ]
}
