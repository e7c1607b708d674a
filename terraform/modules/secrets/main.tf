# The service's secret without its value: a value that Terraform knew would be in its state, and in every plan file.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:Rotation needs a function that knows the service. The value is replaced in Secrets Manager, and the operator brings it to the pods within the hour.
  name                    = var.name
  description             = "Configuration of the service; its value is written by rollbook or by people, never by Terraform"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_in_days
}
