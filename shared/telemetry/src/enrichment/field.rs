//! The dictionary of what enrichment adds to records: one table for the sides, one for the flow.
//!
//! The documentation is made from these tables, and the selection of fields is checked against them.

use std::sync::Arc;

/// How much is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Who, by ids, and which way.
    Minimal,
    /// With names, resources, gateways, cost and reasons.
    Standard,
    /// Everything that is known.
    Full,
}

impl Level {
    /// Every level, from the least to the most.
    pub const ALL: [Level; 3] = [Level::Minimal, Level::Standard, Level::Full];

    /// As the setting spells it.
    pub const fn label(self) -> &'static str {
        match self {
            Level::Minimal => "minimal",
            Level::Standard => "standard",
            Level::Full => "full",
        }
    }
}

/// What kind of value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    Text,
    /// An unsigned integer.
    Integer,
    /// A decimal number.
    Decimal,
    /// True or false.
    Boolean,
    /// A list of texts.
    Texts,
}

impl ValueType {
    /// As the documentation spells it.
    pub const fn label(self) -> &'static str {
        match self {
            ValueType::Text => "text",
            ValueType::Integer => "integer",
            ValueType::Decimal => "number",
            ValueType::Boolean => "boolean",
            ValueType::Texts => "list of texts",
        }
    }
}

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'v> {
    /// Text.
    Text(&'v str),
    /// An unsigned integer.
    Integer(u64),
    /// A decimal number.
    Decimal(f64),
    /// True or false.
    Boolean(bool),
    /// A list of texts.
    Texts(&'v [Arc<str>]),
}

/// The end of a flow that a field is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Who sends.
    Source,
    /// Who receives.
    Destination,
}

impl End {
    /// Both, the source first.
    pub const BOTH: [End; 2] = [End::Source, End::Destination];

    /// What the names of its fields begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            End::Source => "src_",
            End::Destination => "dst_",
        }
    }
}

macro_rules! fields {
    (
        $(#[$doc:meta])*
        $name:ident { $( $variant:ident = $text:literal $type:ident $level:ident $meaning:literal, $source:literal; )* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $( #[doc = $meaning] $variant, )* }

        impl $name {
            /// Every field, in the order of delivery.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The field's name; those of sides without their prefix.
            pub const fn name(self) -> &'static str {
                match self { $( $name::$variant => $text, )* }
            }

            /// The type of its values.
            pub const fn value_type(self) -> ValueType {
                match self { $( $name::$variant => ValueType::$type, )* }
            }

            /// From which level on it is added.
            pub const fn level(self) -> Level {
                match self { $( $name::$variant => Level::$level, )* }
            }

            /// What it tells.
            pub const fn meaning(self) -> &'static str {
                match self { $( $name::$variant => $meaning, )* }
            }

            /// Where it is from.
            pub const fn source(self) -> &'static str {
                match self { $( $name::$variant => $source, )* }
            }

            const fn bit(self) -> u32 {
                1 << self as u8
            }
        }
    };
}

fields! {
    /// A field of a side; each record has it for the source and for the destination.
    SideField {
        Status = "status" Text Minimal
            "`hit`: it is known what this side is; `stale`: it was, and may have changed since; `miss`: it is not known",
            "the index";
        How = "how" Text Standard
            "How it was found, or why not: see [how a side is found](#how-a-side-is-found)",
            "the index";
        AccountId = "account_id" Text Minimal
            "Account that owns the interface, subnet or VPC",
            "`OwnerId`";
        AccountName = "account_name" Text Standard
            "The account's name in the organization, or its alias",
            "`ListAccounts`, `ListAccountAliases`";
        Region = "region" Text Full
            "Region",
            "the record's `region`, or where it was collected";
        AzId = "az_id" Text Standard
            "Availability Zone id, the same in every account",
            "the record's `az-id`, `AvailabilityZoneId`";
        VpcId = "vpc_id" Text Minimal
            "VPC",
            "the record's `vpc-id`, `VpcId`";
        VpcName = "vpc_name" Text Standard
            "The VPC's `Name` tag",
            "`DescribeVpcs`";
        SubnetId = "subnet_id" Text Full
            "Subnet",
            "the record's `subnet-id`, `SubnetId`";
        SubnetName = "subnet_name" Text Standard
            "The subnet's `Name` tag",
            "`DescribeSubnets`";
        InterfaceId = "interface_id" Text Minimal
            "Network interface",
            "`DescribeNetworkInterfaces`";
        InterfaceType = "interface_type" Text Full
            "Type of the interface, as AWS spells it",
            "`InterfaceType`";
        InstanceId = "instance_id" Text Full
            "Instance that the interface is attached to",
            "the record's `instance-id`, `Attachment.InstanceId`";
        InstanceName = "instance_name" Text Full
            "The instance's `Name` tag",
            "`DescribeInstances`";
        ResourceType = "resource_type" Text Standard
            "What the address belongs to: `instance`, `ecs-task`, `application-load-balancer`, `nat-gateway`, `interface-endpoint`, `lambda-function`, `prefix-list` and others",
            "type, description, requester and tags of the interface";
        ResourceId = "resource_id" Text Full
            "Its id or ARN",
            "as above";
        ResourceName = "resource_name" Text Standard
            "Its name",
            "as above";
        Service = "service" Text Standard
            "AWS service: of an endpoint, or of a public address",
            "`ServiceName`, the record's `pkt-src-aws-service` and `pkt-dst-aws-service`, `ip-ranges.json`";
        SecurityGroups = "security_groups" Texts Full
            "Security groups of the interface",
            "`Groups`";
        Seen = "seen" Integer Full
            "When an interface that has vanished was last seen, Unix seconds",
            "the index";
        Country = "country" Text Standard
            "Country of a public address, ISO 3166-1 alpha-2",
            "the GeoIP database, when one is configured";
        Asn = "asn" Integer Standard
            "Autonomous system number of a public address",
            "the ASN database, when one is configured";
        AsOrg = "as_org" Text Full
            "Organization of the autonomous system",
            "the ASN database, when one is configured";
    }
}

fields! {
    /// A field of the flow.
    FlowField {
        Device = "device" Text Minimal
            "What logged the flow: the VPC, subnet, interface, transit gateway or firewall, or the log's folder; `CLOUD_EXPORT_DEVICE` chooses",
            "the record, the index";
        DeviceType = "device_type" Text Full
            "`vpc`, `subnet`, `interface`, `nat-gateway`, `transit-gateway`, `firewall` or `folder`",
            "the record";
        DeviceName = "device_name" Text Full
            "The device's `Name` tag, or the firewall's name",
            "the index";
        Direction = "direction" Text Minimal
            "`ingress` or `egress`, as seen from the interface or the transit gateway",
            "the record's `flow-direction`, else which of the addresses is the interface's own";
        GatewayType = "gateway_type" Text Standard
            "What the subnet's route to the far side leads to: `internet-gateway`, `nat-gateway`, `transit-gateway`, `virtual-private-gateway`, `peering-connection`, `gateway-endpoint`, `firewall` and others; absent within the VPC",
            "`DescribeRouteTables`";
        GatewayId = "gateway_id" Text Standard
            "Its id",
            "`DescribeRouteTables`";
        Via = "via" Text Minimal
            "What carries the traffic: see [classes of data transfer](#classes-of-data-transfer)",
            "`traffic-path`, next hop, routes";
        Scope = "scope" Text Minimal
            "How far it goes: see [classes of data transfer](#classes-of-data-transfer)",
            "both sides";
        Confidence = "confidence" Text Standard
            "How far `via` and `scope` can be relied on: `high`, `medium`, `low`",
            "what they were told by";
        TransferCostUsd = "transfer_cost_usd" Decimal Standard
            "What AWS meters for these bytes at the place of this record, at list price, in USD; sums over all records are the estimate",
            "the price table";
        CountVolume = "count_volume" Boolean Minimal
            "Whether this is the record to count for volume, since a flow between two logged interfaces is recorded at both",
            "direction, `DescribeFlowLogs`";
        ProtocolName = "protocol_name" Text Standard
            "The protocol's keyword",
            "IANA protocol numbers";
        TcpFlagNames = "tcp_flag_names" Text Full
            "Names of the TCP flags, joined by `|`",
            "RFC 9293";
        RejectBy = "reject_by" Text Standard
            "What rejects the flow: `network-acl`, `security-group`, `block-public-access`, `encryption-controls`; `would-accept` when nothing does by the current metadata; `unknown`",
            "rules of the interface's groups and its subnet's network ACL";
        RejectId = "reject_id" Text Standard
            "The network ACL, or the security groups separated by spaces",
            "as above";
        RejectRule = "reject_rule" Text Standard
            "The network ACL's entry: its direction and number, `inbound 100`; `*` is the last one",
            "`DescribeNetworkAcls`";
        RejectExplanation = "reject_explanation" Text Standard
            "The reason as a sentence",
            "as above";
        SampleRate = "sample_rate" Integer Minimal
            "Only on records that were sampled: how many this one stands for; bytes, packets and counts times this are what all have on average",
            "the selection of records";
        Metadata = "metadata" Text Minimal
            "Only when the index could not be used in full: `missing`, `stale`, `corrupt`, `newer`, `unreadable`",
            "the index";
    }
}

impl FlowField {
    /// Those that are a record's own: others may be alike for many.
    pub const OWN: [FlowField; 8] = [
        FlowField::TransferCostUsd,
        FlowField::ProtocolName,
        FlowField::TcpFlagNames,
        FlowField::RejectBy,
        FlowField::RejectId,
        FlowField::RejectRule,
        FlowField::RejectExplanation,
        FlowField::SampleRate,
    ];
}

/// The fields that are added to records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSet {
    sides: [u32; 2],
    flow: u32,
    tags: Vec<Box<str>>,
}

/// Why a selection of fields is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSetError {
    /// A name that nothing has.
    #[error(
        "{0:?} is no field: use none, minimal, standard, full, or names of fields such as src_vpc_id, vpc_id for both sides, via; docs/fields.md lists them"
    )]
    Unknown(String),
}

impl FieldSet {
    /// Nothing.
    pub const NONE: FieldSet = FieldSet {
        sides: [0; 2],
        flow: 0,
        tags: Vec::new(),
    };

    /// All fields of a level.
    pub fn of(level: Level) -> FieldSet {
        let side = SideField::ALL.iter().filter(|f| f.level() <= level);
        let side = side.fold(0, |bits, field| bits | field.bit());
        let flow = FlowField::ALL.iter().filter(|f| f.level() <= level);
        FieldSet {
            sides: [side; 2],
            flow: flow.fold(0, |bits, field| bits | field.bit()),
            tags: Vec::new(),
        }
    }

    /// Reads a selection: levels and names of fields, separated by commas or spaces. Names of sides' fields may
    /// have their prefix or, for both sides, not.
    ///
    /// # Errors
    /// A name is none.
    pub fn parse(text: &str) -> Result<FieldSet, FieldSetError> {
        let mut set = FieldSet::NONE;
        let names = text.split(|c: char| c == ',' || c.is_whitespace());
        for name in names.filter(|name| !name.is_empty() && *name != "none") {
            if let Some(level) = Level::ALL.into_iter().find(|level| level.label() == name) {
                let all = FieldSet::of(level);
                let sides = set.sides.iter_mut().zip(all.sides);
                sides.for_each(|(bits, more)| *bits |= more);
                set.flow |= all.flow;
                continue;
            }
            if let Some(field) = FlowField::ALL.iter().find(|field| field.name() == name) {
                set.flow |= field.bit();
                continue;
            }
            let mut found = false;
            for (end, bits) in End::BOTH.into_iter().zip(&mut set.sides) {
                let of_side = |field: &&SideField| {
                    field.name() == name || name.strip_prefix(end.prefix()) == Some(field.name())
                };
                if let Some(field) = SideField::ALL.iter().find(of_side) {
                    *bits |= field.bit();
                    found = true;
                }
            }
            if !found {
                return Err(FieldSetError::Unknown(name.to_owned()));
            }
        }
        Ok(set)
    }

    /// The same fields, and this one of the flow.
    #[must_use]
    pub fn with_flow(mut self, field: FlowField) -> FieldSet {
        self.flow |= field.bit();
        self
    }

    /// The same fields, and tags of these keys: `src_tag_<key>` and `dst_tag_<key>`. A key that is named again adds
    /// nothing.
    #[must_use]
    pub fn with_tags<'t>(mut self, keys: impl IntoIterator<Item = &'t str>) -> FieldSet {
        self.tags.clear();
        for key in keys {
            if !self.tags.iter().any(|known| **known == *key) {
                self.tags.push(key.into());
            }
        }
        self
    }

    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        self.sides == [0; 2] && self.flow == 0 && self.tags.is_empty()
    }

    /// Whether a field of a side is added.
    #[inline]
    pub fn has_side(&self, end: End, field: SideField) -> bool {
        let [source, destination] = self.sides;
        let bits = match end {
            End::Source => source,
            End::Destination => destination,
        };
        bits & field.bit() != 0
    }

    /// Whether a field of the flow is added.
    #[inline]
    pub fn has_flow(&self, field: FlowField) -> bool {
        self.flow & field.bit() != 0
    }

    /// Keys of the tags that are added.
    pub fn tags(&self) -> &[Box<str>] {
        &self.tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::field::FIELDS;

    #[test]
    fn levels_grow_and_names_select() {
        let [minimal, standard, full] = Level::ALL.map(FieldSet::of);
        assert!(minimal.has_side(End::Source, SideField::VpcId));
        assert!(!minimal.has_side(End::Source, SideField::VpcName));
        assert!(standard.has_flow(FlowField::GatewayId));
        assert!(!standard.has_flow(FlowField::TcpFlagNames));
        assert!(FlowField::ALL.iter().all(|field| full.has_flow(*field)));
        assert_eq!(FieldSet::parse("standard"), Ok(standard));
        let chosen = FieldSet::parse("via, src_vpc_id subnet_id").unwrap();
        assert!(chosen.has_side(End::Source, SideField::VpcId));
        assert!(!chosen.has_side(End::Destination, SideField::VpcId));
        assert!(chosen.has_side(End::Destination, SideField::SubnetId));
        assert!(chosen.has_flow(FlowField::Via) && !chosen.has_flow(FlowField::Scope));
        assert!(FieldSet::parse(" none ").unwrap().is_empty());
        let error = FieldSet::parse("minimal,src_nothing").unwrap_err();
        assert!(error.to_string().contains("\"src_nothing\" is no field"));
    }

    #[test]
    fn a_tag_that_is_named_again_adds_nothing() {
        let tags = |keys: &[&str]| FieldSet::NONE.with_tags(keys.iter().copied());
        let twice = tags(&["team", "cost-center", "team", "Team", "cost-center"]);
        assert_eq!(twice, tags(&["team", "cost-center", "Team"]));
        assert_eq!(twice.tags().len(), 3);
    }

    #[test]
    fn no_field_is_named_as_one_of_aws_or_another_one() {
        let mut names: Vec<String> = FlowField::ALL.iter().map(|f| f.name().to_owned()).collect();
        for end in End::BOTH {
            let fields = SideField::ALL.iter();
            names.extend(fields.map(|f| format!("{}{}", end.prefix(), f.name())));
        }
        names.extend(FIELDS.iter().map(|info| info.column.to_owned()));
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(SideField::ALL.len() <= 32 && FlowField::ALL.len() <= 32);
    }
}
