data "aws_iam_policy_document" "scheduler" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  count = local.collects ? 1 : 0

  name                 = "${local.role_prefix}-scheduler"
  description          = "Lets EventBridge Scheduler start the metadata collector"
  assume_role_policy   = data.aws_iam_policy_document.scheduler.json
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "start_collector" {
  count = local.collects ? 1 : 0

  statement {
    sid       = "StartCollector"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.function["metadata-collector"].arn]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  count = local.collects ? 1 : 0

  name   = "start-collector"
  role   = aws_iam_role.scheduler[0].id
  policy = data.aws_iam_policy_document.start_collector[0].json
}

locals {
  schedules = {
    for name, schedule in {
      metadata = { on = var.collect_metadata, expression = var.metadata_schedule, input = "{}", attempts = 3, age = 900 }
      metrics = {
        on         = var.collect_metrics
        expression = lookup({ "1" = "rate(1 minute)", "60" = "rate(1 hour)" }, tostring(var.metric_minutes), "rate(${var.metric_minutes} minutes)")
        input      = jsonencode({ metrics = "all" })
        attempts   = 1
        age        = 300
      }
    } : name => schedule if schedule.on
  }
}

resource "aws_scheduler_schedule" "collector" {
  #checkov:skip=CKV_AWS_297:The schedules carry no payload worth a key
  for_each = local.schedules

  name                = "${var.name}-${each.key}"
  description         = "Collects ${each.key}"
  schedule_expression = each.value.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.function["metadata-collector"].arn
    role_arn = aws_iam_role.scheduler[0].arn
    input    = each.value.input

    # A run that could not be started is not worth much once the next one is due.
    retry_policy {
      maximum_retry_attempts       = each.value.attempts
      maximum_event_age_in_seconds = each.value.age
    }
  }
}
