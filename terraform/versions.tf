terraform {
  # 1.11: the S3 backend locks by itself, without a DynamoDB table.
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    # The only provider, and one exact version of it. A kubernetes or helm provider in the state that makes the
    # cluster would have to reach the cluster while that is being destroyed.
    aws = {
      source  = "hashicorp/aws"
      version = "6.47.1"
    }
  }

  # Bucket, key and region are in backend.hcl: terraform init -backend-config=backend.hcl
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
