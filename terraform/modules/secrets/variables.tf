variable "name" {
  description = "Name of the secret."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts its values."
  type        = string
}

variable "recovery_window_in_days" {
  description = "Days for which it can be restored after it was deleted; 0 for none."
  type        = number
}
