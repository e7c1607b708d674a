# Three things at an emulated AWS, by the provider that terraform/ uses, with the outputs that it has.
terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.47.1"
    }
  }

  backend "s3" {}
}
