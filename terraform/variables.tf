# What everything shares.

variable "name" {
  description = "Name of the cluster, and prefix of everything else that is made."
  type        = string
  default     = "rollbook"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "Use 3 to 24 lower-case letters, digits and hyphens, beginning with a letter: IAM names are built from it."
  }
}

variable "region" {
  description = "AWS region, such as us-east-1."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "This is not the name of a region: they look like us-east-1."
  }
}

variable "account_id" {
  description = "The only AWS account in which anything may be done, 12 digits. Null takes the account of the credentials."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account id has 12 digits; write it in quotes, so that a leading zero is kept."
  }
}

variable "endpoint_url" {
  description = "URL of an AWS emulator on this machine, such as http://127.0.0.1:4566. Null for AWS itself."
  type        = string
  default     = null

  validation {
    condition     = var.endpoint_url == null || can(regex("^http://(127\\.[0-9.]+|localhost):[0-9]{1,5}$", var.endpoint_url))
    error_message = "Only an emulator on a loopback address is accepted, without a path: http://127.0.0.1:4566."
  }
}

variable "environment" {
  description = "What this installation is for, such as sandbox or production. A tag."
  type        = string
  default     = "sandbox"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.environment))
    error_message = "Use lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "owner" {
  description = "Who answers for it and for its cost: a team or an e-mail address. A tag."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9 ._:/=+@-]{2,128}$", var.owner))
    error_message = "Name an owner with 2 to 128 characters that AWS accepts in a tag: letters, digits, spaces and ._:/=+@-"
  }
}

variable "expires" {
  description = "When it is to be torn down, as RFC 3339 in UTC, such as 2027-01-31T18:00:00Z. A tag that tells, and does not delete."
  type        = string
  nullable    = false

  # Whether it is past is not looked at: what has expired must still be destroyable.
  validation {
    condition     = can(regex("Z$", var.expires)) && can(timeadd(var.expires, "0s"))
    error_message = "Write date and time in UTC as in 2027-01-31T18:00:00Z."
  }
}

# Network: see docs/adr/0025.

variable "vpc_cidr" {
  description = "IPv4 range of the VPC, /16 to /20. Each of the six subnets is an eighth of it."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && can(regex("/(1[6-9]|20)$", var.vpc_cidr))
    error_message = "Give an IPv4 range between /16 and /20, such as 10.0.0.0/16."
  }
}

variable "azs" {
  description = "Three availability zones of the region. Named and not looked up: a zone that AWS adds must not move subnets."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b", "us-east-1c"]
  nullable    = false

  validation {
    condition     = length(var.azs) == 3 && length(distinct(var.azs)) == 3
    error_message = "Name three different zones."
  }

  validation {
    condition     = alltrue([for zone in var.azs : startswith(zone, var.region)])
    error_message = "Each zone has to be one of var.region's."
  }
}

variable "nat_gateways" {
  description = "NAT gateways for the private subnets: none, single (one for all zones), per_zone (one in each)."
  type        = string
  default     = "single"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat_gateways)
    error_message = "nat_gateways is none, single or per_zone."
  }
}

variable "node_subnets" {
  description = "Where nodes are: private, or public (each with a public address, which needs nat_gateways = none). Private nodes without NAT get VPC endpoints."
  type        = string
  default     = "private"
  nullable    = false

  validation {
    condition     = contains(["private", "public"], var.node_subnets)
    error_message = "node_subnets is private or public."
  }

  validation {
    condition     = var.node_subnets == "private" || var.nat_gateways == "none"
    error_message = "Public nodes reach the internet by themselves: set nat_gateways to none, or pay for a NAT gateway that nothing uses."
  }
}

variable "flow_log_retention_days" {
  description = "Days for which the VPC's flow logs are kept in CloudWatch; 0 for no flow logs."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.flow_log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days; 0 is none."
  }
}

# Cluster: see docs/adr/0026.

variable "kubernetes_version" {
  description = "Kubernetes version of the cluster, minor version only, such as 1.36."
  type        = string
  default     = "1.36"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.(3[5-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "Give a minor version in quotes, 1.35 or newer: older ones are in extended support, at six times the price."
  }
}

variable "compute" {
  description = "Who looks after nodes: managed (a managed node group) or auto (EKS Auto Mode, about 12 % more an instance)."
  type        = string
  default     = "managed"
  nullable    = false

  validation {
    condition     = contains(["managed", "auto"], var.compute)
    error_message = "compute is managed or auto."
  }
}

variable "nodes" {
  description = "The managed node group: instance types of one architecture (arm64 or x86_64), ON_DEMAND or SPOT, number of nodes, disk of each in GiB. Unused with compute = auto."
  type = object({
    architecture   = optional(string, "arm64")
    instance_types = optional(list(string), ["t4g.medium"])
    capacity_type  = optional(string, "ON_DEMAND")
    min_size       = optional(number, 2)
    max_size       = optional(number, 4)
    desired_size   = optional(number, 2)
    disk_gib       = optional(number, 20)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.nodes.architecture)
    error_message = "nodes.architecture is arm64 or x86_64."
  }

  validation {
    # Graviton families carry a g behind the generation: t4g, m7g, c7gn, r8gd.
    condition = length(var.nodes.instance_types) > 0 && alltrue([
      for type in var.nodes.instance_types :
      can(regex("^[a-z]+[0-9]+g[a-z]*\\.", type)) == (var.nodes.architecture == "arm64")
    ])
    error_message = "Each of nodes.instance_types has to be of nodes.architecture: t4g.medium is arm64, t3.medium is x86_64."
  }

  validation {
    condition     = contains(["ON_DEMAND", "SPOT"], var.nodes.capacity_type)
    error_message = "nodes.capacity_type is ON_DEMAND or SPOT."
  }

  validation {
    condition     = 1 <= var.nodes.min_size && var.nodes.min_size <= var.nodes.desired_size && var.nodes.desired_size <= var.nodes.max_size
    error_message = "Nodes have to be 1 <= min_size <= desired_size <= max_size."
  }

  validation {
    condition     = var.nodes.disk_gib >= 20 && var.nodes.disk_gib <= 1000
    error_message = "nodes.disk_gib is between 20 and 1000 GiB."
  }
}

variable "addons" {
  description = "Versions of EKS add-ons by name, such as { coredns = \"v1.11.4-eksbuild.2\" }. What is left out gets the version that EKS recommends for the cluster's."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, version in var.addons : can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", version))])
    error_message = "Versions of add-ons look like v1.11.4-eksbuild.2."
  }

  validation {
    condition     = length(setsubtract(keys(var.addons), ["coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni"])) == 0
    error_message = "The add-ons are coredns, eks-pod-identity-agent, kube-proxy and vpc-cni."
  }
}

variable "endpoint_public_access_cidrs" {
  description = "IPv4 ranges from which the API server can be reached over the internet. Empty: from inside the VPC only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for range in var.endpoint_public_access_cidrs : can(cidrnetmask(range))])
    error_message = "Each has to be an IPv4 range, such as 203.0.113.7/32."
  }
}

variable "cluster_administrators" {
  description = "ARNs of the IAM roles or users that administer the cluster. Whoever runs Terraform gets no access by doing so."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.cluster_administrators) > 0
    error_message = "Name at least one administrator: nobody could reach the cluster, not even to delete what runs in it."
  }

  validation {
    condition     = alltrue([for arn in var.cluster_administrators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "Each has to be the ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/platform."
  }
}

variable "cluster_log_retention_days" {
  description = "Days for which the control plane's logs are kept in CloudWatch."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.cluster_log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
  }
}

variable "deletion_protection" {
  description = "Whether EKS refuses to delete the cluster until this is set to false and applied."
  type        = bool
  default     = false
  nullable    = false
}

# What the service needs.

variable "repository_name" {
  description = "Name of the ECR repository: image.repository in service.yaml."
  type        = string
  default     = "hello"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_name)) && length(var.repository_name) <= 256
    error_message = "ECR accepts lower-case letters and digits, with single . _ - or / between them."
  }
}

variable "images_kept" {
  description = "How many tagged images the repository keeps; older ones expire. It limits how far back a release can be rolled."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.images_kept >= 10 && var.images_kept <= 1000 && floor(var.images_kept) == var.images_kept
    error_message = "Keep between 10 and 1000 images."
  }
}

variable "secret_name" {
  description = "Name of the secret in Secrets Manager: secret in service.yaml. Terraform makes it empty and never sees its value."
  type        = string
  default     = "hello/config"
  nullable    = false

  validation {
    # AWS appends a hyphen and six characters to the ARN: a name that looks like that could match another secret's.
    condition     = can(regex("^[A-Za-z0-9/_+=.@-]{1,128}$", var.secret_name)) && !can(regex("-[A-Za-z0-9]{6}$", var.secret_name))
    error_message = "Use letters, digits and /_+=.@- and do not end with a hyphen and six characters, as ARNs of secrets do."
  }
}

variable "secret_recovery_days" {
  description = "Days for which a deleted secret can be restored, 7 to 30; 0 deletes it at once, so that its name is free again."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days is 0 or between 7 and 30."
  }
}

variable "destroy_with_content" {
  description = "Whether the repository may be destroyed while it holds images."
  type        = bool
  default     = false
  nullable    = false
}

variable "github" {
  description = "The GitHub repository whose workflows may deploy, with its numeric ids, and the GitHub environments in which they may. Null for no deploy role."
  type = object({
    owner           = string
    repository      = string
    owner_id        = number
    repository_id   = number
    environments    = optional(set(string), ["build", "production"])
    create_provider = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.github == null || (can(regex("^[A-Za-z0-9-]+$", var.github.owner)) && can(regex("^[A-Za-z0-9._-]+$", var.github.repository)))
    error_message = "github.owner and github.repository are names without a slash, a wildcard or a space."
  }

  validation {
    condition     = var.github == null || (try(length(var.github.environments), 0) > 0 && alltrue([for name in try(var.github.environments, []) : can(regex("^[A-Za-z0-9._-]+$", name))]))
    error_message = "Name at least one GitHub environment, without wildcards: approvals are asked for by environment."
  }
}

variable "budget_usd" {
  description = "What the account may cost in a calendar month, in US dollars, before e-mails are sent; 0 for no budget."
  type        = number
  default     = 200
  nullable    = false

  validation {
    condition     = var.budget_usd >= 0 && var.budget_usd <= 1000000
    error_message = "budget_usd is between 0 and 1000000."
  }
}

variable "budget_emails" {
  description = "Who is told when half, 80 % and all of the budget is spent, and when all of it is forecast to be."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.budget_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "Each has to be an e-mail address."
  }

  validation {
    condition     = var.budget_usd == 0 || length(var.budget_emails) > 0
    error_message = "A budget that tells nobody is none: name an address, or set budget_usd to 0."
  }

  validation {
    condition     = length(var.budget_emails) <= 10
    error_message = "AWS tells at most 10 addresses."
  }
}
