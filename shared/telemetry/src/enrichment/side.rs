//! What a side of a flow is found to be.

use std::sync::Arc;

use super::field::{FieldValue, SideField};
use super::transfer::{self, InterfaceKind, Place};

/// Whether it is known what a side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is known.
    Hit,
    /// It was so when AWS was last asked, and may have changed since.
    Stale,
    /// It is not known.
    Miss,
}

impl Status {
    /// As records have it.
    pub const fn label(self) -> &'static str {
        match self {
            Status::Hit => "hit",
            Status::Stale => "stale",
            Status::Miss => "miss",
        }
    }
}

macro_rules! hows {
    ($( $variant:ident = $label:literal $status:ident $meaning:literal; )*) => {
        /// How a side was found, or why it was not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum How { $( #[doc = $meaning] $variant, )* }

        impl How {
            /// Every way, those that find first.
            pub const ALL: &'static [How] = &[ $( How::$variant, )* ];

            /// As records have it.
            pub const fn label(self) -> &'static str {
                match self { $( How::$variant => $label, )* }
            }

            /// Whether something was found.
            pub const fn status(self) -> Status {
                match self { $( How::$variant => Status::$status, )* }
            }

            /// What it says.
            pub const fn meaning(self) -> &'static str {
                match self { $( How::$variant => $meaning, )* }
            }
        }
    };
}

hows! {
    Record = "record" Hit "The record's own columns tell it; the index adds nothing or only names";
    Interface = "interface" Hit "It is the interface that logged the flow";
    Address = "address" Hit "An interface of the same VPC has the address: primary, secondary, IPv6, or in a prefix delegated to it";
    PublicAddress = "public-address" Hit "The address is a public or elastic one of an account that is collected";
    Peering = "peering" Hit "In the VPC that the route's peering connection leads to";
    TransitGateway = "transit-gateway" Hit "In the VPC that the transit gateway's route tables lead to";
    CoreNetwork = "core-network" Hit "In the VPC that the core network's routes lead to";
    DirectConnect = "direct-connect" Hit "On-premises, by Direct Connect";
    Vpn = "vpn" Hit "On-premises, by VPN";
    Hybrid = "vpn-or-direct-connect" Hit "On-premises, by a virtual private gateway that has both, or of which it is not known";
    Subnet = "subnet" Hit "In this subnet; no interface is known to have the address at that time";
    Vpc = "vpc" Hit "In this VPC; no subnet or interface is known to have the address";
    PrefixList = "prefix-list" Hit "In a block of this prefix list";
    AwsService = "aws-service" Hit "A public address of this AWS service";
    Public = "public" Hit "A public address of somebody else";
    NoIndex = "no-index" Miss "There is no index of the account and region";
    IndexCorrupt = "index-corrupt" Miss "The index is damaged";
    IndexNewer = "index-newer" Miss "The index was written by a newer version";
    IndexUnreadable = "index-unreadable" Miss "The index could not be read, or does not fit the memory that is set for it";
    UnknownInterface = "unknown-interface" Miss "The interface that logged the flow is not in the index, and the record does not tell its VPC";
    UnknownVpc = "unknown-vpc" Miss "The VPC is not in the index";
    UnknownAddress = "unknown-address" Miss "A private address that no route of the VPC leads to";
    AmbiguousAddress = "ambiguous-address" Miss "Several VPCs that can be reached have the address, and the routes are not known";
    NoAddress = "no-address" Miss "The record has no address";
}

/// A side of a flow: who it is, and how that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Whether it is known.
    pub status: Status,
    /// How it was found, or why not.
    pub how: How,
    /// Where the address belongs.
    pub place: Place,
    /// When an interface that vanished was last seen, Unix seconds.
    pub seen: Option<u32>,
    /// Who it is. Sides share it: the same interface is found in several ways.
    pub party: Arc<Party>,
}

/// What is known of who has an address, however it was found. What is not known is absent. Parties share the texts that
/// many of them have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// What kind of interface has the address.
    pub kind: InterfaceKind,
    /// Owner of the interface, subnet or VPC.
    pub account_id: Option<Arc<str>>,
    /// The account's name.
    pub account_name: Option<Arc<str>>,
    /// Region.
    pub region: Option<Arc<str>>,
    /// Zone id.
    pub az_id: Option<Arc<str>>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// The VPC's name.
    pub vpc_name: Option<Arc<str>>,
    /// Subnet.
    pub subnet_id: Option<Arc<str>>,
    /// The subnet's name.
    pub subnet_name: Option<Arc<str>>,
    /// Interface.
    pub interface_id: Option<Arc<str>>,
    /// The interface's type, as AWS spells it.
    pub interface_type: Option<Arc<str>>,
    /// Instance.
    pub instance_id: Option<Arc<str>>,
    /// The instance's name.
    pub instance_name: Option<Arc<str>>,
    /// What it belongs to.
    pub resource_type: Option<Arc<str>>,
    /// Its id or ARN.
    pub resource_id: Option<Arc<str>>,
    /// Its name.
    pub resource_name: Option<Arc<str>>,
    /// AWS service.
    pub service: Option<Arc<str>>,
    /// Security groups.
    pub security_groups: Arc<[Arc<str>]>,
    /// The tags that were chosen and are there.
    pub tags: Box<[(Arc<str>, Arc<str>)]>,
    /// Country.
    pub country: Option<Arc<str>>,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// The autonomous system's organization.
    pub as_org: Option<Arc<str>>,
    /// Whether a flow log of the interface's accepted traffic is active; `None` when it is not known.
    pub logged: Option<bool>,
    /// Region that a service's address is published for.
    pub service_region: Option<Arc<str>>,
}

impl Side {
    /// A field's value.
    pub fn value(&self, field: SideField) -> Option<FieldValue<'_>> {
        match field {
            SideField::Status => Some(FieldValue::Text(self.status.label())),
            SideField::How => Some(FieldValue::Text(self.how.label())),
            SideField::Seen => self.seen.map(|seen| FieldValue::Integer(seen.into())),
            _ => self.party.value(field),
        }
    }

    /// What decides on the class of data transfer.
    pub fn end(&self) -> transfer::End<'_> {
        let party = &*self.party;
        transfer::End {
            place: self.place,
            kind: party.kind,
            vpc: party.vpc_id.as_deref(),
            region: party.region.as_deref().or(party.service_region.as_deref()),
            zone: party.az_id.as_deref(),
            service: party.service.as_deref(),
        }
    }
}

impl Party {
    /// A field's value; absent of those that depend on how it was found.
    fn value(&self, field: SideField) -> Option<FieldValue<'_>> {
        match field {
            SideField::SecurityGroups => {
                let groups = &*self.security_groups;
                (!groups.is_empty()).then_some(FieldValue::Texts(groups))
            }
            SideField::Asn => self.asn.map(|asn| FieldValue::Integer(asn.into())),
            _ => self.text(field).map(FieldValue::Text),
        }
    }

    fn text(&self, field: SideField) -> Option<&str> {
        let text = match field {
            SideField::AccountId => &self.account_id,
            SideField::AccountName => &self.account_name,
            SideField::Region => &self.region,
            SideField::AzId => &self.az_id,
            SideField::VpcId => &self.vpc_id,
            SideField::VpcName => &self.vpc_name,
            SideField::SubnetId => &self.subnet_id,
            SideField::SubnetName => &self.subnet_name,
            SideField::InterfaceId => &self.interface_id,
            SideField::InterfaceType => &self.interface_type,
            SideField::InstanceId => &self.instance_id,
            SideField::InstanceName => &self.instance_name,
            SideField::ResourceType => &self.resource_type,
            SideField::ResourceId => &self.resource_id,
            SideField::ResourceName => &self.resource_name,
            SideField::Service => &self.service,
            SideField::Country => &self.country,
            SideField::AsOrg => &self.as_org,
            SideField::Status
            | SideField::How
            | SideField::SecurityGroups
            | SideField::Seen
            | SideField::Asn => &None,
        };
        text.as_deref()
    }
}
