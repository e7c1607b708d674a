# The cluster: its nodes, who reaches it, and who may do what.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan # nothing has to be applied
}

variables {
  name                                   = "rollbook"
  kubernetes_version                     = "1.36"
  region                                 = "us-east-1"
  partition                              = "aws"
  account_id                             = "123456789012"
  vpc_id                                 = "vpc-00000000"
  subnet_ids                             = ["subnet-0000000a", "subnet-0000000b", "subnet-0000000c"]
  endpoint_public_access_cidrs           = []
  cloudwatch_log_group_retention_in_days = 30
  kms_key_arn                            = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  deletion_protection                    = false
  compute_config                         = { enabled = false }
  launch_tags                            = { project = "rollbook", owner = "platform", expires = "2030-01-01T00:00:00Z" }
  eks_managed_node_groups = {
    main = {
      ami_type       = "AL2023_ARM_64_STANDARD"
      capacity_type  = "ON_DEMAND"
      instance_types = ["t4g.medium"]
      min_size       = 2
      max_size       = 4
      desired_size   = 2
      disk_size      = 20
    }
  }
  addons = {
    vpc-cni = { before_compute = true }
    coredns = { addon_version = "v1.11.4-eksbuild.2" }
  }
  access_entries = {
    admin = {
      principal_arn = "arn:aws:iam::123456789012:role/platform"
      policy_associations = {
        admin = {
          policy_arn   = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
          access_scope = { type = "cluster" }
        }
      }
    }
    deploy = {
      principal_arn     = "arn:aws:iam::123456789012:role/rollbook-deploy"
      kubernetes_groups = ["rollbook:deployers"]
    }
  }
  pod_identities = {
    external-secrets = { namespace = "external-secrets", service_account = "external-secrets", policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

run "private_cluster_with_managed_nodes" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "Without ranges, the API server must not be on the internet."
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access has to be decided by access entries alone, and not by who ran Terraform."
  }
  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Extended support costs six times as much an hour."
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "Kubernetes secrets and logs have to be encrypted with our key."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/eks/rollbook/cluster" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "EKS writes to a log group of this name; if it is not there first, it has no end and no key."
  }
  assert {
    condition     = aws_eks_node_group.this["main"].subnet_ids == toset(var.subnet_ids) && aws_eks_node_group.this["main"].version == "1.36"
    error_message = "Nodes have to be in the given subnets, at the version of the cluster."
  }
  assert {
    condition     = aws_launch_template.this["main"].metadata_options[0].http_tokens == "required" && aws_launch_template.this["main"].metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Pods must not get the node's role from the metadata service."
  }
  assert {
    condition     = length(aws_launch_template.this["main"].network_interfaces) == 0
    error_message = "Whether a node gets a public address is its subnet's decision."
  }
  assert {
    condition     = aws_launch_template.this["main"].block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "Disks have to be encrypted."
  }
  assert {
    condition = alltrue([
      for specification in aws_launch_template.this["main"].tag_specifications :
      alltrue([for key in ["project", "owner", "expires"] : contains(keys(specification.tags), key)])
    ]) && toset(aws_launch_template.this["main"].tag_specifications[*].resource_type) == toset(["instance", "volume", "network-interface"])
    error_message = "Instances, disks and network interfaces have to say whose they are and until when."
  }
  assert {
    condition     = toset(keys(aws_iam_role_policy_attachment.node)) == toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])
    error_message = "Nodes join and pull; what the CNI does, it does with an identity of its own."
  }
  assert {
    condition     = length(aws_eks_cluster.this.compute_config) == 0
    error_message = "Auto Mode has to be off."
  }
  assert {
    condition     = aws_eks_addon.this["coredns"].addon_version == "v1.11.4-eksbuild.2" && keys(data.aws_eks_addon_version.this) == ["vpc-cni"]
    error_message = "A pinned version has to be taken; only for the others is AWS asked."
  }
  assert {
    condition     = keys(aws_eks_addon.before_compute) == ["vpc-cni"] && keys(aws_eks_addon.this) == ["coredns"]
    error_message = "The CNI has to be there before nodes, CoreDNS after."
  }
  assert {
    condition     = keys(aws_eks_access_policy_association.this) == ["admin/admin"] && aws_eks_access_entry.this["deploy"].kubernetes_groups == toset(["rollbook:deployers"])
    error_message = "Administrators get a policy; who deploys gets a group, and what RBAC gives it."
  }
  assert {
    condition = alltrue([
      for name, role in aws_iam_role.pod :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals == {
        "aws:RequestTag/eks-cluster-arn"            = aws_eks_cluster.this.arn
        "aws:RequestTag/kubernetes-namespace"       = aws_eks_pod_identity_association.this[name].namespace
        "aws:RequestTag/kubernetes-service-account" = aws_eks_pod_identity_association.this[name].service_account
      }
    ]) && toset(keys(aws_iam_role.pod)) == toset(["aws-node", "external-secrets", "load-balancer-controller"])
    error_message = "No other cluster, namespace or service account may take a pod's role."
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.pod["load-balancer-controller"].policy).Statement : [
        for action in statement.Action : !strcontains(action, "*")
      ]
    ]))
    error_message = "Each action has to be named."
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.pod["load-balancer-controller"].policy).Statement : statement.Sid if statement.Resource == "*"] == ["Look"]
    error_message = "Only looking may be for everything."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.pod["load-balancer-controller"].policy).Statement :
      try(statement.Condition.StringEquals["aws:ResourceTag/elbv2.k8s.aws/cluster"], statement.Condition.StringEquals["aws:RequestTag/elbv2.k8s.aws/cluster"], "") == "rollbook"
      if contains(["MakeBalancers", "TagNewBalancers", "KeepBalancers", "TagNewSecurityGroups", "KeepSecurityGroups"], statement.Sid)
    ])
    error_message = "Load balancers and security groups of another cluster must be out of reach."
  }
}

run "named_ranges_reach_the_api_server" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    endpoint_public_access_cidrs = ["203.0.113.7/32"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.7/32"])
    error_message = "Only the named range may reach the API server."
  }
}

run "auto_mode_replaces_nodes_addons_and_controllers" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    compute_config          = { enabled = true }
    eks_managed_node_groups = {}
    addons                  = {}
  }

  assert {
    condition     = aws_eks_cluster.this.compute_config[0].enabled && toset(aws_eks_cluster.this.compute_config[0].node_pools) == toset(["general-purpose", "system"])
    error_message = "Auto Mode has to run both built-in node pools."
  }
  assert {
    condition     = aws_eks_cluster.this.storage_config[0].block_storage[0].enabled && aws_eks_cluster.this.kubernetes_network_config[0].elastic_load_balancing[0].enabled
    error_message = "EKS refuses Auto Mode unless compute, storage and load balancing are all on."
  }
  assert {
    condition     = length(aws_eks_node_group.this) + length(aws_launch_template.this) + length(aws_eks_addon.this) + length(aws_eks_addon.before_compute) == 0
    error_message = "Auto Mode brings nodes and add-ons of its own."
  }
  assert {
    condition     = keys(aws_eks_pod_identity_association.this) == ["external-secrets"]
    error_message = "The CNI and the load balancer controller run outside of the cluster in Auto Mode."
  }
  assert {
    condition     = length(aws_iam_role_policy_attachment.cluster) == 5 && contains(keys(aws_iam_role_policy_attachment.node), "AmazonEKSWorkerNodeMinimalPolicy")
    error_message = "Auto Mode needs policies for compute, storage, load balancing and networking, and nodes need less."
  }
}
