output "log_bucket_arn" {
  description = "Value for the log destination of a flow log"
  value       = local.forwards ? local.bucket_arns.logs : null
}

output "output_url" {
  description = "Where the records are put"
  value       = local.forwards ? local.output_url : null
}

output "metadata_url" {
  description = "Where the snapshots are kept, as cloud-export takes it"
  value       = local.collects ? local.metadata_url : null
}

output "queue_urls" {
  description = "Queues of announcements (logs) and of units of work (metadata)"
  value       = { for name, queue in aws_sqs_queue.queue : name => queue.url }
}

output "queue_arns" {
  description = "ARNs of those queues"
  value       = { for name, queue in aws_sqs_queue.queue : name => queue.arn }
}

output "dead_letter_queue_urls" {
  description = "Queues of what failed five times; anything in them needs a person"
  value       = { for name, queue in aws_sqs_queue.dead_letters : name => queue.url }
}

output "failed_invocation_queue_url" {
  description = "Queue of reports of direct invocations that failed"
  value       = aws_sqs_queue.failed_invocations.url
}

output "function_names" {
  description = "Names of the functions"
  value       = { for name, function in aws_lambda_function.function : name => function.function_name }
}

output "role_arns" {
  description = "Roles of the functions, for trust policies and for the policy of a log bucket in another account"
  value       = { for name, function in aws_lambda_function.function : name => function.role }
}

output "event_bus_arn" {
  description = "Event bus to which buckets in other accounts hand their events, for templates/log-account.yaml"
  value       = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"
}

output "flow_log_ids" {
  description = "Flow logs that were created, by what they log"
  value = merge(
    { for id, log in aws_flow_log.vpc : id => log.id },
    { for id, log in aws_flow_log.transit_gateway : id => log.id },
  )
}
