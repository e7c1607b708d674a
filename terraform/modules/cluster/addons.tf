# EKS add-ons: those that nodes need in order to become ready, and those that need nodes.

data "aws_eks_addon_version" "this" {
  for_each = { for name, addon in var.addons : name => addon if addon.addon_version == null }

  addon_name         = each.key
  kubernetes_version = var.kubernetes_version
}

locals {
  addon_versions = {
    for name, addon in var.addons :
    name => addon.addon_version == null ? data.aws_eks_addon_version.this[name].version : addon.addon_version
  }
}

resource "aws_eks_addon" "before_compute" {
  for_each = { for name, addon in var.addons : name => addon if addon.before_compute }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = local.addon_versions[each.key]
  configuration_values        = each.value.configuration_values
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "this" {
  for_each = { for name, addon in var.addons : name => addon if !addon.before_compute }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = local.addon_versions[each.key]
  configuration_values        = each.value.configuration_values
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this]
}
