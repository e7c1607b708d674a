data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  emulated = var.endpoint_url != null

  # What this group may do in the cluster is in k8s/overlays/eks/access.
  deployers_group = "${var.name}:deployers"

  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  tags = {
    project     = var.name
    environment = var.environment
    owner       = var.owner
    expires     = var.expires
    managed-by  = "terraform"
  }

  node_group = {
    ami_type       = { arm64 = "AL2023_ARM_64_STANDARD", x86_64 = "AL2023_x86_64_STANDARD" }[var.nodes.architecture]
    capacity_type  = var.nodes.capacity_type
    instance_types = var.nodes.instance_types
    min_size       = var.nodes.min_size
    max_size       = var.nodes.max_size
    desired_size   = var.nodes.desired_size
    disk_size      = var.nodes.disk_gib
  }

  addons = {
    coredns                = { addon_version = lookup(var.addons, "coredns", null) }
    kube-proxy             = { addon_version = lookup(var.addons, "kube-proxy", null), before_compute = true }
    eks-pod-identity-agent = { addon_version = lookup(var.addons, "eks-pod-identity-agent", null), before_compute = true }
    vpc-cni = {
      addon_version  = lookup(var.addons, "vpc-cni", null)
      before_compute = true
      # A t4g.medium has addresses for 17 pods, half of what the add-ons need; by prefixes it has them for 110.
      configuration_values = jsonencode({ env = { ENABLE_PREFIX_DELEGATION = "true", WARM_PREFIX_TARGET = "1" } })
    }
  }
}

module "network" {
  source = "./modules/network"

  name                    = var.name
  cidr                    = var.vpc_cidr
  azs                     = var.azs
  region                  = var.region
  nat_gateways            = var.nat_gateways
  node_subnets            = var.node_subnets
  flow_log_retention_days = var.flow_log_retention_days
  account_id              = local.account_id
  kms_key_arn             = aws_kms_key.this.arn
}

module "registry" {
  source = "./modules/registry"

  name         = var.repository_name
  images_kept  = var.images_kept
  kms_key_arn  = aws_kms_key.this.arn
  force_delete = var.destroy_with_content
}

module "secrets" {
  source = "./modules/secrets"

  name                    = var.secret_name
  kms_key_arn             = aws_kms_key.this.arn
  recovery_window_in_days = var.secret_recovery_days
}

module "cluster" {
  source = "./modules/cluster"

  name               = var.name
  kubernetes_version = var.kubernetes_version
  region             = var.region
  partition          = local.partition
  account_id         = local.account_id

  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.node_subnet_ids

  endpoint_public_access_cidrs           = var.endpoint_public_access_cidrs
  cloudwatch_log_group_retention_in_days = var.cluster_log_retention_days
  kms_key_arn                            = aws_kms_key.this.arn
  deletion_protection                    = var.deletion_protection

  compute_config          = { enabled = var.compute == "auto" }
  eks_managed_node_groups = var.compute == "auto" ? {} : { main = local.node_group }
  launch_tags             = local.tags
  addons                  = var.compute == "auto" ? {} : local.addons

  access_entries = merge(
    {
      for arn in var.cluster_administrators : arn => {
        principal_arn = arn
        policy_associations = {
          admin = {
            policy_arn   = "arn:${local.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
            access_scope = { type = "cluster" }
          }
        }
      }
    },
    # A group and no policy: EKS's access policies know nothing of Rollouts. What the group may do is in k8s/.
    var.github == null ? {} : {
      deploy = { principal_arn = module.github[0].role_arn, kubernetes_groups = [local.deployers_group] }
    },
  )

  pod_identities = {
    external-secrets = {
      namespace       = "external-secrets"
      service_account = "external-secrets"
      policy          = module.secrets.reader_policy
    }
  }
}

module "github" {
  source = "./modules/github"
  count  = var.github == null ? 0 : 1

  name            = var.name
  partition       = local.partition
  account_id      = local.account_id
  github          = var.github
  repository_arn  = module.registry.arn
  cluster_arn     = "arn:${local.partition}:eks:${var.region}:${local.account_id}:cluster/${var.name}"
  secret_arn      = module.secrets.arn
  create_provider = var.github.create_provider
}

module "budget" {
  source = "./modules/budget"
  count  = var.budget_usd > 0 ? 1 : 0

  name   = var.name
  usd    = var.budget_usd
  emails = var.budget_emails
}
