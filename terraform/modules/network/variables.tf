variable "name" {
  description = "Name of the VPC, and prefix of its parts."
  type        = string
}

variable "cidr" {
  description = "IPv4 range."
  type        = string
}

variable "azs" {
  description = "Availability zones, three of them."
  type        = list(string)
}

variable "region" {
  description = "AWS region; names the services of endpoints."
  type        = string
}

variable "account_id" {
  description = "AWS account, 12 digits."
  type        = string
}

variable "nat_gateways" {
  description = "none, single or per_zone."
  type        = string
}

variable "node_subnets" {
  description = "private or public. Private without NAT gateways makes interface endpoints."
  type        = string
}

variable "flow_log_retention_days" {
  description = "Days for which flow logs are kept; 0 for none."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts the flow logs."
  type        = string
}
