# What GitHub Actions may do, and which of GitHub's workflows.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan # nothing has to be applied
}

variables {
  name            = "rollbook"
  partition       = "aws"
  account_id      = "123456789012"
  create_provider = true
  repository_arn  = "arn:aws:ecr:us-east-1:123456789012:repository/hello"
  cluster_arn     = "arn:aws:eks:us-east-1:123456789012:cluster/rollbook"
  secret_arn      = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hello/config-abcdef"
  github          = { owner = "example", repository = "hello", owner_id = 1234567, repository_id = 7654321, environments = ["production", "staging"] }
}

run "only_this_repository_and_no_wildcard" {
  command = plan

  module {
    source = "./modules/github"
  }

  assert {
    condition = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = [
          "repo:example/hello:environment:production",
          "repo:example/hello:environment:staging",
          "repo:example@1234567/hello@7654321:environment:production",
          "repo:example@1234567/hello@7654321:environment:staging",
        ]
      }
    }
    error_message = "The subject has to match whole, in the form with names and in the form with numeric ids."
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
    ]))
    error_message = "Each action of the deploy role has to be named."
  }
  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : statement.Action if statement.Resource == "*"
    ] == [["ecr:GetAuthorizationToken"], ["secretsmanager:ListSecrets"]]
    error_message = "Only the registry login and the list of secrets' names may be for every resource: AWS has no narrower one."
  }
  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : statement.Resource if statement.Resource != "*"
    ])) == toset(["arn:aws:ecr:us-east-1:123456789012:repository/*", var.repository_arn, var.cluster_arn, var.secret_arn])
    error_message = "The deploy role has to reach this repository, this cluster and this secret, and nothing else."
  }
  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : statement.Action if endswith(jsonencode(statement.Resource), "repository/*\"")
    ] == [["ecr:DescribeRepositories"]]
    error_message = "Other repositories may be listed, and nothing else may be done with them."
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : [
        for action in statement.Action : !can(regex("^(iam|sts|kms):|:(Delete|Create)|GetSecretValue", action))
      ]
    ]))
    error_message = "The deploy role must not delete, create, read secrets, or give itself more."
  }
}

run "an_existing_provider_is_used" {
  command = plan

  module {
    source = "./modules/github"
  }

  variables {
    create_provider = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Principal.Federated == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    error_message = "An account has one provider for GitHub: where it is, it has to be used."
  }
}
