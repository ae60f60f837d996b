locals {
  bucket_arns = {
    logs     = "arn:${local.partition}:s3:::${local.log_bucket}"
    records  = "arn:${local.partition}:s3:::${local.output_bucket}"
    metadata = "arn:${local.partition}:s3:::${local.metadata_bucket}"
  }

  writes_index = var.collect_metadata && var.metadata_index
  # Written by this deployment, or by that of another region.
  reads_index = local.writes_index || (!var.collect_metadata && var.metadata_bucket_name != "")

  reference_objects = compact(concat([var.prices, var.aws_ranges], var.geoip))

  # What each function may do: by Sid, the actions and on what. Those on nothing are left out.
  permissions = {
    forwarder = {
      WriteOwnLogs = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = [for group in values(aws_cloudwatch_log_group.function) : "${group.arn}:*" if endswith(group.name, "-flow-forwarder")]
      }
      ReceiveAndHandOn = {
        actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"]
        resources = [for name, queue in aws_sqs_queue.queue : queue.arn if name == "logs"]
      }
      KeepFailedInvocations = {
        actions   = ["sqs:SendMessage"]
        resources = [aws_sqs_queue.failed_invocations.arn]
      }
      ReadLogs = {
        actions   = ["s3:GetObject", "s3:GetObjectVersion"]
        resources = ["${local.bucket_arns.logs}/*"]
      }
      DeleteDeliveredLogs = {
        actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
        resources = var.delete_after_read ? ["${local.bucket_arns.logs}/${local.log_folder}AWSLogs/*"] : []
      }
      WriteRecords = {
        actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        resources = ["${local.bucket_arns.records}/${local.output_folder}*"]
      }
      KeepWhatCannotBeDelivered = {
        actions   = ["s3:PutObject"]
        resources = var.quarantine_prefix == "" ? [] : ["${local.bucket_arns.records}/${var.quarantine_prefix}/*"]
      }
      # Without it S3 answers 403 instead of 404 for an object that is gone.
      TellMissingFromDenied = {
        actions   = ["s3:ListBucket"]
        resources = concat([local.bucket_arns.logs, local.bucket_arns.records], local.reads_index ? [local.bucket_arns.metadata] : [])
      }
      ReadIndexAndReferences = {
        actions = ["s3:GetObject"]
        resources = concat(
          local.reads_index ? ["${local.bucket_arns.metadata}/${local.metadata_folder}index/*"] : [],
          [for object in local.reference_objects : "arn:${local.partition}:s3:::${object}"],
        )
      }
      WriteRecordsToFirehose = {
        actions   = ["firehose:PutRecordBatch"]
        resources = compact([var.firehose_stream_arn])
      }
      ReadSecretsOfDestinations = {
        actions   = ["secretsmanager:GetSecretValue"]
        resources = var.secret_arns
      }
      ReadParametersOfDestinations = {
        actions   = ["ssm:GetParameter"]
        resources = var.parameter_arns
      }
      Decrypt = {
        actions   = ["kms:Decrypt"]
        resources = distinct(compact([var.log_kms_key_arn, local.reads_index ? var.metadata_kms_key_arn : ""]))
      }
      EncryptRecords = {
        actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
        resources = compact([var.output_kms_key_arn])
      }
    }
    collector = {
      WriteOwnLogs = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = [for group in values(aws_cloudwatch_log_group.function) : "${group.arn}:*" if endswith(group.name, "-metadata-collector")]
      }
      ReceiveAndHandOn = {
        actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"]
        resources = [for name, queue in aws_sqs_queue.queue : queue.arn if name == "metadata"]
      }
      KeepFailedInvocations = {
        actions   = ["sqs:SendMessage"]
        resources = [aws_sqs_queue.failed_invocations.arn]
      }
      ReadAndWriteSnapshots = {
        actions = ["s3:GetObject", "s3:PutObject"]
        resources = [
          for folder in concat(["current", "status"], local.writes_index ? ["index"] : [], var.collect_metrics ? ["metrics"] : []) :
          "${local.bucket_arns.metadata}/${local.metadata_folder}${folder}/*"
        ]
      }
      WriteHistoryAndChanges = {
        actions = ["s3:PutObject"]
        resources = [
          "${local.bucket_arns.metadata}/${local.metadata_folder}history/*",
          var.metadata_destination == "" ? "${local.bucket_arns.metadata}/${local.metadata_folder}changes/*"
          : "arn:${local.partition}:s3:::${var.metadata_destination}/changes/*",
        ]
      }
      TellMissingFromDenied = {
        actions   = ["s3:ListBucket"]
        resources = [local.bucket_arns.metadata]
      }
      EncryptAndDecryptSnapshots = {
        actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
        resources = compact([var.metadata_kms_key_arn])
      }
      AssumeRoles = {
        actions = ["sts:AssumeRole"]
        resources = concat(
          compact([var.metadata_primary_role_arn]),
          # The accounts' roles are assumed by the primary role where there is one.
          var.metadata_role_name != "" && var.metadata_primary_role_arn == ""
          ? ["arn:${local.partition}:iam::*:role/${var.metadata_role_name}"] : [],
          var.metadata_target_role_arns,
        )
      }
      WriteDatapoints = {
        actions = ["s3:PutObject", "s3:AbortMultipartUpload"]
        resources = !var.collect_metrics ? [] : (
          length(var.metric_destinations) > 0 ? var.metric_object_arns
          : ["${local.bucket_arns.metadata}/${local.metadata_folder}datapoints/*"]
        )
      }
      WriteDatapointsToFirehose = {
        actions   = ["firehose:PutRecordBatch"]
        resources = var.collect_metrics ? compact([var.firehose_stream_arn]) : []
      }
      ReadSecretsOfDestinations = {
        actions   = ["secretsmanager:GetSecretValue"]
        resources = var.collect_metrics ? var.secret_arns : []
      }
      ReadParametersOfDestinations = {
        actions   = ["ssm:GetParameter"]
        resources = var.collect_metrics ? var.parameter_arns : []
      }
      ReadMetrics = {
        actions   = ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
        resources = var.collect_metrics && var.metadata_primary_role_arn == "" ? ["*"] : []
      }
      # With a primary role, that one is allowed this. reader.json is what `cloud-export policy` prints.
      ReadNetworkMetadata = {
        actions   = jsondecode(file("${path.module}/member/reader.json")).Statement[0].Action
        resources = var.metadata_primary_role_arn == "" ? ["*"] : []
      }
    }
  }

  created_roles = {
    for function, created in {
      forwarder = local.forwards && var.forwarder_role_arn == ""
      collector = local.collects && var.collector_role_arn == ""
    } : function => { forwarder = "flow-forwarder", collector = "metadata-collector" }[function] if created
  }
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  for_each = local.created_roles

  dynamic "statement" {
    for_each = { for sid, allowed in local.permissions[each.key] : sid => allowed if length(allowed.resources) > 0 }

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.created_roles

  name                 = "${local.role_prefix}-${each.value}"
  description          = "Execution role of the ${replace(each.value, "-", " ")}"
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "function" {
  for_each = local.created_roles

  name   = each.value
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.function[each.key].json
}
