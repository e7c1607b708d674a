# Values for MiniStack. endpoint_url is given on the command line: its port is whatever was free.
#
#   cp environments/emulator/backend_override.tf.example backend_override.tf
#   terraform init
#   terraform apply -var-file=environments/emulator/emulator.tfvars -var endpoint_url=http://127.0.0.1:4566
environment            = "emulator"
owner                  = "emulator"
expires                = "2030-01-01T00:00:00Z"
account_id             = "000000000000"
cluster_administrators = ["arn:aws:iam::000000000000:role/platform"]
budget_emails          = ["platform@example.com"]
secret_recovery_days   = 0
destroy_with_content   = true

github = { owner = "example", repository = "hello", owner_id = 1234567, repository_id = 7654321 }

# The emulator has no DescribeAddonVersions, so that nothing can be recommended: any text of the right shape will do.
addons = {
  coredns                = "v1.11.4-eksbuild.2"
  eks-pod-identity-agent = "v1.3.4-eksbuild.1"
  kube-proxy             = "v1.32.0-eksbuild.2"
  vpc-cni                = "v1.19.2-eksbuild.1"
}
