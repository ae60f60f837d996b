locals {
  # Versions 2 to 11 without the six values of tags, which take tags to be named with ec2:CreateFlowLogs.
  vpc_fields = [
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets",
    "bytes", "start", "end", "action", "log-status", "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type",
    "pkt-srcaddr", "pkt-dstaddr", "region", "az-id", "sublocation-type", "sublocation-id", "pkt-src-aws-service",
    "pkt-dst-aws-service", "flow-direction", "traffic-path", "ecs-cluster-arn", "ecs-cluster-name",
    "ecs-container-instance-arn", "ecs-container-instance-id", "ecs-container-id", "ecs-second-container-id",
    "ecs-service-name", "ecs-task-definition-arn", "ecs-task-arn", "ecs-task-id", "reject-reason", "resource-id",
    "encryption-status", "interface-type", "next-hop-interface-id", "next-hop-subnet-id", "next-hop-az-id",
    "next-hop-vpc-id", "next-hop-interface-type",
  ]

  # Version 6.
  transit_gateway_fields = [
    "version", "resource-type", "account-id", "tgw-id", "tgw-attachment-id", "tgw-src-vpc-account-id",
    "tgw-dst-vpc-account-id", "tgw-src-vpc-id", "tgw-dst-vpc-id", "tgw-src-subnet-id", "tgw-dst-subnet-id",
    "tgw-src-eni", "tgw-dst-eni", "tgw-src-az-id", "tgw-dst-az-id", "tgw-pair-attachment-id", "srcaddr", "dstaddr",
    "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "log-status", "type",
    "packets-lost-no-route", "packets-lost-blackhole", "packets-lost-mtu-exceeded", "packets-lost-ttl-expired",
    "tcp-flags", "region", "flow-direction", "pkt-src-aws-service", "pkt-dst-aws-service",
  ]

  flow_log_destination = join("/", compact(["arn:${local.partition}:s3:::${local.log_bucket}", var.log_prefix]))
  flow_log_vpc_ids     = var.flow_log_all_vpcs ? data.aws_vpcs.all[0].ids : var.flow_log_vpc_ids
}

data "aws_vpcs" "all" {
  count = var.flow_log_all_vpcs ? 1 : 0
}

# Flow logs cannot be changed: what is changed here replaces them.
resource "aws_flow_log" "vpc" {
  for_each = toset(local.flow_log_vpc_ids)

  vpc_id                   = each.value
  traffic_type             = var.flow_log_traffic
  log_destination_type     = "s3"
  log_destination          = local.flow_log_destination
  log_format               = join(" ", [for field in local.vpc_fields : "$${${field}}"])
  max_aggregation_interval = var.flow_log_aggregation
  tags                     = var.tags
  # AWS writes a policy of its own where there is none that lets it deliver.
  depends_on = [aws_s3_bucket_policy.bucket]

  destination_options {
    file_format                = var.flow_log_file_format
    hive_compatible_partitions = var.flow_log_hive_partitions
    per_hour_partition         = var.flow_log_hourly_partitions
  }
}

resource "aws_flow_log" "transit_gateway" {
  for_each = toset(var.flow_log_transit_gateway_ids)

  transit_gateway_id       = each.value
  log_destination_type     = "s3"
  log_destination          = local.flow_log_destination
  log_format               = join(" ", [for field in local.transit_gateway_fields : "$${${field}}"])
  max_aggregation_interval = 60
  tags                     = var.tags
  depends_on               = [aws_s3_bucket_policy.bucket]

  destination_options {
    file_format                = var.flow_log_file_format
    hive_compatible_partitions = var.flow_log_hive_partitions
    per_hour_partition         = var.flow_log_hourly_partitions
  }
}
