# The role that GitHub's workflows assume with their OIDC token: no key of AWS is stored at GitHub. It has what a release
# by rollbook calls, what Docker asks a registry for, and nothing else (a test compares).

locals {
  host = "token.actions.githubusercontent.com"

  # Repositories made since July 2026 have numeric ids in the subject, so that whoever takes over a deleted name gets
  # nothing; older ones have names only, until they opt in. Both forms name this repository.
  repositories = [
    "${var.github.owner}/${var.github.repository}",
    "${var.github.owner}@${var.github.owner_id}/${var.github.repository}@${var.github.repository_id}",
  ]
  subjects = [
    for pair in setproduct(local.repositories, sort(var.github.environments)) :
    "repo:${pair[0]}:environment:${pair[1]}"
  ]

  # The part of the repository's ARN that all of this account and region share.
  registry = "${element(split(":repository/", var.repository_arn), 0)}:repository"

  provider_arn = var.create_provider ? aws_iam_openid_connect_provider.github[0].arn : "arn:${var.partition}:iam::${var.account_id}:oidc-provider/${local.host}"
}

# An account has one for each issuer: where another stack made it, this one must not.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_provider ? 1 : 0

  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.name}-deploy"
  description          = "Assumed by GitHub Actions of ${var.github.owner}/${var.github.repository} to deploy"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = local.provider_arn }
        Condition = {
          StringEquals = {
            "${local.host}:aud" = "sts.amazonaws.com"
            "${local.host}:sub" = local.subjects
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "deploy" {
  name = "deploy"
  role = aws_iam_role.deploy.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "RegistryLogin"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = "*" # AWS offers no narrower one; the token opens what PushAndLook allows
      },
      {
        # Whether the two services answer is asked without naming anything. Names are all that this tells.
        Sid      = "AreRepositoriesTold"
        Effect   = "Allow"
        Action   = ["ecr:DescribeRepositories"]
        Resource = "${local.registry}/*"
      },
      {
        Sid      = "AreSecretsTold"
        Effect   = "Allow"
        Action   = ["secretsmanager:ListSecrets"]
        Resource = "*" # AWS offers no narrower one
      },
      {
        Sid    = "PushAndLook"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:CompleteLayerUpload",
          "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = var.repository_arn
      },
      {
        Sid      = "FindTheCluster"
        Effect   = "Allow"
        Action   = ["eks:DescribeCluster"]
        Resource = var.cluster_arn
      },
      {
        Sid      = "SecretIsThere"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret"]
        Resource = var.secret_arn
      },
    ]
  })
}
