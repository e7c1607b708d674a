variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "images_kept" {
  description = "Number of images beyond which older ones expire."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts the images."
  type        = string
}

variable "force_delete" {
  description = "Whether it may be destroyed while it holds images."
  type        = bool
}
