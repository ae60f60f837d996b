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
  count = var.collect_metadata ? 1 : 0

  name                 = "${local.role_prefix}-scheduler"
  description          = "Lets EventBridge Scheduler start the metadata collector"
  assume_role_policy   = data.aws_iam_policy_document.scheduler.json
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "start_collector" {
  count = var.collect_metadata ? 1 : 0

  statement {
    sid       = "StartCollector"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.function["metadata-collector"].arn]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  count = var.collect_metadata ? 1 : 0

  name   = "start-collector"
  role   = aws_iam_role.scheduler[0].id
  policy = data.aws_iam_policy_document.start_collector[0].json
}

resource "aws_scheduler_schedule" "metadata" {
  #checkov:skip=CKV_AWS_297:The schedule carries no payload
  count = var.collect_metadata ? 1 : 0

  name                = "${var.name}-metadata"
  description         = "Collects metadata"
  schedule_expression = var.metadata_schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.function["metadata-collector"].arn
    role_arn = aws_iam_role.scheduler[0].arn

    # A run that could not be started is not worth much once the next one is due.
    retry_policy {
      maximum_retry_attempts       = 3
      maximum_event_age_in_seconds = 900
    }
  }
}
