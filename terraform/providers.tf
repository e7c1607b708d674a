provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = local.tags
  }

  # An emulator accepts any credentials, and real ones must not reach it.
  access_key                  = local.emulated ? "emulated" : null
  secret_key                  = local.emulated ? "emulated" : null
  skip_credentials_validation = local.emulated
  skip_metadata_api_check     = local.emulated ? "true" : null

  # By default a refused request is repeated 25 times, for up to hours: right for AWS, which recovers. What an emulator
  # cannot do it will not do later either: seven times take about half a minute.
  max_retries = local.emulated ? 7 : null

  dynamic "endpoints" {
    for_each = local.emulated ? [var.endpoint_url] : []
    content {
      budgets        = endpoints.value
      ec2            = endpoints.value
      ecr            = endpoints.value
      eks            = endpoints.value
      iam            = endpoints.value
      kms            = endpoints.value
      logs           = endpoints.value
      secretsmanager = endpoints.value
      sts            = endpoints.value
    }
  }
}
