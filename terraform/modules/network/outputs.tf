output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

locals {
  node_subnets = var.node_subnets == "public" ? aws_subnet.public : aws_subnet.private
}

output "node_subnet_ids" {
  description = "Subnets of the nodes, known only when their routes and endpoints are there."
  value       = [for zone in var.azs : local.node_subnets[zone].id]

  # Nodes that come up before their way out exists cannot join; on destroy it must not go before they do.
  depends_on = [
    aws_route.public_internet,
    aws_route.private_nat,
    aws_route_table_association.public,
    aws_route_table_association.private,
    aws_vpc_endpoint.s3,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_ingress_rule.endpoints,
  ]
}

output "node_subnets" {
  description = "Subnets of the nodes by zone."
  value       = { for zone in var.azs : zone => local.node_subnets[zone].id }
}

output "nat_public_ips" {
  description = "Addresses of the NAT gateways."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}
