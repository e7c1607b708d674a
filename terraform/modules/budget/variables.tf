variable "name" {
  description = "Prefix of the budget's name."
  type        = string
}

variable "usd" {
  description = "US dollars a calendar month."
  type        = number
}

variable "emails" {
  description = "Addresses that are told."
  type        = set(string)
}
