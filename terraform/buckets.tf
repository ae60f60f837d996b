locals {
  forwards = var.forward_flow_logs || var.forward_firewall_logs
  # One function for both.
  collects = var.collect_metadata || var.collect_metrics

  bucket_prefix = coalesce(var.bucket_prefix, var.name)
  role_prefix   = coalesce(var.role_prefix, var.name)

  # Names are computed, not referred to: the queue's policy and the roles name buckets that depend on them.
  log_bucket      = coalesce(var.log_bucket_name, "${local.bucket_prefix}-logs-${local.account}-${local.region}")
  output_bucket   = coalesce(var.output_bucket_name, "${local.bucket_prefix}-records-${local.account}-${local.region}")
  metadata_bucket = coalesce(var.metadata_bucket_name, "${local.bucket_prefix}-metadata-${local.account}-${local.region}")

  log_folder      = var.log_prefix == "" ? "" : "${var.log_prefix}/"
  output_folder   = var.output_prefix == "" ? "" : "${var.output_prefix}/"
  metadata_folder = var.metadata_prefix == "" ? "" : "${var.metadata_prefix}/"

  # The buckets that are created, by what they are for: name, key, and prefix and days of what expires.
  buckets = {
    for purpose, bucket in {
      logs = {
        created = local.forwards && var.create_log_bucket
        name    = local.log_bucket
        key     = var.log_kms_key_arn
        prefix  = ""
        days    = var.log_expire_days
      }
      records = {
        created = local.forwards && var.output_bucket_name == ""
        name    = local.output_bucket
        key     = var.output_kms_key_arn
        prefix  = ""
        days    = 0
      }
      metadata = {
        created = local.collects && var.metadata_bucket_name == ""
        name    = local.metadata_bucket
        key     = var.metadata_kms_key_arn
        prefix  = "${local.metadata_folder}history/"
        days    = var.metadata_history_days
      }
    } : purpose => bucket if bucket.created
  }
}

# What they hold is worth more than the stack: a bucket that is not empty is not destroyed.
resource "aws_s3_bucket" "bucket" {
  #checkov:skip=CKV_AWS_144:A copy in another region would double the storage; records can be made again from the logs
  #checkov:skip=CKV_AWS_18:Access logs are the business of whoever audits the account, for all of its buckets
  #checkov:skip=CKV_AWS_21:Names are made of content: what is written again is the same, and what is deleted is to be gone
  #checkov:skip=CKV2_AWS_62:The log bucket announces its objects; the others have nobody to announce to
  for_each = local.buckets

  bucket = each.value.name
  tags   = var.tags
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  for_each = local.buckets

  bucket = aws_s3_bucket.bucket[each.key].id

  rule {
    bucket_key_enabled = each.value.key != ""

    apply_server_side_encryption_by_default {
      sse_algorithm     = each.value.key == "" ? "AES256" : "aws:kms"
      kms_master_key_id = each.value.key == "" ? null : each.value.key
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "bucket" {
  for_each = local.buckets

  bucket = aws_s3_bucket.bucket[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.bucket[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "bucket" {
  #checkov:skip=CKV_AWS_300:The first rule does it for the whole bucket; the second is about age
  for_each = local.buckets

  bucket = aws_s3_bucket.bucket[each.key].id

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.value.days == 0 ? [] : [each.value]

    content {
      id     = "expire"
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      expiration {
        days = rule.value.days
      }
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.bucket[each.key].arn, "${aws_s3_bucket.bucket[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # One principal for VPC, Transit Gateway and Network Firewall logs. The whole bucket: given a narrower resource, AWS
  # appends one more for each flow log that is created. Who may deliver is decided by the conditions.
  dynamic "statement" {
    for_each = {
      for sid, allowed in {
        AWSLogDeliveryWrite    = { actions = ["s3:PutObject"], resource = "/*" }
        AWSLogDeliveryAclCheck = { actions = ["s3:GetBucketAcl", "s3:ListBucket"], resource = "" }
      } : sid => allowed if each.key == "logs"
    }

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = ["${aws_s3_bucket.bucket[each.key].arn}${statement.value.resource}"]

      principals {
        type        = "Service"
        identifiers = ["delivery.logs.amazonaws.com"]
      }

      dynamic "condition" {
        for_each = statement.key == "AWSLogDeliveryWrite" ? ["bucket-owner-full-control"] : []

        content {
          test     = "StringEquals"
          variable = "s3:x-amz-acl"
          values   = [condition.value]
        }
      }

      condition {
        test     = "StringEquals"
        variable = var.log_organization_id == "" ? "aws:SourceAccount" : "aws:SourceOrgID"
        values = (
          var.log_organization_id != "" ? [var.log_organization_id] :
          length(var.log_accounts) > 0 ? var.log_accounts : [local.account]
        )
      }

      # An ARN of CloudWatch Logs whatever the log is, in the region of the source.
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values = [
          var.log_organization_id != "" || length(var.log_accounts) > 0
          ? "arn:${local.partition}:logs:*:*:*" : "arn:${local.partition}:logs:*:${local.account}:*"
        ]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "bucket" {
  for_each = local.buckets

  bucket = aws_s3_bucket.bucket[each.key].id
  policy = data.aws_iam_policy_document.bucket[each.key].json
}
