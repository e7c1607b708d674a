# Which ways out of the VPC there are, for each choice.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                    = "rollbook"
  cidr                    = "10.0.0.0/16"
  azs                     = ["us-east-1a", "us-east-1b", "us-east-1c"]
  region                  = "us-east-1"
  account_id              = "123456789012"
  nat_gateways            = "single"
  node_subnets            = "private"
  flow_log_retention_days = 14
  kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "private_nodes_behind_one_nat_gateway" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["us-east-1a"]
    error_message = "single has to make one NAT gateway, in the first zone."
  }
  assert {
    condition     = alltrue([for route in aws_route.private_nat : route.nat_gateway_id == aws_nat_gateway.this["us-east-1a"].id]) && length(aws_route.private_nat) == 3
    error_message = "Each private subnet has to reach the internet through the only NAT gateway."
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "Interface endpoints would be paid for beside the NAT gateway."
  }
  assert {
    condition     = output.node_subnet_ids == [for zone in var.azs : aws_subnet.private[zone].id]
    error_message = "Nodes have to be in the private subnets, one in each zone."
  }
  assert {
    condition     = !anytrue([for subnet in concat(values(aws_subnet.private), values(aws_subnet.public)) : coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "Nothing may get a public address by being launched."
  }
  assert {
    condition = (
      [for zone in var.azs : aws_subnet.private[zone].cidr_block] == ["10.0.0.0/19", "10.0.32.0/19", "10.0.64.0/19"] &&
      [for zone in var.azs : aws_subnet.public[zone].cidr_block] == ["10.0.96.0/19", "10.0.128.0/19", "10.0.160.0/19"]
    )
    error_message = "Subnets have to be cut from the VPC without overlap."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1"]) && alltrue([for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1"])
    error_message = "Load balancer controllers find their subnets by these tags."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.s3.route_table_ids) == 4
    error_message = "Every route table has to lead to S3 through the endpoint that is free."
  }
}

run "a_nat_gateway_for_each_zone" {
  module {
    source = "./modules/network"
  }

  variables {
    nat_gateways = "per_zone"
  }

  assert {
    condition     = toset(keys(aws_nat_gateway.this)) == toset(var.azs)
    error_message = "per_zone has to make a NAT gateway in each zone."
  }
  assert {
    condition     = alltrue([for zone, route in aws_route.private_nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "Each zone has to use its own NAT gateway: one zone's failure must not be another's."
  }
}

run "private_nodes_without_nat_get_endpoints" {
  module {
    source = "./modules/network"
  }

  variables {
    nat_gateways = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.private_nat) == 0 && length(aws_eip.nat) == 0
    error_message = "none has to make no NAT gateway, no route to one, and no address."
  }
  assert {
    condition     = length(setsubtract(["ecr.api", "ecr.dkr", "eks", "eks-auth", "sts", "ec2"], keys(aws_vpc_endpoint.interface))) == 0
    error_message = "Nodes cannot join and pods cannot get credentials without these endpoints."
  }
  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "Without private DNS, SDKs would look for the service on the internet."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == var.cidr
    error_message = "Endpoints have to be open to the VPC and to nobody else."
  }
}

run "public_nodes_need_neither_nat_nor_endpoints" {
  module {
    source = "./modules/network"
  }

  variables {
    nat_gateways            = "none"
    node_subnets            = "public"
    flow_log_retention_days = 0
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_vpc_endpoint.interface) == 0
    error_message = "Public nodes have a way out of their own."
  }
  assert {
    condition     = output.node_subnet_ids == [for zone in var.azs : aws_subnet.public[zone].id]
    error_message = "Nodes have to be in the public subnets."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch])
    error_message = "A node without a public address could not reach anything."
  }
  assert {
    condition     = length(aws_flow_log.this) + length(aws_cloudwatch_log_group.flow) + length(aws_iam_role.flow) == 0
    error_message = "0 days has to make no flow log, no log group and no role."
  }
}
