locals {
  # Below six times the function's timeout, a message comes back while it is still worked on.
  queues = {
    for name, queue in {
      logs     = { created = local.forwards, visibility = 6 * var.forwarder_timeout, retention = 345600 }
      metadata = { created = local.collects, visibility = 6 * var.collector_timeout, retention = 86400 }
    } : name => queue if queue.created
  }
}

resource "aws_sqs_queue" "queue" {
  for_each = local.queues

  name                       = "${var.name}-${each.key}"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = each.value.visibility
  message_retention_seconds  = each.value.retention
  tags                       = var.tags

  # Below 5, a burst of throttled invocations is enough to move good messages to the dead-letter queue.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.queues

  name                      = "${var.name}-${each.key}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
  tags                      = var.tags
}

# What Lambda sends here is a report around the event, not the event, so that it is no dead-letter queue.
resource "aws_sqs_queue" "failed_invocations" {
  name                      = "${var.name}-failed-invocations"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
  tags                      = var.tags
}

# --- How new log objects are announced ---------------------------------------------------------------------------------

data "aws_iam_policy_document" "announcements" {
  count = local.forwards ? 1 : 0

  statement {
    sid       = "Announcements"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.queue["logs"].arn]

    principals {
      type = "Service"
      identifiers = [
        { notification = "s3.amazonaws.com", eventbridge = "events.amazonaws.com", topic = "sns.amazonaws.com" }[var.log_announcements]
      ]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values = [
        {
          notification = "arn:${local.partition}:s3:::${local.log_bucket}"
          eventbridge  = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-log-objects"
          topic        = var.log_topic_arn
        }[var.log_announcements]
      ]
    }

    # The ARN of a bucket names no account, and a bucket name can pass to somebody else: hence both.
    dynamic "condition" {
      for_each = var.log_announcements == "notification" ? [coalesce(var.log_bucket_account, local.account)] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "announcements" {
  count = local.forwards ? 1 : 0

  queue_url = aws_sqs_queue.queue["logs"].id
  policy    = data.aws_iam_policy_document.announcements[0].json
}

# Of a bucket that is created only: this resource replaces whatever notifications a bucket has.
resource "aws_s3_bucket_notification" "logs" {
  count = contains(keys(local.buckets), "logs") ? 1 : 0

  bucket      = aws_s3_bucket.bucket["logs"].id
  eventbridge = var.log_announcements == "eventbridge"
  depends_on  = [aws_sqs_queue_policy.announcements]

  dynamic "queue" {
    for_each = var.log_announcements == "notification" ? [aws_sqs_queue.queue["logs"].arn] : []

    content {
      queue_arn = queue.value
      events    = ["s3:ObjectCreated:*"]
    }
  }
}

resource "aws_cloudwatch_event_rule" "log_objects" {
  count = local.forwards && var.log_announcements == "eventbridge" ? 1 : 0

  name        = "${var.name}-log-objects"
  description = "New log objects, to the queue of the flow forwarder"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    account     = [coalesce(var.log_bucket_account, local.account)]
    detail = {
      bucket = { name = [local.log_bucket] }
      object = {
        key = concat(
          var.forward_flow_logs ? [{ wildcard = "${local.log_folder}AWSLogs/*vpcflowlogs/*" }] : [],
          var.forward_firewall_logs ? [{ wildcard = "${local.log_folder}AWSLogs/*/network-firewall/*" }] : [],
        )
      }
    }
  })
}

resource "aws_cloudwatch_event_target" "log_objects" {
  count = length(aws_cloudwatch_event_rule.log_objects)

  rule = aws_cloudwatch_event_rule.log_objects[0].name
  arn  = aws_sqs_queue.queue["logs"].arn
}

# The events of a bucket in another account arrive at this account's event bus.
resource "aws_cloudwatch_event_permission" "log_bucket_account" {
  count = length(aws_cloudwatch_event_rule.log_objects) > 0 && var.log_bucket_account != "" ? 1 : 0

  statement_id = "${var.name}-log-objects"
  principal    = var.log_bucket_account
  action       = "events:PutEvents"
}

resource "aws_sns_topic_subscription" "log_objects" {
  count = local.forwards && var.log_announcements == "topic" ? 1 : 0

  topic_arn            = var.log_topic_arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.queue["logs"].arn
  raw_message_delivery = true
  depends_on           = [aws_sqs_queue_policy.announcements]
}
