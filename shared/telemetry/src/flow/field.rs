//! The fields of VPC and Transit Gateway flow logs, as one table.
//!
//! Names, versions and types follow the AWS documentation: "Available fields" of the *Amazon VPC
//! User Guide* (versions 2 to 11) and "Transit Gateway Flow Logs" of the *AWS Transit Gateways*
//! guide (version 6). A column whose name is not here is kept as text under its own name.

/// How the text of a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// An unsigned decimal integer of at most this value.
    Integer(u64),
    /// A time in Unix seconds. Milliseconds, seen in the wild, are brought to seconds.
    Epoch,
    /// An IPv4 or IPv6 address.
    Address,
    /// An identifier, a name, or a value of an enumeration that AWS may extend.
    Text,
}

/// Which kinds of flow log offer a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// VPC flow logs only.
    Vpc,
    /// Transit Gateway flow logs only.
    TransitGateway,
    /// Both.
    Both,
}

/// One row of the field table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// The field this row describes.
    pub field: Field,
    /// The name as AWS writes it in headers and formats (`pkt-srcaddr`).
    pub name: &'static str,
    /// The name in Parquet columns and in delivered records (`pkt_srcaddr`).
    pub column: &'static str,
    /// The flow-log version that introduced the field.
    pub since: u8,
    /// The kinds of flow log that offer it.
    pub offered: Offered,
    /// How its text is read.
    pub field_type: FieldType,
    /// What it tells.
    pub meaning: &'static str,
}

const ANY: FieldType = FieldType::Integer(u64::MAX);
const PORT: FieldType = FieldType::Integer(u16::MAX as u64);
const OCTET: FieldType = FieldType::Integer(u8::MAX as u64);
const INT32: FieldType = FieldType::Integer(i32::MAX as u64);

macro_rules! fields {
    ($($variant:ident $name:literal $column:literal $since:literal $offered:ident $type:expr, $meaning:literal;)*) => {
        /// A field that AWS documents for VPC or Transit Gateway flow logs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $meaning] $variant,)*
        }

        /// Every known field, in the order of [`Field`].
        pub const FIELDS: &[FieldInfo] = &[
            $(FieldInfo {
                field: Field::$variant,
                name: $name,
                column: $column,
                since: $since,
                offered: Offered::$offered,
                field_type: $type,
                meaning: $meaning,
            },)*
        ];

        impl Field {
            /// The field with this name, in AWS's spelling (`pkt-srcaddr`) or as a Parquet column
            /// (`pkt_srcaddr`).
            pub fn from_name(name: &str) -> Option<Field> {
                match name {
                    $($name => Some(Field::$variant),)*
                    _ => Field::from_column(name),
                }
            }

            fn from_column(name: &str) -> Option<Field> {
                FIELDS.iter().find(|info| info.column == name).map(|info| info.field)
            }

            /// This field's row of the table.
            pub const fn info(self) -> &'static FieldInfo {
                match self {
                    $(Field::$variant => const {
                        &FieldInfo {
                            field: Field::$variant,
                            name: $name,
                            column: $column,
                            since: $since,
                            offered: Offered::$offered,
                            field_type: $type,
                            meaning: $meaning,
                        }
                    },)*
                }
            }
        }
    };
}

fields! {
    Version "version" "version" 2 Both INT32, "Version of the record's format: the highest version among its fields";
    AccountId "account-id" "account_id" 2 Both FieldType::Text, "Account of the interface or transit gateway: 12 digits, or `unknown`";
    InterfaceId "interface-id" "interface_id" 2 Vpc FieldType::Text, "Network interface the traffic was recorded on";
    Srcaddr "srcaddr" "srcaddr" 2 Both FieldType::Address, "Source address as the interface saw it; for egress its primary private address";
    Dstaddr "dstaddr" "dstaddr" 2 Both FieldType::Address, "Destination address as the interface saw it; for ingress its primary private address";
    Srcport "srcport" "srcport" 2 Both PORT, "Source port; 0 where the protocol has none";
    Dstport "dstport" "dstport" 2 Both PORT, "Destination port; 0 where the protocol has none";
    Protocol "protocol" "protocol" 2 Both OCTET, "IANA protocol number";
    Packets "packets" "packets" 2 Both ANY, "Packets of this direction in the aggregation window";
    Bytes "bytes" "bytes" 2 Both ANY, "Bytes of this direction in the aggregation window";
    Start "start" "start" 2 Both FieldType::Epoch, "Time of the first packet of the window, Unix seconds";
    End "end" "end" 2 Both FieldType::Epoch, "Time of the last packet of the window, Unix seconds";
    Action "action" "action" 2 Vpc FieldType::Text, "Decision: ACCEPT or REJECT";
    LogStatus "log-status" "log_status" 2 Both FieldType::Text, "OK, NODATA (no traffic in the window) or SKIPDATA (records were lost in it)";
    VpcId "vpc-id" "vpc_id" 3 Vpc FieldType::Text, "VPC of the interface";
    SubnetId "subnet-id" "subnet_id" 3 Vpc FieldType::Text, "Subnet of the interface";
    InstanceId "instance-id" "instance_id" 3 Vpc FieldType::Text, "Instance the interface is attached to, when it is the account's own";
    TcpFlags "tcp-flags" "tcp_flags" 3 Both OCTET, "OR of the TCP flags seen: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32";
    Type "type" "type" 3 Both FieldType::Text, "Kind of traffic: IPv4, IPv6 or EFA";
    PktSrcaddr "pkt-srcaddr" "pkt_srcaddr" 3 Vpc FieldType::Address, "Source address in the packet, before or after a hop such as NAT or a pod's interface";
    PktDstaddr "pkt-dstaddr" "pkt_dstaddr" 3 Vpc FieldType::Address, "Destination address in the packet";
    Region "region" "region" 4 Both FieldType::Text, "Region of the interface or transit gateway";
    AzId "az-id" "az_id" 4 Vpc FieldType::Text, "Availability Zone id (use1-az1), the same in every account";
    SublocationType "sublocation-type" "sublocation_type" 4 Vpc FieldType::Text, "Kind of sublocation: wavelength, outpost or localzone";
    SublocationId "sublocation-id" "sublocation_id" 4 Vpc FieldType::Text, "Sublocation id";
    PktSrcAwsService "pkt-src-aws-service" "pkt_src_aws_service" 5 Both FieldType::Text, "AWS service whose published ranges hold pkt-srcaddr";
    PktDstAwsService "pkt-dst-aws-service" "pkt_dst_aws_service" 5 Both FieldType::Text, "AWS service whose published ranges hold pkt-dstaddr";
    FlowDirection "flow-direction" "flow_direction" 5 Both FieldType::Text, "ingress or egress, as seen from the interface or the transit gateway";
    TrafficPath "traffic-path" "traffic_path" 5 Vpc OCTET, "Path of egress traffic: 1 within the VPC, 2 internet or gateway endpoint, 3 VPN or Direct Connect, 4 and 5 peering, 6 edge location, 7 gateway endpoint, 8 internet gateway";
    ResourceType "resource-type" "resource_type" 6 TransitGateway FieldType::Text, "Kind of resource the flow log is attached to";
    TgwId "tgw-id" "tgw_id" 6 TransitGateway FieldType::Text, "Transit gateway";
    TgwAttachmentId "tgw-attachment-id" "tgw_attachment_id" 6 TransitGateway FieldType::Text, "Attachment the traffic was recorded on";
    TgwSrcVpcAccountId "tgw-src-vpc-account-id" "tgw_src_vpc_account_id" 6 TransitGateway FieldType::Text, "Account of the source VPC";
    TgwDstVpcAccountId "tgw-dst-vpc-account-id" "tgw_dst_vpc_account_id" 6 TransitGateway FieldType::Text, "Account of the destination VPC";
    TgwSrcVpcId "tgw-src-vpc-id" "tgw_src_vpc_id" 6 TransitGateway FieldType::Text, "Source VPC";
    TgwDstVpcId "tgw-dst-vpc-id" "tgw_dst_vpc_id" 6 TransitGateway FieldType::Text, "Destination VPC";
    TgwSrcSubnetId "tgw-src-subnet-id" "tgw_src_subnet_id" 6 TransitGateway FieldType::Text, "Subnet of the gateway's interface on the source side";
    TgwDstSubnetId "tgw-dst-subnet-id" "tgw_dst_subnet_id" 6 TransitGateway FieldType::Text, "Subnet of the gateway's interface on the destination side";
    TgwSrcEni "tgw-src-eni" "tgw_src_eni" 6 TransitGateway FieldType::Text, "The gateway's interface on the source side";
    TgwDstEni "tgw-dst-eni" "tgw_dst_eni" 6 TransitGateway FieldType::Text, "The gateway's interface on the destination side";
    TgwSrcAzId "tgw-src-az-id" "tgw_src_az_id" 6 TransitGateway FieldType::Text, "Availability Zone id on the source side";
    TgwDstAzId "tgw-dst-az-id" "tgw_dst_az_id" 6 TransitGateway FieldType::Text, "Availability Zone id on the destination side";
    TgwPairAttachmentId "tgw-pair-attachment-id" "tgw_pair_attachment_id" 6 TransitGateway FieldType::Text, "The flow's other attachment";
    PacketsLostNoRoute "packets-lost-no-route" "packets_lost_no_route" 6 TransitGateway ANY, "Packets dropped because no route matched";
    PacketsLostBlackhole "packets-lost-blackhole" "packets_lost_blackhole" 6 TransitGateway ANY, "Packets dropped by a blackhole route";
    PacketsLostMtuExceeded "packets-lost-mtu-exceeded" "packets_lost_mtu_exceeded" 6 TransitGateway ANY, "Packets dropped because they exceeded the MTU";
    PacketsLostTtlExpired "packets-lost-ttl-expired" "packets_lost_ttl_expired" 6 TransitGateway ANY, "Packets dropped because their time to live ended";
    EcsClusterArn "ecs-cluster-arn" "ecs_cluster_arn" 7 Vpc FieldType::Text, "ECS cluster ARN, when the interface belongs to a running task";
    EcsClusterName "ecs-cluster-name" "ecs_cluster_name" 7 Vpc FieldType::Text, "ECS cluster name";
    EcsContainerInstanceArn "ecs-container-instance-arn" "ecs_container_instance_arn" 7 Vpc FieldType::Text, "ECS container instance ARN, on EC2 capacity";
    EcsContainerInstanceId "ecs-container-instance-id" "ecs_container_instance_id" 7 Vpc FieldType::Text, "ECS container instance id, on EC2 capacity";
    EcsContainerId "ecs-container-id" "ecs_container_id" 7 Vpc FieldType::Text, "Runtime id of the task's first container";
    EcsSecondContainerId "ecs-second-container-id" "ecs_second_container_id" 7 Vpc FieldType::Text, "Runtime id of the task's second container";
    EcsServiceName "ecs-service-name" "ecs_service_name" 7 Vpc FieldType::Text, "ECS service, when one started the task";
    EcsTaskDefinitionArn "ecs-task-definition-arn" "ecs_task_definition_arn" 7 Vpc FieldType::Text, "ECS task definition ARN";
    EcsTaskArn "ecs-task-arn" "ecs_task_arn" 7 Vpc FieldType::Text, "ECS task ARN";
    EcsTaskId "ecs-task-id" "ecs_task_id" 7 Vpc FieldType::Text, "ECS task id";
    RejectReason "reject-reason" "reject_reason" 8 Vpc FieldType::Text, "Why the traffic was rejected: BPA (VPC Block Public Access) or EC (encryption controls)";
    ResourceId "resource-id" "resource_id" 9 Vpc FieldType::Text, "Regional NAT gateway the flow was recorded on";
    EncryptionStatus "encryption-status" "encryption_status" 10 Vpc OCTET, "Encryption in transit: 0 none, 1 Nitro, 2 application, 3 both";
    InstanceTag "instance-tag" "instance_tag" 11 Vpc FieldType::Text, "Value of the first chosen instance tag, percent-encoded";
    InstanceTag2 "instance-tag-2" "instance_tag_2" 11 Vpc FieldType::Text, "Value of the second chosen instance tag, percent-encoded";
    InterfaceTag "interface-tag" "interface_tag" 11 Vpc FieldType::Text, "Value of the first chosen interface tag, percent-encoded";
    InterfaceTag2 "interface-tag-2" "interface_tag_2" 11 Vpc FieldType::Text, "Value of the second chosen interface tag, percent-encoded";
    AsgTag "asg-tag" "asg_tag" 11 Vpc FieldType::Text, "Value of the first chosen Auto Scaling group tag, percent-encoded";
    AsgTag2 "asg-tag-2" "asg_tag_2" 11 Vpc FieldType::Text, "Value of the second chosen Auto Scaling group tag, percent-encoded";
    InterfaceType "interface-type" "interface_type" 11 Vpc FieldType::Text, "Service behind the interface, such as nat_gateway or vpc_endpoint";
    NextHopInterfaceId "next-hop-interface-id" "next_hop_interface_id" 11 Vpc FieldType::Text, "Interface that receives egress or sends ingress traffic";
    NextHopSubnetId "next-hop-subnet-id" "next_hop_subnet_id" 11 Vpc FieldType::Text, "Subnet of the next hop's interface";
    NextHopAzId "next-hop-az-id" "next_hop_az_id" 11 Vpc FieldType::Text, "Availability Zone id of the next hop's interface";
    NextHopVpcId "next-hop-vpc-id" "next_hop_vpc_id" 11 Vpc FieldType::Text, "VPC of the next hop's interface";
    NextHopInterfaceType "next-hop-interface-type" "next_hop_interface_type" 11 Vpc FieldType::Text, "Service behind the next hop's interface";
}

/// How many fields are known.
pub const FIELD_COUNT: usize = FIELDS.len();

impl Field {
    /// The name as AWS writes it (`pkt-srcaddr`).
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The name in Parquet columns and delivered records (`pkt_srcaddr`).
    pub const fn column(self) -> &'static str {
        self.info().column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_at_its_fields_place_and_is_found_by_both_names() {
        for (index, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field as usize, index);
            assert_eq!(info.column, info.name.replace('-', "_"));
            assert_eq!(Field::from_name(info.name), Some(info.field));
            assert_eq!(Field::from_name(info.column), Some(info.field));
            assert_eq!(info.field.info(), info);
        }
        assert_eq!(Field::from_name("no-such-field"), None);
    }

    #[test]
    fn counts_are_those_of_the_user_guides() {
        let vpc = |since: u8| {
            FIELDS
                .iter()
                .filter(|f| f.offered != Offered::TransitGateway && f.since <= since)
                .count()
        };
        assert_eq!((vpc(2), vpc(5), vpc(10), vpc(11)), (14, 29, 42, 54));
        let transit = FIELDS.iter().filter(|f| f.offered != Offered::Vpc).count();
        assert_eq!(transit, 36);
    }
}
