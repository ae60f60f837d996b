locals {
  forwarder = "${var.name}-flow-forwarder"
  collector = "${var.name}-metadata-collector"

  own = { namespace = var.metrics_namespace, dimension = "FunctionName" }
  sqs = { namespace = "AWS/SQS", dimension = "QueueName" }

  # docs/operations.md has an entry for each under the same name, with Alarm behind it. What is not measured is no alarm,
  # except where silence is the trouble.
  all_alarms = {
    LogsLate            = { on = local.forwards, of = local.own, value = local.forwarder, metric = "Lag", stat = "Minimum", period = 300, periods = 3, above = var.lag_alarm_seconds }
    LogQueueAge         = { on = local.forwards, of = local.sqs, value = "${var.name}-logs", metric = "ApproximateAgeOfOldestMessage", stat = "Maximum", period = 300, periods = 2, above = var.lag_alarm_seconds }
    LogDeadLetters      = { on = local.forwards, of = local.sqs, value = "${var.name}-logs-dead-letters", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", period = 300, periods = 1, above = 0 }
    LogsMisconfigured   = { on = local.forwards, of = local.own, value = local.forwarder, metric = "ObjectsMisconfigured", stat = "Sum", period = 300, periods = 1, above = 0 }
    ForwarderErrors     = { on = local.forwards, of = merge(local.own, { namespace = "AWS/Lambda" }), value = local.forwarder, metric = "Errors", stat = "Sum", period = 300, periods = 2, above = 0 }
    DeliveryRetries     = { on = local.forwards, of = local.own, value = local.forwarder, metric = "DeliveryRetries", stat = "Sum", period = 900, periods = 1, above = var.retries_alarm_count }
    RecordsRejected     = { on = local.forwards, of = local.own, value = local.forwarder, metric = "RecordsRejected", stat = "Sum", period = 300, periods = 1, above = 0 }
    LogsNotDeleted      = { on = local.forwards && var.delete_after_read, of = local.own, value = local.forwarder, metric = "ObjectsNotDeleted", stat = "Sum", period = 3600, periods = 1, above = 0 }
    AnnouncementsLost   = { on = local.forwards && var.log_announcements == "eventbridge", of = { namespace = "AWS/Events", dimension = "RuleName" }, value = "${var.name}-log-objects", metric = "FailedInvocations", stat = "Sum", period = 300, periods = 1, above = 0 }
    FailedInvocations   = { on = true, of = local.sqs, value = "${var.name}-failed-invocations", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", period = 300, periods = 1, above = 0 }
    MetadataStale       = { on = var.collect_metadata, of = local.own, value = local.collector, metric = "UnitsCollected", stat = "Sum", period = 3600 * var.metadata_stale_hours, periods = 1, above = null }
    MetadataUnitsFailed = { on = var.collect_metadata, of = local.own, value = local.collector, metric = "UnitsFailed", stat = "Sum", period = 3600, periods = 1, above = 0 }
    MetadataDenied      = { on = var.collect_metadata, of = local.own, value = local.collector, metric = "EndpointsDenied", stat = "Sum", period = 3600, periods = 1, above = var.denied_alarm_count }
    MetadataIndex       = { on = var.collect_metadata, of = local.own, value = local.collector, metric = "IndexErrors", stat = "Sum", period = 3600, periods = 1, above = 0 }
    MetadataDeadLetters = { on = local.collects, of = local.sqs, value = "${var.name}-metadata-dead-letters", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", period = 300, periods = 1, above = 0 }
    CollectorErrors     = { on = local.collects, of = merge(local.own, { namespace = "AWS/Lambda" }), value = local.collector, metric = "Errors", stat = "Sum", period = 300, periods = 2, above = 0 }
    StatusNotWritten    = { on = local.collects, of = local.own, value = local.collector, metric = "StatusErrors", stat = "Sum", period = 3600, periods = 1, above = 0 }
    MetricsLate         = { on = var.collect_metrics, of = local.own, value = local.collector, metric = "MetricLagSeconds", stat = "Maximum", period = 900, periods = 2, above = var.metric_lag_alarm_seconds }
    MetricsLeftOut      = { on = var.collect_metrics, of = local.own, value = local.collector, metric = "MetricsLeftOut", stat = "Maximum", period = 3600, periods = 1, above = 0 }
    MetricsCost         = { on = var.collect_metrics, of = local.own, value = local.collector, metric = "MetricsRequested", stat = "Sum", period = 86400, periods = 1, above = var.metrics_requested_alarm_count }
  }

  # Rows of the dashboard: title, statistic, namespace and dimension, its value, and metrics.
  widgets = concat(
    local.forwards ? [
      { title = "Logs: seconds behind", stat = "Maximum", of = local.own, value = local.forwarder, metrics = ["Lag"] },
      { title = "Logs: objects", stat = "Sum", of = local.own, value = local.forwarder, metrics = ["ObjectsForwarded", "ObjectsRetried", "ObjectsPoisoned", "ObjectsMisconfigured"] },
      { title = "Logs: queue", stat = "Maximum", of = local.sqs, value = "${var.name}-logs", metrics = ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"] },
      { title = "Logs: rows and records", stat = "Sum", of = local.own, value = local.forwarder, metrics = ["RowsRead", "RecordsForwarded", "RecordsLeftOut", "RowsNoData", "RowsSkipData", "RowsMalformed"] },
      { title = "Logs: delivery", stat = "Sum", of = local.own, value = local.forwarder, metrics = ["BatchesDelivered", "DeliveryRetries", "RecordsRejected", "BatchesQuarantined"] },
      { title = "Logs: enrichment", stat = "Sum", of = local.own, value = local.forwarder, metrics = ["SidesHit", "SidesStale", "SidesMissed"] },
    ] : [],
    var.collect_metadata ? [
      { title = "Metadata: accounts and regions", stat = "Sum", of = local.own, value = local.collector, metrics = ["UnitsComplete", "UnitsPartial", "UnitsFailed", "UnitsDeferred"] },
      { title = "Metadata: calls not answered", stat = "Sum", of = local.own, value = local.collector, metrics = ["EndpointsDenied", "EndpointsThrottled", "EndpointsFailed"] },
      { title = "Metadata: rows and changes", stat = "Sum", of = local.own, value = local.collector, metrics = ["Calls", "Rows", "Changes", "IndexInterfaces"] },
    ] : [],
    var.collect_metrics ? [
      { title = "Metrics: seconds behind", stat = "Maximum", of = local.own, value = local.collector, metrics = ["MetricLagSeconds"] },
      { title = "Metrics: asked for, left out", stat = "Sum", of = local.own, value = local.collector, metrics = ["MetricsRequested", "MetricsLeftOut"] },
    ] : [],
  )
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = { for name, alarm in local.all_alarms : name => alarm if var.alarms && alarm.on }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "docs/operations.md, ${each.key}Alarm"
  namespace           = each.value.of.namespace
  metric_name         = each.value.metric
  dimensions          = { (each.value.of.dimension) = each.value.value }
  statistic           = each.value.stat
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.above == null ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.above == null ? 1 : each.value.above
  treat_missing_data  = each.value.above == null ? "breaching" : "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
  tags                = var.tags
}

resource "aws_cloudwatch_dashboard" "overview" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${var.name}-${local.region}"
  dashboard_body = jsonencode({
    start = "-PT12H"
    widgets = [
      for place, widget in local.widgets : {
        type   = "metric"
        x      = 8 * (place % 3)
        y      = 6 * floor(place / 3)
        width  = 8
        height = 6
        properties = {
          title   = widget.title
          region  = local.region
          period  = 300
          stat    = widget.stat
          metrics = [for metric in widget.metrics : [widget.of.namespace, metric, widget.of.dimension, widget.value]]
        }
      }
    ]
  })
}
