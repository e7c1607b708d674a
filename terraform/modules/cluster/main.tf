# An EKS cluster whose access is decided by access entries alone, and whose nodes are either a managed node group or
# EKS Auto Mode's. Inputs are named as in version 21 of the community module terraform-aws-modules/eks/aws.

locals {
  auto = var.compute_config.enabled
}

# Made before the cluster: EKS would make it without an end and without a key.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Clusters here have a date on which they expire, mostly within a year. The days are a parameter.
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_39:The API server is on the internet only for ranges that somebody named; by default it is not.
  #checkov:skip=CKV_AWS_339:The list of versions that checkov carries ends before the current ones. variables.tf refuses what is out of standard support.
  #checkov:skip=CKV_AWS_37:Controller manager and scheduler say little about who did what, and are paid for by the gigabyte.
  name                = var.name
  version             = var.kubernetes_version
  role_arn            = aws_iam_role.cluster.arn
  deletion_protection = var.deletion_protection

  enabled_cluster_log_types = var.enabled_log_types

  # Add-ons are resources below: pinned, updated, and removed like everything else.
  bootstrap_self_managed_addons = false

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.endpoint_public_access_cidrs) > 0
    public_access_cidrs     = length(var.endpoint_public_access_cidrs) > 0 ? var.endpoint_public_access_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = var.kms_key_arn
    }
  }

  # EKS's own default is extended support, which costs six times as much an hour once a version has left the standard one.
  upgrade_policy {
    support_type = "STANDARD"
  }

  # Auto Mode is these three, all of them or none.
  dynamic "compute_config" {
    for_each = local.auto ? [var.compute_config] : []
    content {
      enabled       = true
      node_pools    = compute_config.value.node_pools
      node_role_arn = aws_iam_role.node.arn
    }
  }

  dynamic "storage_config" {
    for_each = local.auto ? [true] : []
    content {
      block_storage {
        enabled = true
      }
    }
  }

  dynamic "kubernetes_network_config" {
    for_each = local.auto ? [true] : []
    content {
      elastic_load_balancing {
        enabled = true
      }
    }
  }

  # On destroy the roles must outlive the cluster: it takes its network interfaces away with them.
  depends_on = [
    aws_cloudwatch_log_group.this,
    aws_iam_role_policy_attachment.cluster,
    aws_iam_role_policy_attachment.node,
    aws_iam_role_policy.cluster_encryption,
  ]
}
