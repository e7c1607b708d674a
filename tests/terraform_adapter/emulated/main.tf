variable "endpoint_url" {
  description = "URL of the emulator."
  type        = string
}

variable "images_kept" {
  description = "How many images the repository keeps."
  type        = number
  default     = 5
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "emulated"
  secret_key                  = "emulated"
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"

  endpoints {
    ecr            = var.endpoint_url
    kms            = var.endpoint_url
    secretsmanager = var.endpoint_url
    sts            = var.endpoint_url
  }
}

resource "aws_kms_key" "this" {
  deletion_window_in_days = 7
}

resource "aws_ecr_repository" "this" {
  name = "adapter"

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_secretsmanager_secret" "this" {
  name                    = "adapter/config"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 0
}
