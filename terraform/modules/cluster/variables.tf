variable "name" {
  description = "Name of the cluster, and prefix of its roles."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
}

variable "region" {
  description = "AWS region."
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

variable "vpc_id" {
  description = "VPC in which load balancers are made."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of nodes and of the control plane's network interfaces."
  type        = list(string)
}

variable "endpoint_public_access_cidrs" {
  description = "Ranges from which the API server can be reached over the internet; empty for none."
  type        = list(string)
}

variable "enabled_log_types" {
  description = "Logs of the control plane that are kept."
  type        = list(string)
  default     = ["api", "audit", "authenticator"]
}

variable "cloudwatch_log_group_retention_in_days" {
  description = "Days for which the control plane's logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts Kubernetes secrets and logs."
  type        = string
}

variable "deletion_protection" {
  description = "Whether EKS refuses to delete the cluster."
  type        = bool
}

variable "compute_config" {
  description = "EKS Auto Mode: whether it is enabled, and its built-in node pools."
  type = object({
    enabled    = bool
    node_pools = optional(list(string), ["general-purpose", "system"])
  })
}

variable "eks_managed_node_groups" {
  description = "Managed node groups by name: AMI type, ON_DEMAND or SPOT, instance types, number of nodes, disk in GiB."
  type = map(object({
    ami_type       = string
    capacity_type  = string
    instance_types = list(string)
    min_size       = number
    max_size       = number
    desired_size   = number
    disk_size      = number
  }))
}

variable "launch_tags" {
  description = "Tags of the instances, their volumes and their network interfaces."
  type        = map(string)
}

variable "addons" {
  description = "EKS add-ons by name. Without a version: the one that EKS recommends. before_compute: made before nodes are, because they need it."
  type = map(object({
    addon_version        = optional(string)
    before_compute       = optional(bool, false)
    configuration_values = optional(string)
  }))
}

variable "access_entries" {
  description = "IAM principals that may call the API server, by a name of their own, with Kubernetes groups and EKS access policies."
  type = map(object({
    principal_arn     = string
    kubernetes_groups = optional(list(string), [])
    policy_associations = optional(map(object({
      policy_arn = string
      access_scope = object({
        type       = string
        namespaces = optional(list(string))
      })
    })), {})
  }))
}

variable "pod_identities" {
  description = "Service accounts that get an IAM role, by name, with the policy as JSON."
  type = map(object({
    namespace       = string
    service_account = string
    policy          = string
  }))
}
