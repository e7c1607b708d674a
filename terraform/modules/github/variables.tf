variable "name" {
  description = "Prefix of the role's name."
  type        = string
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
}

variable "account_id" {
  description = "AWS account, 12 digits."
  type        = string
}

variable "github" {
  description = "Owner and repository by name and by numeric id, and the GitHub environments that may assume the role."
  type = object({
    owner         = string
    repository    = string
    owner_id      = number
    repository_id = number
    environments  = set(string)
  })
}

variable "create_provider" {
  description = "Whether to make the account's OIDC provider for GitHub, or to use the one that is there."
  type        = bool
}

variable "repository_arn" {
  description = "ECR repository that is pushed to."
  type        = string
}

variable "cluster_arn" {
  description = "EKS cluster that is deployed to."
  type        = string
}

variable "secret_arn" {
  description = "Secret that has to be there."
  type        = string
}
