# The root module: defaults, tags, and what the parts tell each other.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan # nothing has to be applied
}

variables {
  owner                  = "platform@example.com"
  expires                = "2030-01-01T00:00:00Z"
  cluster_administrators = ["arn:aws:iam::123456789012:role/platform"]
  budget_emails          = ["platform@example.com"]
}

run "defaults" {
  command = plan

  assert {
    condition     = output.cluster_version == "1.36" && output.load_balancer_class == "service.k8s.aws/nlb" && length(output.nat_public_ips) == 1
    error_message = "By default: Kubernetes 1.36, managed nodes, one NAT gateway."
  }
  assert {
    condition     = output.deploy_role_arn == null && length(module.github) == 0
    error_message = "Without a GitHub repository there must be no role that GitHub could assume."
  }
  assert {
    condition     = output.tags == { project = "rollbook", environment = "sandbox", owner = "platform@example.com", expires = "2030-01-01T00:00:00Z", managed-by = "terraform" }
    error_message = "Everything has to say what it is part of, whose it is, and until when."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key has to rotate."
  }
  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this.policy).Statement : try(statement.Principal.AWS, statement.Principal.Service)] == ["arn:aws:iam::123456789012:root", "logs.us-east-1.amazonaws.com"]
    error_message = "Only the account and CloudWatch Logs may use the key."
  }
  assert {
    condition     = alltrue([for arn in jsondecode(aws_kms_key.this.policy).Statement[1].Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] : strcontains(arn, "/rollbook/")])
    error_message = "CloudWatch may use the key for our log groups only."
  }
}

run "github_gets_a_role" {
  command = plan

  variables {
    github = { owner = "example", repository = "hello", owner_id = 1234567, repository_id = 7654321 }
  }

  assert {
    condition     = output.deploy_role_arn == "arn:aws:iam::123456789012:role/mocked"
    error_message = "With a GitHub repository there has to be a deploy role."
  }
  assert {
    condition     = output.deployers_group == "rollbook:deployers"
    error_message = "The group of the deploy role's access entry has to be told."
  }
  assert {
    condition     = var.github.environments == toset(["build", "production"])
    error_message = "By default the role is for both environments of the workflow that deploys."
  }
}

run "auto_mode_without_a_budget" {
  command = plan

  variables {
    compute       = "auto"
    budget_usd    = 0
    budget_emails = []
  }

  assert {
    condition     = output.load_balancer_class == "eks.amazonaws.com/nlb"
    error_message = "Auto Mode ignores Services of another controller's class."
  }
  assert {
    condition     = length(module.budget) == 0
    error_message = "0 has to make no budget."
  }
}

run "budget_tells_before_it_is_spent" {
  command = plan

  module {
    source = "./modules/budget"
  }

  variables {
    name   = "rollbook"
    usd    = 200
    emails = ["platform@example.com"]
  }

  assert {
    condition     = toset([for alarm in aws_budgets_budget.this.notification : "${alarm.notification_type} ${alarm.threshold}"]) == toset(["ACTUAL 50", "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"])
    error_message = "Half, 80 % and all of it, and the forecast of all of it."
  }
  assert {
    condition     = aws_budgets_budget.this.limit_amount == "200.0" && aws_budgets_budget.this.limit_unit == "USD" && aws_budgets_budget.this.time_unit == "MONTHLY"
    error_message = "The budget is in US dollars a month."
  }
}

run "a_tag_never_moves" {
  command = plan

  module {
    source = "./modules/registry"
  }

  variables {
    name         = "hello"
    images_kept  = 50
    kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    force_delete = false
  }

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Tags have to be immutable, and images scanned when they are pushed."
  }
  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.countNumber] == [7, 50]
    error_message = "Untagged images go after a week, and only as many tagged ones stay as asked for."
  }
}

run "the_secret_has_no_value_here" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    name                    = "hello/config"
    kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    recovery_window_in_days = 7
  }

  assert {
    condition = [for statement in jsondecode(output.reader_policy).Statement : statement.Resource] == [
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:hello/config-abcdef",
      "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    ]
    error_message = "A reader has to be able to read this secret and no other."
  }
}
