//! The mapping to OCSF Network Activity (class 4001) as one table: every attribute that is written, its type, and
//! where its value is from. The JSON and the Parquet encoder follow it, and `docs/ocsf.md` is made from it.
//!
//! Names, types and numbers are those of the OCSF schema 1.3.0, the newest that a custom source of Security Lake may
//! have and the first with homes for owners and autonomous systems.

use telemetry::Field;
use telemetry::enrichment::field::End;
use telemetry::enrichment::{FlowField, SideField};

/// The version of the OCSF schema that events follow.
pub const VERSION: &str = "1.3.0";

/// The profiles that events have attributes of.
pub const PROFILES: &[&str] = &["cloud", "datetime", "security_control"];

/// The type of an attribute, as the schema names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// `string_t`, and `hostname_t`.
    Text,
    /// `integer_t`, and `port_t`.
    Integer,
    /// `long_t`; also `integer_t` where 31 bits are not enough.
    Long,
    /// `timestamp_t`: milliseconds since 1970.
    Timestamp,
    /// `datetime_t`: the same time as RFC 3339 text in JSON, as a timestamp of microseconds in Parquet.
    DateTime,
    /// `ip_t`.
    Address,
    /// A list of `ip_t`.
    Addresses,
    /// A list of `string_t`.
    Texts,
}

impl AttributeType {
    /// As the documentation spells it.
    pub const fn label(self) -> &'static str {
        match self {
            AttributeType::Text => "string",
            AttributeType::Integer => "integer",
            AttributeType::Long => "long",
            AttributeType::Timestamp => "timestamp",
            AttributeType::DateTime => "datetime",
            AttributeType::Address => "ip",
            AttributeType::Addresses => "list of ip",
            AttributeType::Texts => "list of string",
        }
    }
}

/// Where an attribute's value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Always this text.
    Constant(&'static str),
    /// Always this number.
    Number(i64),
    /// Always these texts.
    List(&'static [&'static str]),
    /// An enriched field of a side.
    Side(End, SideField),
    /// An enriched field of the flow.
    Flow(FlowField),
    /// A column of a flow log.
    Column(Field),
    /// A column of a flow log about the interface that logged it, when that is at this end.
    Interface(End, Field),
    /// A member of a firewall log's entry.
    Member(&'static [&'static str]),
    /// Made of several; the text says how.
    Made(&'static str),
}

macro_rules! attributes {
    ($( $variant:ident = $path:literal $type:ident [$($source:expr),+ $(,)?]; )*) => {
        /// An attribute of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Attribute { $( #[doc = $path] $variant, )* }

        impl Attribute {
            /// Every attribute, in the order of delivery: those of an object stand together.
            pub const ALL: &'static [Attribute] = &[ $( Attribute::$variant, )* ];

            /// The attribute's path from the event, such as `src_endpoint.ip`.
            pub const fn path(self) -> &'static str {
                match self { $( Attribute::$variant => $path, )* }
            }

            /// The type of its values.
            pub const fn attribute_type(self) -> AttributeType {
                match self { $( Attribute::$variant => AttributeType::$type, )* }
            }

            /// Where its value is from: the first that has one.
            pub const fn sources(self) -> &'static [Source] {
                match self { $( Attribute::$variant => &[ $( $source, )+ ], )* }
            }
        }
    };
}

use End::{Destination as Dst, Source as Src};
use Source::{Column, Constant, Flow, Interface, List, Made, Member, Number, Side};

/// Numbers that a caption is of, and the caption: OCSF's enumerations.
const CAPTION: Source = Made("the caption of the number");

attributes! {
    ActivityId = "activity_id" Integer [Made("6 for ACCEPT, for flows without a decision and for what a firewall lets pass; 5 for REJECT and for what a firewall drops or rejects; 4 for failed TLS; 0 when the decision is `-`")];
    ActivityName = "activity_name" Text [CAPTION];
    CategoryUid = "category_uid" Integer [Number(4)];
    CategoryName = "category_name" Text [Constant("Network Activity")];
    ClassUid = "class_uid" Integer [Number(4001)];
    ClassName = "class_name" Text [Constant("Network Activity")];
    TypeUid = "type_uid" Long [Made("class_uid x 100 + activity_id")];
    TypeName = "type_name" Text [CAPTION];
    SeverityId = "severity_id" Integer [Made("of an alert: 4, 3, 2, 1 for Suricata's severities 1 to 4; else 1")];
    Severity = "severity" Text [CAPTION];
    Time = "time" Timestamp [Made("the start of a flow, or its end where the log has no start; the timestamp of an alert or TLS entry")];
    TimeDt = "time_dt" DateTime [Made("the same")];
    StartTime = "start_time" Timestamp [Made("the start of a flow")];
    StartTimeDt = "start_time_dt" DateTime [Made("the same")];
    EndTime = "end_time" Timestamp [Made("the end of a flow")];
    EndTimeDt = "end_time_dt" DateTime [Made("the same")];
    StatusId = "status_id" Integer [Made("1 for what passes, 2 for what is rejected, dropped or failed, else 0")];
    Status = "status" Text [CAPTION];
    StatusCode = "status_code" Text [Column(Field::LogStatus), Member(&["event", "revocation_check", "status"])];
    StatusDetail = "status_detail" Text [Flow(FlowField::RejectExplanation), Member(&["event", "tls_error", "error_message"])];
    ActionId = "action_id" Integer [Made("1 for ACCEPT, pass, alert and allowed; 2 for REJECT, drop, reject and blocked; 99 for others; 0 when there is no decision")];
    Action = "action" Text [Made("the caption of the number; of 99 the decision itself")];
    DispositionId = "disposition_id" Integer [Made("1 for ACCEPT, pass and allowed; 19 for alert; 2 for REJECT, reject and blocked; 6 for drop; 99 for others; 0 when there is no decision")];
    Disposition = "disposition" Text [Made("the caption of the number; of 99 the decision itself")];

    CloudProvider = "cloud.provider" Text [Constant("AWS")];
    CloudRegion = "cloud.region" Text [Column(Field::Region)];
    CloudZone = "cloud.zone" Text [Column(Field::AzId), Member(&["availability_zone"])];
    CloudAccountUid = "cloud.account.uid" Text [Column(Field::AccountId)];
    CloudAccountTypeId = "cloud.account.type_id" Integer [Made("10 beside an account's uid")];
    CloudAccountType = "cloud.account.type" Text [CAPTION];

    DirectionId = "connection_info.direction_id" Integer [Made("1 for ingress, 2 for egress, as the record or else the enrichment has it; 0 when it is not known")];
    Direction = "connection_info.direction" Text [CAPTION];
    BoundaryId = "connection_info.boundary_id" Integer [Made("traffic-path + 3; without one, by the enriched `via`; of flows, 0 when it is not known")];
    Boundary = "connection_info.boundary" Text [CAPTION];
    ProtocolNum = "connection_info.protocol_num" Integer [Column(Field::Protocol), Made("the number of a firewall's `event.proto`")];
    ProtocolName = "connection_info.protocol_name" Text [Made("IANA's keyword of the number, in lower case")];
    ProtocolVer = "connection_info.protocol_ver" Text [Made("`type` as it is; IPv4 or IPv6 by the addresses where the log lacks it")];
    ProtocolVerId = "connection_info.protocol_ver_id" Integer [Made("4 for IPv4, 6 for IPv6, 99 for others")];
    TcpFlags = "connection_info.tcp_flags" Integer [Column(Field::TcpFlags), Member(&["event", "tcp", "tcp_flags"]), Member(&["event", "netflow", "tcp_flags"])];
    ConnectionUid = "connection_info.uid" Text [Member(&["event", "flow_id"])];

    SrcIp = "src_endpoint.ip" Address [Made("pkt-srcaddr, or srcaddr without one"), Member(&["event", "src_ip"])];
    SrcIntermediateIps = "src_endpoint.intermediate_ips" Addresses [Made("srcaddr, where pkt-srcaddr is another")];
    SrcPort = "src_endpoint.port" Integer [Column(Field::Srcport), Member(&["event", "src_port"])];
    SrcUid = "src_endpoint.uid" Text [Side(Src, SideField::ResourceId)];
    SrcName = "src_endpoint.name" Text [Side(Src, SideField::ResourceName), Made("`Unknown` when nothing at all identifies the endpoint, which the schema demands")];
    SrcTypeId = "src_endpoint.type_id" Integer [Made("by the enriched `src_resource_type`")];
    SrcType = "src_endpoint.type" Text [Made("the caption of the number; of 99 the resource type itself")];
    SrcSvcName = "src_endpoint.svc_name" Text [Side(Src, SideField::Service), Column(Field::PktSrcAwsService)];
    SrcInterfaceUid = "src_endpoint.interface_uid" Text [Side(Src, SideField::InterfaceId), Interface(Src, Field::InterfaceId)];
    SrcInstanceUid = "src_endpoint.instance_uid" Text [Side(Src, SideField::InstanceId), Interface(Src, Field::InstanceId)];
    SrcSubnetUid = "src_endpoint.subnet_uid" Text [Side(Src, SideField::SubnetId), Interface(Src, Field::SubnetId)];
    SrcVpcUid = "src_endpoint.vpc_uid" Text [Side(Src, SideField::VpcId), Interface(Src, Field::VpcId), Column(Field::TgwSrcVpcId)];
    SrcZone = "src_endpoint.zone" Text [Side(Src, SideField::AzId)];
    SrcOwnerAccountUid = "src_endpoint.owner.account.uid" Text [Side(Src, SideField::AccountId), Column(Field::TgwSrcVpcAccountId)];
    SrcOwnerAccountName = "src_endpoint.owner.account.name" Text [Side(Src, SideField::AccountName)];
    SrcOwnerAccountTypeId = "src_endpoint.owner.account.type_id" Integer [Made("10 beside an account")];
    SrcOwnerAccountType = "src_endpoint.owner.account.type" Text [CAPTION];
    SrcCountry = "src_endpoint.location.country" Text [Side(Src, SideField::Country)];
    SrcAsNumber = "src_endpoint.autonomous_system.number" Long [Side(Src, SideField::Asn)];
    SrcAsName = "src_endpoint.autonomous_system.name" Text [Side(Src, SideField::AsOrg)];

    DstIp = "dst_endpoint.ip" Address [Made("pkt-dstaddr, or dstaddr without one"), Member(&["event", "dest_ip"])];
    DstIntermediateIps = "dst_endpoint.intermediate_ips" Addresses [Made("dstaddr, where pkt-dstaddr is another")];
    DstPort = "dst_endpoint.port" Integer [Column(Field::Dstport), Member(&["event", "dest_port"])];
    DstHostname = "dst_endpoint.hostname" Text [Made("the `event.sni` of a TLS entry, when it is a host's name")];
    DstUid = "dst_endpoint.uid" Text [Side(Dst, SideField::ResourceId)];
    DstName = "dst_endpoint.name" Text [Side(Dst, SideField::ResourceName), Made("as above")];
    DstTypeId = "dst_endpoint.type_id" Integer [Made("by the enriched `dst_resource_type`")];
    DstType = "dst_endpoint.type" Text [Made("the caption of the number; of 99 the resource type itself")];
    DstSvcName = "dst_endpoint.svc_name" Text [Side(Dst, SideField::Service), Column(Field::PktDstAwsService)];
    DstInterfaceUid = "dst_endpoint.interface_uid" Text [Side(Dst, SideField::InterfaceId), Interface(Dst, Field::InterfaceId)];
    DstInstanceUid = "dst_endpoint.instance_uid" Text [Side(Dst, SideField::InstanceId), Interface(Dst, Field::InstanceId)];
    DstSubnetUid = "dst_endpoint.subnet_uid" Text [Side(Dst, SideField::SubnetId), Interface(Dst, Field::SubnetId)];
    DstVpcUid = "dst_endpoint.vpc_uid" Text [Side(Dst, SideField::VpcId), Interface(Dst, Field::VpcId), Column(Field::TgwDstVpcId)];
    DstZone = "dst_endpoint.zone" Text [Side(Dst, SideField::AzId)];
    DstOwnerAccountUid = "dst_endpoint.owner.account.uid" Text [Side(Dst, SideField::AccountId), Column(Field::TgwDstVpcAccountId)];
    DstOwnerAccountName = "dst_endpoint.owner.account.name" Text [Side(Dst, SideField::AccountName)];
    DstOwnerAccountTypeId = "dst_endpoint.owner.account.type_id" Integer [Made("10 beside an account")];
    DstOwnerAccountType = "dst_endpoint.owner.account.type" Text [CAPTION];
    DstCountry = "dst_endpoint.location.country" Text [Side(Dst, SideField::Country)];
    DstAsNumber = "dst_endpoint.autonomous_system.number" Long [Side(Dst, SideField::Asn)];
    DstAsName = "dst_endpoint.autonomous_system.name" Text [Side(Dst, SideField::AsOrg)];

    TrafficBytes = "traffic.bytes" Long [Column(Field::Bytes), Member(&["event", "netflow", "bytes"])];
    TrafficBytesOut = "traffic.bytes_out" Long [Made("the same: a record is of one direction, from the source")];
    TrafficPackets = "traffic.packets" Long [Column(Field::Packets), Member(&["event", "netflow", "pkts"])];
    TrafficPacketsOut = "traffic.packets_out" Long [Made("the same")];

    RuleUid = "firewall_rule.uid" Text [Flow(FlowField::RejectId), Member(&["event", "alert", "signature_id"])];
    RuleName = "firewall_rule.name" Text [Flow(FlowField::RejectRule), Member(&["event", "alert", "signature"])];
    RuleType = "firewall_rule.type" Text [Made("the enriched `reject_by`, beside a rule's uid")];
    RuleCategory = "firewall_rule.category" Text [Member(&["event", "alert", "category"])];
    RuleVersion = "firewall_rule.version" Text [Member(&["event", "alert", "rev"])];

    TlsVersion = "tls.version" Text [Member(&["event", "tls", "version"])];
    TlsSni = "tls.sni" Text [Made("`event.tls.sni`, beside a version")];

    MetadataVersion = "metadata.version" Text [Constant(VERSION)];
    MetadataProfiles = "metadata.profiles" Texts [List(PROFILES)];
    MetadataLoggedTime = "metadata.logged_time" Timestamp [Made("`event_timestamp` of a firewall's entry")];
    ProductName = "metadata.product.name" Text [Made("`Amazon VPC`, `AWS Transit Gateway` or `AWS Network Firewall`")];
    ProductVendorName = "metadata.product.vendor_name" Text [Constant("AWS")];
    ProductVersion = "metadata.product.version" Text [Column(Field::Version)];
    FeatureName = "metadata.product.feature.name" Text [Made("`Flowlogs`; of a firewall `Alert`, `Flow`, `TLS`, or the event's type")];
}

/// How many attributes there are.
pub(super) const COUNT: usize = Attribute::ALL.len();

/// What observables have in common: their types' numbers and captions.
pub(super) const IP_ADDRESS: (i64, &str) = (2, "IP Address");
const RESOURCE_UID: (i64, &str) = (10, "Resource UID");
const HOSTNAME: (i64, &str) = (1, "Hostname");

/// The attributes that are listed in `observables` as well: the name they have there, and the type.
pub(super) const OBSERVABLES: &[(Attribute, &str, (i64, &str))] = &[
    (Attribute::SrcIp, "src_endpoint.ip", IP_ADDRESS),
    (
        Attribute::SrcIntermediateIps,
        "src_endpoint.intermediate_ips[]",
        IP_ADDRESS,
    ),
    (
        Attribute::SrcInstanceUid,
        "src_endpoint.instance_uid",
        RESOURCE_UID,
    ),
    (Attribute::DstIp, "dst_endpoint.ip", IP_ADDRESS),
    (
        Attribute::DstIntermediateIps,
        "dst_endpoint.intermediate_ips[]",
        IP_ADDRESS,
    ),
    (Attribute::DstHostname, "dst_endpoint.hostname", HOSTNAME),
    (
        Attribute::DstInstanceUid,
        "dst_endpoint.instance_uid",
        RESOURCE_UID,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_attribute_stands_at_its_place_and_objects_stand_together() {
        let mut ended: HashSet<&str> = HashSet::new();
        let mut open: Vec<&str> = Vec::new();
        for (index, attribute) in Attribute::ALL.iter().enumerate() {
            assert_eq!(*attribute as usize, index);
            let path = attribute.path();
            let objects: Vec<&str> = path.match_indices('.').map(|(at, _)| &path[..at]).collect();
            for object in open.iter().filter(|object| !objects.contains(object)) {
                ended.insert(object);
            }
            assert!(
                !objects.iter().any(|object| ended.contains(object)),
                "{path}"
            );
            open = objects;
        }
    }

    #[test]
    fn no_source_feeds_two_attributes() {
        let mut seen = Vec::new();
        for attribute in Attribute::ALL {
            for source in attribute.sources() {
                let one = !matches!(source, Made(_) | Constant(_) | Number(_) | List(_));
                if one {
                    assert!(!seen.contains(source), "{source:?} is of two attributes");
                    seen.push(*source);
                }
            }
        }
    }
}
