# What controllers in the cluster may do at AWS: a role for each service account, by EKS Pod Identity.

locals {
  # Auto Mode runs these two itself, outside of the cluster.
  own_identities = local.auto ? {} : {
    aws-node = {
      namespace       = "kube-system"
      service_account = "aws-node"
      policy          = null
      policy_arn      = "arn:${var.partition}:iam::aws:policy/AmazonEKS_CNI_Policy"
    }
    load-balancer-controller = {
      namespace       = "kube-system"
      service_account = "aws-load-balancer-controller"
      policy          = local.load_balancer_controller_policy
      policy_arn      = null
    }
  }
  identities = merge(
    local.own_identities,
    { for name, identity in var.pod_identities : name => merge(identity, { policy_arn = null }) },
  )
}

resource "aws_iam_role" "pod" {
  for_each = local.identities

  name        = "${var.name}-${each.key}"
  description = "Pods of ${each.value.namespace}/${each.value.service_account} in ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "pods.eks.amazonaws.com" }
      # Session tags that Pod Identity sets: without them, any association in the account could take the role.
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-arn"            = aws_eks_cluster.this.arn
          "aws:RequestTag/kubernetes-namespace"       = each.value.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "pod" {
  for_each = { for name, identity in local.identities : name => identity if identity.policy_arn == null }

  name   = each.key
  role   = aws_iam_role.pod[each.key].id
  policy = each.value.policy
}

resource "aws_iam_role_policy_attachment" "pod" {
  for_each = { for name, identity in local.identities : name => identity if identity.policy_arn != null }

  role       = aws_iam_role.pod[each.key].name
  policy_arn = each.value.policy_arn
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.identities

  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.pod[each.key].arn

  depends_on = [aws_iam_role_policy.pod, aws_iam_role_policy_attachment.pod]
}
