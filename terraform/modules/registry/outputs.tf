output "arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this.arn
}

output "url" {
  description = "Host and name, as an image reference begins."
  value       = aws_ecr_repository.this.repository_url
}
