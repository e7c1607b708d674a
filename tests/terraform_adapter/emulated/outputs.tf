# The names of terraform/outputs.tf; what is not made here is a text.

output "region" {
  description = "As in terraform/outputs.tf."
  value       = "us-east-1"
}

output "account_id" {
  description = "As in terraform/outputs.tf."
  value       = "000000000000"
}

output "tags" {
  description = "As in terraform/outputs.tf."
  value       = { owner = "adapter" }
}

output "vpc_id" {
  description = "As in terraform/outputs.tf."
  value       = "vpc-1"
}

output "node_subnet_ids" {
  description = "As in terraform/outputs.tf."
  value       = { us-east-1a = "subnet-1" }
}

output "nat_public_ips" {
  description = "As in terraform/outputs.tf."
  value       = ["192.0.2.1"]
}

output "cluster_name" {
  description = "As in terraform/outputs.tf."
  value       = "adapter"
}

output "cluster_arn" {
  description = "As in terraform/outputs.tf."
  value       = "arn:aws:eks:us-east-1:000000000000:cluster/adapter"
}

output "cluster_endpoint" {
  description = "As in terraform/outputs.tf."
  value       = "https://127.0.0.1:9"
}

output "cluster_certificate_authority_data" {
  description = "As in terraform/outputs.tf."
  value       = ""
}

output "cluster_version" {
  description = "As in terraform/outputs.tf."
  value       = "1.36"
}

output "load_balancer_class" {
  description = "As in terraform/outputs.tf."
  value       = "service.k8s.aws/nlb"
}

output "repository_url" {
  description = "As in terraform/outputs.tf."
  value       = aws_ecr_repository.this.repository_url
}

output "secret_arn" {
  description = "As in terraform/outputs.tf."
  value       = aws_secretsmanager_secret.this.arn
}

output "kms_key_arn" {
  description = "As in terraform/outputs.tf."
  value       = aws_kms_key.this.arn
}

output "deploy_role_arn" {
  description = "As in terraform/outputs.tf."
  value       = null
}
