variable "endpoint_url" {
  description = "URL of an emulator. Nothing is sent there."
  type        = string
  default     = null
}

variable "size" {
  description = "What the first one holds."
  type        = number

  validation {
    condition     = var.size > 0
    error_message = "There is nothing smaller than 1."
  }
}

variable "password" {
  description = "A sensitive value, on its way through everything that shows something."
  type        = string
  default     = "correct-horse-battery"
  sensitive   = true
}

variable "seconds" {
  description = "How long the last one takes."
  type        = number
  default     = 0
}

resource "terraform_data" "first" {
  input            = { size = var.size }
  triggers_replace = var.password
}

resource "terraform_data" "last" {
  input            = terraform_data.first.id
  triggers_replace = var.seconds

  provisioner "local-exec" {
    command = "exec sleep ${var.seconds}"
  }
}

output "password" {
  description = "Sensitive as well."
  value       = var.password
  sensitive   = true
}
