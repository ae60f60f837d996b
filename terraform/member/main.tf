terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

variable "trusted_role_arn" {
  description = "Role that may assume this one, and nobody else: the primary role, or without one the collector's."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$", var.trusted_role_arn))
    error_message = "The ARN of a role."
  }
}

variable "external_id" {
  description = "External id that must be given when the role is assumed; empty asks for none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_+=,.@:/-]{2,1224}$", var.external_id))
    error_message = "A valid external id."
  }
}

variable "role_name" {
  description = "Name of the role, the same in every account; the primary role has another one."
  type        = string
  default     = "cloud-export-reader"
}

variable "assumed_role_name" {
  description = "Name of the roles that this one may assume in any account, which makes it the primary role."
  type        = string
  default     = ""
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the role's permissions; empty for none."
  type        = string
  default     = ""
}

variable "collect_metrics" {
  description = "Whether the role may read metrics of CloudWatch as well."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  # The account, narrowed to one role: a role named as the principal itself would be forgotten when it is deleted and made
  # again.
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${split(":", var.trusted_role_arn)[4]}:root"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = [var.trusted_role_arn]
    }

    dynamic "condition" {
      for_each = compact([var.external_id])

      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "assume" {
  count = var.assumed_role_name == "" ? 0 : 1

  statement {
    sid       = "AssumeReaders"
    actions   = ["sts:AssumeRole"]
    resources = ["arn:${data.aws_partition.current.partition}:iam::*:role/${var.assumed_role_name}"]
  }
}

resource "aws_iam_role" "reader" {
  name                 = var.role_name
  description          = "Lets Cloud Export read what the network of this account consists of"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  tags                 = var.tags
}

# What `cloud-export policy` prints; a test compares them.
resource "aws_iam_role_policy" "read" {
  name   = "read"
  role   = aws_iam_role.reader.id
  policy = file("${path.module}/reader.json")
}

data "aws_iam_policy_document" "metrics" {
  statement {
    sid     = "ReadMetrics"
    actions = ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
    # Neither takes a narrower resource.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "metrics" {
  count = var.collect_metrics ? 1 : 0

  name   = "metrics"
  role   = aws_iam_role.reader.id
  policy = data.aws_iam_policy_document.metrics.json
}

resource "aws_iam_role_policy" "assume" {
  count = length(data.aws_iam_policy_document.assume)

  name   = "assume"
  role   = aws_iam_role.reader.id
  policy = data.aws_iam_policy_document.assume[0].json
}

output "role_arn" {
  description = "ARN of the role"
  value       = aws_iam_role.reader.arn
}
