# What a root module of ours has, without a provider that would have to be downloaded: terraform_data is part of
# Terraform itself.
terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  backend "s3" {}
}
