# What provision and CI read, by `terraform output -json`.

output "region" {
  description = "AWS region."
  value       = var.region
}

output "account_id" {
  description = "AWS account, 12 digits."
  value       = local.account_id
}

output "tags" {
  description = "Tags that everything carries; a sweep after destroy looks for what still has them."
  value       = local.tags
}

output "vpc_id" {
  description = "VPC; the load balancer controller has to be told."
  value       = module.network.vpc_id
}

output "node_subnet_ids" {
  description = "Subnets of the nodes, by zone."
  value       = module.network.node_subnets
}

output "nat_public_ips" {
  description = "Addresses from which private nodes appear on the internet; empty without NAT gateways."
  value       = module.network.nat_public_ips
}

output "cluster_name" {
  description = "Name of the EKS cluster."
  value       = module.cluster.name
}

output "cluster_arn" {
  description = "ARN of the EKS cluster."
  value       = module.cluster.arn
}

output "cluster_endpoint" {
  description = "URL of the API server."
  value       = module.cluster.endpoint
}

output "cluster_certificate_authority_data" {
  description = "CA certificate of the API server, PEM in base64."
  value       = module.cluster.certificate_authority_data
}

output "cluster_version" {
  description = "Kubernetes version, minor version only."
  value       = module.cluster.version
}

output "load_balancer_class" {
  description = "loadBalancerClass of a Service that is to get a network load balancer: EKS Auto Mode's own, or the controller's."
  value       = var.compute == "auto" ? "eks.amazonaws.com/nlb" : "service.k8s.aws/nlb"
}

output "repository_url" {
  description = "ECR repository, to which images are pushed."
  value       = module.registry.url
}

output "secret_arn" {
  description = "ARN of the service's secret."
  value       = module.secrets.arn
}

output "kms_key_arn" {
  description = "ARN of the key that encrypts all of it."
  value       = aws_kms_key.this.arn
}

output "deploy_role_arn" {
  description = "ARN of the role that GitHub Actions assumes; null without github."
  value       = one(module.github[*].role_arn)
}

output "deployers_group" {
  description = "Kubernetes group of the deploy role; what it may do is in k8s/overlays/eks/access. Also without github: an access entry of your own may name it."
  value       = local.deployers_group
}
