# --- Names ------------------------------------------------------------------------------------------------------------

variable "name" {
  description = "Beginning of the names of queues, functions, log groups, schedules and alarms."
  type        = string
  default     = "cloud-export"

  validation {
    condition     = can(regex("^[a-z0-9-]{1,30}$", var.name))
    error_message = "Lower case letters, digits and hyphens, at most 30."
  }
}

variable "bucket_prefix" {
  description = "Beginning of the names of the buckets that are created; empty means that of name."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9-]{0,20}$", var.bucket_prefix))
    error_message = "At most 21 lower case letters, digits and hyphens."
  }
}

variable "role_prefix" {
  description = "Beginning of the names of the roles that are created; empty means that of name."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9+=,.@_-]{1,40}$", var.role_prefix))
    error_message = "At most 40 characters that names of roles may have."
  }
}

variable "tags" {
  description = "Tags of everything that is created."
  type        = map(string)
  default     = {}
}

# --- What is switched on ----------------------------------------------------------------------------------------------

variable "forward_flow_logs" {
  description = "Whether flow logs of VPCs and transit gateways are forwarded."
  type        = bool
  default     = true
}

variable "forward_firewall_logs" {
  description = "Whether logs of Network Firewall are forwarded."
  type        = bool
  default     = true
}

variable "delete_after_read" {
  description = "Whether log objects below AWSLogs/ are deleted once all of their records are written."
  type        = bool
  default     = false
}

variable "collect_metadata" {
  description = "Whether to collect metadata."
  type        = bool
  default     = true
}

variable "collect_metrics" {
  description = "Whether to collect metrics of network resources from CloudWatch, each of which AWS charges."
  type        = bool
  default     = false
}

variable "alarms" {
  description = "Whether to create alarms; docs/operations.md says what each means."
  type        = bool
  default     = true
}

variable "dashboard" {
  description = "Whether to create a dashboard of CloudWatch."
  type        = bool
  default     = true
}

# --- Functions --------------------------------------------------------------------------------------------------------

variable "architecture" {
  description = "Instruction set of the functions, which the zips were built for."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "One of arm64, x86_64."
  }
}

variable "forwarder_zip" {
  description = "Path of the zip of the function that reads logs, as cargo lambda build --output-format zip leaves it."
  type        = string
  default     = ""
}

variable "collector_zip" {
  description = "Path of the zip of the function that collects metadata."
  type        = string
  default     = ""
}

variable "forwarder_memory" {
  description = "Memory of the function that reads logs, in MB."
  type        = number
  default     = 512

  validation {
    condition     = var.forwarder_memory >= 128 && var.forwarder_memory <= 10240
    error_message = "From 128 to 10240."
  }
}

variable "forwarder_timeout" {
  description = "Timeout of the function that reads logs, in seconds; the queue's visibility timeout is six times as long."
  type        = number
  default     = 300

  validation {
    condition     = var.forwarder_timeout >= 30 && var.forwarder_timeout <= 900
    error_message = "From 30 to 900."
  }
}

variable "forwarder_concurrency" {
  description = "Most batches that the queue hands to the function at the same time."
  type        = number
  default     = 10

  validation {
    condition     = var.forwarder_concurrency >= 2 && var.forwarder_concurrency <= 1000
    error_message = "From 2 to 1000."
  }
}

variable "forwarder_settings" {
  description = "Further settings of the forwarder (README, Configuration), which need no permission."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.forwarder_settings) : contains(["CLOUD_EXPORT_FORMAT", "CLOUD_EXPORT_BATCH_BYTES", "CLOUD_EXPORT_CONCURRENCY", "CLOUD_EXPORT_MAX_DECODED_BYTES", "CLOUD_EXPORT_DEADLINE_RESERVE_MS", "CLOUD_EXPORT_SPOOL", "CLOUD_EXPORT_ENRICH", "CLOUD_EXPORT_TAGS", "CLOUD_EXPORT_DEVICE", "CLOUD_EXPORT_INDEX_MEMORY_MIB", "CLOUD_EXPORT_INDEX_REFRESH_S", "CLOUD_EXPORT_INDEX_MAX_AGE_H"], name)])
    error_message = "Only settings of the forwarder that have no variable of their own here."
  }
}

variable "collector_memory" {
  description = "Memory of the function that collects metadata, in MB."
  type        = number
  default     = 512

  validation {
    condition     = var.collector_memory >= 128 && var.collector_memory <= 10240
    error_message = "From 128 to 10240."
  }
}

variable "collector_timeout" {
  description = "Timeout of the function that collects metadata, in seconds."
  type        = number
  default     = 900

  validation {
    condition     = var.collector_timeout >= 60 && var.collector_timeout <= 900
    error_message = "From 60 to 900."
  }
}

variable "collector_concurrency" {
  description = "Most units of work that the queue hands to the function at the same time."
  type        = number
  default     = 5

  validation {
    condition     = var.collector_concurrency >= 2 && var.collector_concurrency <= 1000
    error_message = "From 2 to 1000."
  }
}

variable "collector_settings" {
  description = "Further settings of the collector (docs/metadata.md, Settings), which need no permission."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.collector_settings) : contains(["AWS_MAX_ATTEMPTS", "CLOUD_EXPORT_UNITS_AT_ONCE", "CLOUD_EXPORT_FAN_OUT_ABOVE", "CLOUD_EXPORT_DEADLINE_RESERVE_MS", "CLOUD_EXPORT_INDEX_KEEP_HOURS"], name)])
    error_message = "Only settings of the collector that have no variable of their own here."
  }
}

# --- Logs to read -----------------------------------------------------------------------------------------------------

variable "create_log_bucket" {
  description = "Whether to create the log bucket; the policy and notifications of an existing one stay as they are."
  type        = bool
  default     = true
}

variable "log_bucket_name" {
  description = "Name of the log bucket; empty means BUCKET_PREFIX-logs-ACCOUNT-REGION."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.log_bucket_name))
    error_message = "A valid S3 bucket name."
  }
}

variable "log_bucket_account" {
  description = "Account of an existing log bucket, prepared there by templates/log-account.yaml; empty means this one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[0-9]{12}$", var.log_bucket_account))
    error_message = "A 12-digit account id."
  }
}

variable "log_prefix" {
  description = "Folder of the log bucket in which AWSLogs/ lies, without a slash at either end."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*$", var.log_prefix))
    error_message = "Path segments without a slash at either end."
  }
}

variable "log_kms_key_arn" {
  description = "Customer managed KMS key of the log bucket, whose policy lets delivery.logs.amazonaws.com use it; empty means SSE-S3."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.log_kms_key_arn))
    error_message = "The full ARN of a KMS key."
  }
}

variable "log_expire_days" {
  description = "Days after which log objects expire in a bucket that is created; 0 keeps them."
  type        = number
  default     = 0

  validation {
    condition     = var.log_expire_days >= 0
    error_message = "Not below 0."
  }
}

variable "log_accounts" {
  description = "Accounts that may deliver logs; empty means only this one."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.log_accounts : can(regex("^[0-9]{12}$", id))])
    error_message = "12-digit account ids."
  }
}

variable "log_organization_id" {
  description = "Organization whose accounts may all deliver logs, instead of log_accounts."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^o-[a-z0-9]{10,32}$", var.log_organization_id))
    error_message = "The id of an organization."
  }
}

variable "log_announcements" {
  description = "How new log objects reach the queue."
  type        = string
  default     = "notification"

  validation {
    condition     = contains(["notification", "eventbridge", "topic"], var.log_announcements)
    error_message = "One of notification, eventbridge, topic."
  }
}

variable "log_topic_arn" {
  description = "Topic of SNS, when log_announcements is topic."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", var.log_topic_arn))
    error_message = "The ARN of a topic."
  }
}

# --- Records to write -------------------------------------------------------------------------------------------------

variable "output_bucket_name" {
  description = "Existing bucket in which to put the records; empty creates one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output_bucket_name))
    error_message = "A valid S3 bucket name."
  }
}

variable "output_prefix" {
  description = "Prefix of the output objects, without a slash at either end."
  type        = string
  default     = "flows"

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*$", var.output_prefix))
    error_message = "Path segments without a slash at either end."
  }
}

variable "output_options" {
  description = "How records are written there (docs/destinations.md), such as format=parquet&partition=account,region,day."
  type        = string
  default     = ""
}

variable "output_kms_key_arn" {
  description = "KMS key of the output bucket; empty means SSE-S3."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.output_kms_key_arn))
    error_message = "The full ARN of a KMS key."
  }
}

variable "quarantine_prefix" {
  description = "Prefix in the output bucket below which is kept what can never be delivered; empty keeps nothing."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*$", var.quarantine_prefix))
    error_message = "Path segments without a slash at either end."
  }
}

variable "selection" {
  description = "Which records are delivered (docs/selection.md); empty means all."
  type        = string
  default     = ""
}

variable "more_destinations" {
  description = "URLs of destinations besides the output bucket (docs/destinations.md)."
  type        = list(string)
  default     = []
}

variable "firehose_stream_arn" {
  description = "Stream that a firehose:// destination names; empty for none."
  type        = string
  default     = ""
}

variable "secret_arns" {
  description = "Secrets in Secrets Manager that destinations have as credentials."
  type        = list(string)
  default     = []
}

variable "parameter_arns" {
  description = "SSM parameters that destinations have as credentials."
  type        = list(string)
  default     = []
}

variable "prices" {
  description = "Price table of data transfer instead of the shipped one, as BUCKET/KEY of an S3 object."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9_.=/-]+$", var.prices))
    error_message = "A bucket, a slash and the key of an object."
  }
}

variable "aws_ranges" {
  description = "AWS's ip-ranges.json, as BUCKET/KEY of an S3 object."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9_.=/-]+$", var.aws_ranges))
    error_message = "A bucket, a slash and the key of an object."
  }
}

variable "geoip" {
  description = "Databases in MaxMind's format, each as BUCKET/KEY of an S3 object."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for object in var.geoip : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9_.=/-]+$", object))])
    error_message = "Buckets, slashes and keys of objects."
  }
}

# --- Metadata ---------------------------------------------------------------------------------------------------------

variable "metadata_schedule" {
  description = "When to collect metadata, as a rate or cron expression of EventBridge Scheduler, in UTC."
  type        = string
  default     = "rate(1 hour)"

  validation {
    condition     = can(regex("^(rate|cron)\\([A-Za-z0-9 ,*?/#-]+\\)$", var.metadata_schedule))
    error_message = "Such as rate(1 hour)."
  }
}

variable "metadata_bucket_name" {
  description = "Existing bucket in which to keep the snapshots; empty creates one. With collect_metadata false, that of the deployment whose index is read."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.metadata_bucket_name))
    error_message = "A valid S3 bucket name."
  }
}

variable "metadata_prefix" {
  description = "Prefix in the metadata bucket, without a slash at either end."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*$", var.metadata_prefix))
    error_message = "Path segments without a slash at either end."
  }
}

variable "metadata_history_days" {
  description = "Days that dated snapshots are kept in a bucket that is created."
  type        = number
  default     = 90

  validation {
    condition     = var.metadata_history_days >= 1
    error_message = "At least 1."
  }
}

variable "metadata_kms_key_arn" {
  description = "KMS key of the metadata bucket; empty means SSE-S3."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.metadata_kms_key_arn))
    error_message = "The full ARN of a KMS key."
  }
}

variable "metadata_destination" {
  description = "Existing bucket, and a prefix in it, for changes, as BUCKET/PREFIX; empty means changes/ in the metadata bucket."
  type        = string
  default     = ""
}

variable "metadata_index" {
  description = "Whether to write the index that flows are enriched from."
  type        = bool
  default     = true
}

variable "metadata_accounts" {
  description = "Accounts beside the primary role's, or the one word organization for every active account of it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.metadata_accounts : can(regex("^(organization|[0-9]{12})$", id))])
    error_message = "Account ids, or organization."
  }
}

variable "metadata_blocked_accounts" {
  description = "Accounts that are left out."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.metadata_blocked_accounts : can(regex("^[0-9]{12}$", id))])
    error_message = "12-digit account ids."
  }
}

variable "metadata_regions" {
  description = "Regions to ask in; empty means those that each account has enabled."
  type        = list(string)
  default     = []
}

variable "metadata_primary_role_arn" {
  description = "Role that is assumed first; empty means that the function's own role does it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$", var.metadata_primary_role_arn))
    error_message = "The ARN of a role."
  }
}

variable "metadata_primary_external_id" {
  description = "External id that the trust policy of the primary role asks for."
  type        = string
  default     = ""
}

variable "metadata_role_name" {
  description = "Name of the role to assume in each account."
  type        = string
  default     = ""
}

variable "metadata_external_id" {
  description = "External id that the trust policies of the accounts' roles ask for."
  type        = string
  default     = ""
}

variable "metadata_session_name" {
  description = "Name of the sessions of assumed roles."
  type        = string
  default     = ""
}

variable "metadata_targets" {
  description = "Accounts, regions and chains of roles as a list, instead of the variables for roles, accounts and regions."
  type        = any
  default     = []
}

variable "metadata_target_role_arns" {
  description = "Roles that the function assumes itself for metadata_targets, the first of each chain."
  type        = list(string)
  default     = []
}

# --- Metrics -----------------------------------------------------------------------------------------------------------

variable "metric_minutes" {
  description = "Minutes between two readings of metrics."
  type        = number
  default     = 5

  validation {
    condition     = contains([1, 5, 15, 30, 60], var.metric_minutes)
    error_message = "One of 1, 5, 15, 30, 60."
  }
}

variable "metric_destinations" {
  description = "URLs of where datapoints go (docs/destinations.md); empty means below datapoints/ in the metadata bucket."
  type        = list(string)
  default     = []
}

variable "metric_object_arns" {
  description = "ARNs of the objects that s3:// destinations of metrics write, such as arn:aws:s3:::bucket/prefix/*."
  type        = list(string)
  default     = []
}

variable "metric_selection" {
  description = "Which metrics are collected; empty means the default selection."
  type        = string
  default     = ""
}

variable "metric_budget" {
  description = "Dollars a month that metrics of one account and region may cost; null means the function's default, 0 no bound."
  type        = number
  default     = null
}

variable "metric_catch_up_hours" {
  description = "Hours that are made up for after an outage; null means the function's default."
  type        = number
  default     = null
}

variable "metric_monitoring_accounts" {
  description = "Accounts that see the metrics of others by CloudWatch's cross-account observability."
  type        = list(string)
  default     = []
}

# --- Roles ------------------------------------------------------------------------------------------------------------

variable "forwarder_role_arn" {
  description = "Existing role of the function that reads logs; empty creates one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$", var.forwarder_role_arn))
    error_message = "The ARN of a role."
  }
}

variable "collector_role_arn" {
  description = "Existing role of the function that collects metadata; empty creates one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$", var.collector_role_arn))
    error_message = "The ARN of a role."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the permissions of the roles that are created."
  type        = string
  default     = ""
}

# --- Flow logs --------------------------------------------------------------------------------------------------------

variable "flow_log_all_vpcs" {
  description = "Whether to create flow logs of all VPCs of this account and region."
  type        = bool
  default     = false
}

variable "flow_log_vpc_ids" {
  description = "VPCs of which to create flow logs."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.flow_log_vpc_ids : can(regex("^vpc-[0-9a-f]{8,17}$", id))])
    error_message = "Ids of VPCs."
  }
}

variable "flow_log_transit_gateway_ids" {
  description = "Transit gateways of which to create flow logs."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.flow_log_transit_gateway_ids : can(regex("^tgw-[0-9a-f]{8,17}$", id))])
    error_message = "Ids of transit gateways."
  }
}

variable "flow_log_aggregation" {
  description = "Longest time in seconds in which packets are summed up to one record."
  type        = number
  default     = 60

  validation {
    condition     = contains([60, 600], var.flow_log_aggregation)
    error_message = "One of 60, 600."
  }
}

variable "flow_log_traffic" {
  description = "Traffic of VPCs that is logged."
  type        = string
  default     = "ALL"

  validation {
    condition     = contains(["ALL", "ACCEPT", "REJECT"], var.flow_log_traffic)
    error_message = "One of ALL, ACCEPT, REJECT."
  }
}

variable "flow_log_file_format" {
  description = "Format of the log files."
  type        = string
  default     = "plain-text"

  validation {
    condition     = contains(["plain-text", "parquet"], var.flow_log_file_format)
    error_message = "One of plain-text, parquet."
  }
}

variable "flow_log_hive_partitions" {
  description = "Whether keys are compatible with Hive."
  type        = bool
  default     = false
}

variable "flow_log_hourly_partitions" {
  description = "Whether keys have a folder for each hour."
  type        = bool
  default     = false
}

# --- Operation --------------------------------------------------------------------------------------------------------

variable "log_level" {
  description = "Level of the functions' own log lines."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
    error_message = "One of TRACE, DEBUG, INFO."
  }
}

variable "log_retention_days" {
  description = "Days that the functions' log lines are kept."
  type        = number
  default     = 30
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the functions' own metrics."
  type        = string
  default     = "CloudExport"
}

variable "alarm_topic_arn" {
  description = "Topic of SNS to which alarms are sent."
  type        = string
  default     = ""
}

variable "lag_alarm_seconds" {
  description = "Seconds that records may be behind before an alarm."
  type        = number
  default     = 1800
}

variable "retries_alarm_count" {
  description = "Attempts of delivery in 15 minutes that may be refused before an alarm."
  type        = number
  default     = 100
}

variable "metadata_stale_hours" {
  description = "Hours without any metadata collected before an alarm."
  type        = number
  default     = 6

  validation {
    condition     = contains([1, 3, 6, 12, 24], var.metadata_stale_hours)
    error_message = "One of 1, 3, 6, 12, 24."
  }
}

variable "denied_alarm_count" {
  description = "Calls in an hour that may be denied before an alarm."
  type        = number
  default     = 10
}

variable "metric_lag_alarm_seconds" {
  description = "Seconds that datapoints may be behind before an alarm."
  type        = number
  default     = 3600
}

variable "metrics_requested_alarm_count" {
  description = "Metrics asked for in a day before an alarm; a thousand cost 0.01 dollars."
  type        = number
  default     = 1000000
}
