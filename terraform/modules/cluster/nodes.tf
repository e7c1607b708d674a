# Managed node groups; none in Auto Mode, which makes its nodes when pods need them.

resource "aws_launch_template" "this" {
  for_each = var.eks_managed_node_groups

  name                   = "${var.name}-${each.key}"
  description            = "Nodes of ${var.name}"
  update_default_version = true

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_size
      encrypted             = true
      delete_on_termination = true
    }
  }

  # One hop: pods, which are two away, cannot take the node's role from the metadata service.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # Default tags of the provider end at the launch template: what is launched from it has to be told.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "network-interface", "volume"])
    content {
      resource_type = tag_specifications.value
      tags          = merge(var.launch_tags, { Name = "${var.name}-${each.key}" })
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = var.eks_managed_node_groups

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = var.subnet_ids
  version         = var.kubernetes_version
  ami_type        = each.value.ami_type
  capacity_type   = each.value.capacity_type
  instance_types  = each.value.instance_types

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = aws_launch_template.this[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.desired_size
  }

  update_config {
    max_unavailable_percentage = 33
  }

  node_repair_config {
    enabled = true
  }

  # Without the CNI and its identity, nodes stay NotReady and the group fails after twenty minutes.
  depends_on = [
    aws_eks_addon.before_compute,
    aws_eks_pod_identity_association.this,
    aws_iam_role_policy_attachment.node,
  ]
}
