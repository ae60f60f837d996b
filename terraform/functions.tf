locals {
  # What leaves out a kind of logs where the rule of EventBridge does not keep it away.
  left_out = var.log_announcements == "eventbridge" ? "" : join("", [
    var.forward_flow_logs ? "" : "drop log=vpc,transit-gateway; ",
    var.forward_firewall_logs ? "" : "drop log=firewall-alert,firewall-flow,firewall-tls,firewall-other; ",
  ])

  output_url   = "s3://${join("/", compact([local.output_bucket, var.output_prefix]))}"
  metadata_url = "s3://${join("/", compact([local.metadata_bucket, var.metadata_prefix]))}"

  functions = {
    for name, function in {
      flow-forwarder = {
        created     = local.forwards
        kind        = "forwarder"
        queue       = "logs"
        description = "Reads flow log objects and writes their records to the destinations"
        zip         = var.forwarder_zip
        memory      = var.forwarder_memory
        timeout     = var.forwarder_timeout
        concurrency = var.forwarder_concurrency
        batch       = 10
        event_age   = 21600
        role        = var.forwarder_role_arn
        settings = merge(var.forwarder_settings, {
          CLOUD_EXPORT_DESTINATIONS = join(" ", concat(
            ["${local.output_url}${var.output_options == "" ? "" : "?${var.output_options}"}"], var.more_destinations
          ))
          CLOUD_EXPORT_SELECT            = "${local.left_out}${var.selection}"
          CLOUD_EXPORT_METADATA          = local.reads_index ? local.metadata_url : ""
          CLOUD_EXPORT_QUARANTINE        = var.quarantine_prefix == "" ? "" : "s3://${local.output_bucket}/${var.quarantine_prefix}"
          CLOUD_EXPORT_DELETE_AFTER_READ = var.delete_after_read ? "on" : "off"
          CLOUD_EXPORT_DELETE_PREFIXES   = var.delete_after_read ? "s3://${local.log_bucket}/${local.log_folder}AWSLogs" : ""
          CLOUD_EXPORT_BACKFILL_QUEUE    = try(aws_sqs_queue.queue["logs"].url, "")
          CLOUD_EXPORT_METRICS_NAMESPACE = var.metrics_namespace
          CLOUD_EXPORT_PRICES            = var.prices == "" ? "" : "s3://${var.prices}"
          CLOUD_EXPORT_AWS_RANGES        = var.aws_ranges == "" ? "" : "s3://${var.aws_ranges}"
          CLOUD_EXPORT_GEOIP             = join(" ", [for object in var.geoip : "s3://${object}"])
        })
      }
      metadata-collector = {
        created     = local.collects
        kind        = "collector"
        queue       = "metadata"
        description = "Asks AWS what networks consist of and what CloudWatch measures, in every account and region"
        zip         = var.collector_zip
        memory      = var.collector_memory
        timeout     = var.collector_timeout
        concurrency = var.collector_concurrency
        # A unit may take the whole of the function's time.
        batch     = 1
        event_age = 3600
        role      = var.collector_role_arn
        settings = merge(var.collector_settings, {
          CLOUD_EXPORT_METADATA            = local.metadata_url
          CLOUD_EXPORT_DESTINATIONS        = var.metadata_destination == "" ? local.metadata_url : "s3://${var.metadata_destination}"
          CLOUD_EXPORT_INDEX               = tostring(var.metadata_index)
          CLOUD_EXPORT_FAN_OUT_QUEUE       = try(aws_sqs_queue.queue["metadata"].url, "")
          CLOUD_EXPORT_METRICS_NAMESPACE   = var.metrics_namespace
          CLOUD_EXPORT_REGIONS             = join(",", var.metadata_regions)
          CLOUD_EXPORT_ACCOUNTS            = join(",", var.metadata_accounts)
          CLOUD_EXPORT_BLOCKED_ACCOUNTS    = join(",", var.metadata_blocked_accounts)
          CLOUD_EXPORT_PRIMARY_ROLE        = var.metadata_primary_role_arn
          CLOUD_EXPORT_PRIMARY_EXTERNAL_ID = var.metadata_primary_external_id
          CLOUD_EXPORT_ROLE                = var.metadata_role_name
          CLOUD_EXPORT_EXTERNAL_ID         = var.metadata_external_id
          CLOUD_EXPORT_SESSION_NAME        = var.metadata_session_name
          CLOUD_EXPORT_METRIC_DESTINATIONS = !var.collect_metrics ? "" : (
            length(var.metric_destinations) > 0 ? join(" ", var.metric_destinations) : "${local.metadata_url}/datapoints"
          )
          CLOUD_EXPORT_METRIC_SELECT              = var.metric_selection
          CLOUD_EXPORT_METRIC_INTERVAL            = tostring(60 * var.metric_minutes)
          CLOUD_EXPORT_METRIC_BUDGET              = var.metric_budget == null ? "" : tostring(var.metric_budget)
          CLOUD_EXPORT_METRIC_CATCH_UP_HOURS      = var.metric_catch_up_hours == null ? "" : tostring(var.metric_catch_up_hours)
          CLOUD_EXPORT_METRIC_MONITORING_ACCOUNTS = join(",", var.metric_monitoring_accounts)
          CLOUD_EXPORT_TARGETS                    = length(var.metadata_targets) == 0 ? "" : jsonencode(var.metadata_targets)
        })
      }
    } : name => function if function.created
  }
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:The log lines hold no rows, no addresses and no credentials
  #checkov:skip=CKV_AWS_338:The log lines are for operation; log_retention_days says for how long
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "function" {
  #checkov:skip=CKV_AWS_115:The event source mapping bounds concurrency; reserved concurrency would throttle received batches
  #checkov:skip=CKV_AWS_116:What fails goes to the dead-letter queue of the source, or to the on-failure destination below
  #checkov:skip=CKV_AWS_117:It calls AWS and public destinations only; a VPC would add a NAT gateway and take away nothing
  #checkov:skip=CKV_AWS_173:The settings hold no secrets: credentials are named, and stand in Secrets Manager or SSM
  #checkov:skip=CKV_AWS_272:The zips are built by whoever deploys; sign them where the account demands it
  #checkov:skip=CKV_AWS_50:An invocation is one log line and one metrics record; there is no chain of calls to trace
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  description      = each.value.description
  filename         = each.value.zip
  source_code_hash = filebase64sha256(each.value.zip)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  memory_size      = each.value.memory
  timeout          = each.value.timeout
  role             = each.value.role == "" ? aws_iam_role.function[each.value.kind].arn : each.value.role
  tags             = var.tags

  # The queue's event source mapping is refused until the role may receive.
  depends_on = [aws_iam_role_policy.function]

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.function[each.key].name
  }

  environment {
    variables = { for name, value in each.value.settings : name => value if value != "" }
  }

  lifecycle {
    precondition {
      condition     = var.create_log_bucket || var.log_bucket_name != "" || !local.forwards
      error_message = "With create_log_bucket false, log_bucket_name must be that of the existing log bucket."
    }
    precondition {
      condition     = local.log_bucket != local.output_bucket && local.log_bucket != local.metadata_bucket
      error_message = "The output and the metadata bucket must not be the log bucket: the function would read what it writes."
    }
    # Announced by a notification, logs of the other kind are read and left out; with deletion on they would go.
    precondition {
      condition     = !var.delete_after_read || var.log_announcements == "eventbridge" || var.forward_flow_logs == var.forward_firewall_logs
      error_message = "delete_after_read with only one kind of logs takes log_announcements eventbridge."
    }
    precondition {
      condition     = length(var.metadata_accounts) == 0 || var.metadata_role_name != ""
      error_message = "metadata_accounts names accounts that are entered by a role, so metadata_role_name must be given."
    }
  }
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each = local.functions

  function_name    = aws_lambda_function.function[each.key].arn
  event_source_arn = aws_sqs_queue.queue[each.value.queue].arn
  batch_size       = each.value.batch
  # Without it SQS deletes every message of a batch whatever the function answered.
  function_response_types = ["ReportBatchItemFailures"]

  # Not reserved concurrency: that throttles batches already received, which counts against maxReceiveCount.
  scaling_config {
    maximum_concurrency = each.value.concurrency
  }
}

# For the schedule, and for events sent with --invocation-type Event.
resource "aws_lambda_function_event_invoke_config" "function" {
  for_each = local.functions

  function_name                = aws_lambda_function.function[each.key].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = each.value.event_age

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}
