# A monthly budget of the whole account: costs of one tag can only be told apart after that tag was activated for
# billing, which takes a day, and a budget that counts nothing until then would be silent when it matters.

locals {
  alarms = {
    half     = { threshold = 50, type = "ACTUAL" }
    most     = { threshold = 80, type = "ACTUAL" }
    all      = { threshold = 100, type = "ACTUAL" }
    forecast = { threshold = 100, type = "FORECASTED" }
  }
}

resource "aws_budgets_budget" "this" {
  name         = "${var.name}-monthly"
  budget_type  = "COST"
  limit_amount = format("%.1f", var.usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = local.alarms
    content {
      comparison_operator        = "GREATER_THAN"
      notification_type          = notification.value.type
      threshold                  = notification.value.threshold
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.emails
    }
  }
}
