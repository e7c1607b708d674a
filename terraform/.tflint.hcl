# Rules of Terraform itself, all of them. The AWS rules are a plugin that is downloaded from GitHub at run time, so they
# are not used: checkov and the provider's own validation look at what they would.
config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}
