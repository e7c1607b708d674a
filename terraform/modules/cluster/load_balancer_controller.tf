# What the AWS Load Balancer Controller may do. It serves one kind of thing here, network load balancers in front of
# Traefik, so it gets less than its project's general policy: nothing of application load balancers, WAF, Shield,
# Cognito or certificates, only this VPC, and of load balancers only those that carry this cluster's name.

locals {
  elb_arn     = "arn:${var.partition}:elasticloadbalancing:${var.region}:${var.account_id}"
  ec2_arn     = "arn:${var.partition}:ec2:${var.region}:${var.account_id}"
  cluster_tag = "elbv2.k8s.aws/cluster"

  made_for_this_cluster = { StringEquals = { "aws:RequestTag/${local.cluster_tag}" = var.name } }
  of_this_cluster       = { StringEquals = { "aws:ResourceTag/${local.cluster_tag}" = var.name } }

  balancers = ["${local.elb_arn}:loadbalancer/net/*", "${local.elb_arn}:targetgroup/*"]
  listeners = ["${local.elb_arn}:listener/net/*"]

  load_balancer_controller_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LinkedRole"
        Effect    = "Allow"
        Action    = ["iam:CreateServiceLinkedRole"]
        Resource  = "arn:${var.partition}:iam::${var.account_id}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"
        Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
      },
      {
        Sid    = "Look"
        Effect = "Allow"
        Action = [
          "ec2:DescribeAccountAttributes",
          "ec2:DescribeAddresses",
          "ec2:DescribeAvailabilityZones",
          "ec2:DescribeInstances",
          "ec2:DescribeInternetGateways",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeRouteTables",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeTags",
          "ec2:DescribeVpcPeeringConnections",
          "ec2:DescribeVpcs",
          "ec2:GetSecurityGroupsForVpc",
          "elasticloadbalancing:DescribeCapacityReservation",
          "elasticloadbalancing:DescribeListenerAttributes",
          "elasticloadbalancing:DescribeListenerCertificates",
          "elasticloadbalancing:DescribeListeners",
          "elasticloadbalancing:DescribeLoadBalancerAttributes",
          "elasticloadbalancing:DescribeLoadBalancers",
          "elasticloadbalancing:DescribeRules",
          "elasticloadbalancing:DescribeTags",
          "elasticloadbalancing:DescribeTargetGroupAttributes",
          "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
        ]
        Resource = "*" # AWS offers nothing narrower for most of these
      },
      {
        # The nodes' security group is among those that it opens for a load balancer.
        Sid       = "OpenPorts"
        Effect    = "Allow"
        Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
        Resource  = "${local.ec2_arn}:security-group/*"
        Condition = { ArnEquals = { "ec2:Vpc" = "${local.ec2_arn}:vpc/${var.vpc_id}" } }
      },
      {
        Sid      = "MakeSecurityGroups"
        Effect   = "Allow"
        Action   = ["ec2:CreateSecurityGroup"]
        Resource = ["${local.ec2_arn}:security-group/*", "${local.ec2_arn}:vpc/${var.vpc_id}"]
      },
      {
        Sid      = "TagNewSecurityGroups"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = "${local.ec2_arn}:security-group/*"
        Condition = {
          StringEquals = merge(local.made_for_this_cluster.StringEquals, { "ec2:CreateAction" = "CreateSecurityGroup" })
        }
      },
      {
        Sid       = "KeepSecurityGroups"
        Effect    = "Allow"
        Action    = ["ec2:CreateTags", "ec2:DeleteTags", "ec2:DeleteSecurityGroup"]
        Resource  = "${local.ec2_arn}:security-group/*"
        Condition = local.of_this_cluster
      },
      {
        Sid       = "MakeBalancers"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
        Resource  = local.balancers
        Condition = local.made_for_this_cluster
      },
      {
        Sid      = "TagNewBalancers"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:AddTags"]
        Resource = local.balancers
        Condition = {
          StringEquals = merge(
            local.made_for_this_cluster.StringEquals,
            { "elasticloadbalancing:CreateAction" = ["CreateLoadBalancer", "CreateTargetGroup"] },
          )
        }
      },
      {
        Sid    = "KeepBalancers"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:AddTags",
          "elasticloadbalancing:CreateListener",
          "elasticloadbalancing:DeleteLoadBalancer",
          "elasticloadbalancing:DeleteTargetGroup",
          "elasticloadbalancing:DeregisterTargets",
          "elasticloadbalancing:ModifyLoadBalancerAttributes",
          "elasticloadbalancing:ModifyTargetGroup",
          "elasticloadbalancing:ModifyTargetGroupAttributes",
          "elasticloadbalancing:RegisterTargets",
          "elasticloadbalancing:RemoveTags",
          "elasticloadbalancing:SetIpAddressType",
          "elasticloadbalancing:SetSecurityGroups",
          "elasticloadbalancing:SetSubnets",
        ]
        Resource  = local.balancers
        Condition = local.of_this_cluster
      },
      {
        # Listeners get their tags only as they are made, so that these cannot ask for them.
        Sid    = "KeepListeners"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:AddTags",
          "elasticloadbalancing:DeleteListener",
          "elasticloadbalancing:ModifyListener",
          "elasticloadbalancing:ModifyListenerAttributes",
          "elasticloadbalancing:RemoveTags",
        ]
        Resource = local.listeners
      },
    ]
  })
}
