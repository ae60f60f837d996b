//! The inventory: what Describe answers say about a network, typed, each thing once.
//!
//! ```text
//! snapshots, answers as the AWS CLI prints them, Batfish's aws_configs
//!        │ documents
//!        ▼
//!   InventoryBuilder ── rows of sections ─▶ views of entities ─▶ merged by owner ─▶ Inventory
//! ```
//!
//! The sections and the members that name a row are those of the [catalogue](crate::describe::catalogue).
//! What several accounts or regions see is one entity: the owner's view counts, then the newest, and all
//! that see it are listed. The order in which documents are added does not matter. A row without
//! its identity, a member of another type and a section that is not known are counted, with examples.

mod account;
mod builder;
mod cidr;
mod core_network;
mod direct_connect;
mod documents;
mod firewall;
mod load_balancer;
mod read;
mod routing;
mod rows;
mod transit_gateway;
mod vpc;

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};
use std::net::IpAddr;
use std::ops::Deref;

use jiff::Timestamp;

pub use account::{Account, Organization, Region, Zone};
pub use builder::{InventoryBuilder, Origin};
pub use cidr::{Cidr, NotACidr};
pub use core_network::{
    CoreNetwork, CoreNetworkAttachment, CoreNetworkHop, CoreNetworkPolicy, CoreNetworkRoute,
    CoreNetworkRouteTable, Edge, FunctionGroup, GlobalNetwork, Segment,
};
pub use direct_connect::{
    BgpPeer, DirectConnectAssociation, DirectConnectAttachment, DirectConnectConnection,
    DirectConnectGateway, Lag, VirtualInterface,
};
pub use documents::{
    DocumentError, DocumentErrorKind, MAX_DOCUMENT, Reading, each_document, read_directory,
    read_document,
};
pub use firewall::{
    Firewall, FirewallDetails, FirewallEndpoint, FirewallLog, FirewallPolicy,
    FirewallPolicyDetails, RuleGroup, RuleGroupReference,
};
pub use load_balancer::{
    Attribute, Listener, LoadBalancer, LoadBalancerType, LoadTarget, TargetGroup,
};
pub use routing::{
    CustomerGateway, Destination, GatewayAttachment, InternetGateway, NatAddress, NatGateway,
    PeeredVpc, Peering, PrefixList, PrefixListEntry, Route, RouteTable, RouteTableAssociation,
    Target, TargetKind, Tunnel, VpnConnection, VpnGateway,
};
pub use rows::{Entity, InventoryRow};
pub use transit_gateway::{
    AttachedConnect, AttachedVpc, AttachmentLink, AttachmentSide, AttachmentType, ConnectSession,
    PeeredGateway, PeeredGateways, PrefixListReference, TransitGateway, TransitGatewayAttachment,
    TransitGatewayConnectPeer, TransitGatewayRoute, TransitGatewayRouteTable,
};
pub use vpc::{
    AclEntry, ElasticAddress, Endpoint, EndpointService, EndpointType, FlowLog, GroupReference,
    Instance, Interface, InterfaceAttachment, InterfaceType, NetworkAcl, PrivateAddress, Rule,
    SecurityGroup, Subnet, Vpc,
};

/// An account and region that something was seen from. The region `global` is where global services are
/// asked; `None` stands for what was not said.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The account.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// An entity, and what is told of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource<T> {
    /// What names it: the id or ARN, or as the entity's documentation says.
    pub id: String,
    /// The account that owns it: 12 digits, or `AWS` for what AWS itself owns.
    pub account: Option<String>,
    /// Its region; none for global resources, and where nothing tells it.
    pub region: Option<String>,
    /// Its tags, sorted: those of the owner's view, where it was seen.
    pub tags: BTreeMap<String, String>,
    /// When the view that is kept was taken.
    pub seen: Option<Timestamp>,
    /// Everybody who sees it, sorted.
    pub seen_from: Vec<Place>,
    /// Since when it could not be asked for again: what is kept is from before.
    pub stale_since: Option<Timestamp>,
    /// The entity.
    pub data: T,
}

impl<T> Deref for Resource<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

/// All entities of a kind, by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<T>(BTreeMap<String, Resource<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(BTreeMap::new())
    }
}

impl<T> Table<T> {
    /// The one of that id.
    pub fn get(&self, id: &str) -> Option<&Resource<T>> {
        self.0.get(id)
    }

    /// All, sorted by id.
    pub fn iter(&self) -> btree_map::Values<'_, String, Resource<T>> {
        self.0.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'t, T> IntoIterator for &'t Table<T> {
    type Item = &'t Resource<T>;
    type IntoIter = btree_map::Values<'t, String, Resource<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Why a row is not in the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Unplaceable {
    /// A document or row is not an object.
    #[error("it is not an object")]
    NotAnObject,
    /// A row is not a text.
    #[error("it is not a text")]
    NotAText,
    /// The document holds nothing that a section could be.
    #[error("the document has no section")]
    NoSection,
    /// The members that name it, or what it belongs to, are missing.
    #[error("it has no {0}")]
    NoIdentity(&'static str),
    /// It is about the account that was asked, and that is not known.
    #[error("the account it was asked for is not known")]
    NoAccount,
}

/// Rows of a section that are not in the inventory for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unplaced {
    /// How many.
    pub count: u64,
    /// A few of them: where each is from and which members it has.
    pub examples: BTreeSet<String>,
}

/// A member that was there and could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The section.
    pub section: String,
    /// The member's path.
    pub path: &'static str,
    /// How often.
    pub count: u64,
    /// One of its values, shortened.
    pub example: String,
}

/// What was read, and what of it is not in the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Documents.
    pub documents: u64,
    /// Rows of each section that is known, those not placed included.
    pub rows: BTreeMap<String, u64>,
    /// Rows that are not in the inventory, by section and reason.
    pub unplaced: BTreeMap<(String, Unplaceable), Unplaced>,
    /// Members that could not be read and are absent from their entities.
    pub unreadable: Vec<Unreadable>,
    /// Rows of sections that are not known here.
    pub unknown: BTreeMap<String, u64>,
}

/// Every kind of entity: the field that holds it, its type, and its name on the command line.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $field:ident: $entity:ident, $kind:ident = $label:literal; )+) => {
        /// Everything that is known of a network.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Inventory {
            $( $(#[$doc])* pub $field: Table<$entity>, )+
            /// What was read for it.
            pub read: Read,
            index: Index,
        }

        /// A kind of entity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $( $(#[$doc])* $kind, )+ }

        impl Kind {
            /// Every kind, in the order they are shown.
            pub const ALL: &'static [Kind] = &[$( Kind::$kind, )+];

            /// The name, as in `cloud-export inventory --kind <name>`.
            pub const fn label(self) -> &'static str {
                match self { $( Kind::$kind => $label, )+ }
            }
        }

        impl Inventory {
            /// How many entities of a kind there are.
            pub fn count(&self, kind: Kind) -> usize {
                match kind { $( Kind::$kind => self.$field.len(), )+ }
            }

            /// What a table shows of all entities of a kind, sorted by id.
            pub fn rows(&self, kind: Kind) -> Box<dyn Iterator<Item = InventoryRow<'_>> + '_> {
                match kind {
                    $( Kind::$kind => Box::new(self.$field.iter().map(move |r| r.row(kind))), )+
                }
            }

            /// Gives what is in a VPC the VPC's region, where nothing else tells it.
            fn inherit_regions(&mut self) {
                let regions = self.regions_of_vpcs();
                $( for resource in self.$field.0.values_mut() {
                    if resource.region.is_none() {
                        let region = $entity::vpc(resource).and_then(|vpc| regions.get(vpc));
                        resource.region = region.cloned();
                    }
                } )+
            }
        }

        /// The views of each kind while documents are added.
        #[derive(Default)]
        struct Shelves { $( $field: builder::Shelf<$entity>, )+ }

        impl Shelves {
            fn into_inventory(self) -> Inventory {
                Inventory {
                    $( $field: self.$field.into_table(), )+
                    read: Read::default(),
                    index: Index::default(),
                }
            }
        }
    };
}

kinds! {
    /// Accounts.
    accounts: Account, Account = "account";
    /// Organizations.
    organizations: Organization, Organization = "organization";
    /// Regions, by account.
    regions: Region, Region = "region";
    /// Zones, by account.
    zones: Zone, Zone = "zone";
    /// VPCs.
    vpcs: Vpc, Vpc = "vpc";
    /// Subnets.
    subnets: Subnet, Subnet = "subnet";
    /// Interfaces.
    interfaces: Interface, Interface = "interface";
    /// Instances.
    instances: Instance, Instance = "instance";
    /// Elastic addresses.
    addresses: ElasticAddress, ElasticAddress = "address";
    /// Security groups.
    security_groups: SecurityGroup, SecurityGroup = "security-group";
    /// Network ACLs.
    network_acls: NetworkAcl, NetworkAcl = "network-acl";
    /// Route tables of VPCs.
    route_tables: RouteTable, RouteTable = "route-table";
    /// Prefix lists.
    prefix_lists: PrefixList, PrefixList = "prefix-list";
    /// Internet gateways.
    internet_gateways: InternetGateway, InternetGateway = "internet-gateway";
    /// Egress-only internet gateways.
    egress_only_internet_gateways: InternetGateway, EgressOnlyInternetGateway = "egress-only-internet-gateway";
    /// NAT gateways.
    nat_gateways: NatGateway, NatGateway = "nat-gateway";
    /// VPC endpoints.
    endpoints: Endpoint, Endpoint = "endpoint";
    /// Endpoint services.
    endpoint_services: EndpointService, EndpointService = "endpoint-service";
    /// VPC peering connections.
    peerings: Peering, Peering = "peering";
    /// Virtual private gateways.
    vpn_gateways: VpnGateway, VpnGateway = "vpn-gateway";
    /// Customer gateways.
    customer_gateways: CustomerGateway, CustomerGateway = "customer-gateway";
    /// VPN connections.
    vpn_connections: VpnConnection, VpnConnection = "vpn-connection";
    /// Transit gateways.
    transit_gateways: TransitGateway, TransitGateway = "transit-gateway";
    /// Attachments of transit gateways.
    transit_gateway_attachments: TransitGatewayAttachment, TransitGatewayAttachment = "transit-gateway-attachment";
    /// Route tables of transit gateways.
    transit_gateway_route_tables: TransitGatewayRouteTable, TransitGatewayRouteTable = "transit-gateway-route-table";
    /// Peers of Connect attachments.
    transit_gateway_connect_peers: TransitGatewayConnectPeer, TransitGatewayConnectPeer = "transit-gateway-connect-peer";
    /// Direct Connect gateways.
    direct_connect_gateways: DirectConnectGateway, DirectConnectGateway = "direct-connect-gateway";
    /// Gateways behind Direct Connect gateways.
    direct_connect_associations: DirectConnectAssociation, DirectConnectAssociation = "direct-connect-association";
    /// Virtual interfaces at Direct Connect gateways.
    direct_connect_attachments: DirectConnectAttachment, DirectConnectAttachment = "direct-connect-attachment";
    /// Virtual interfaces.
    virtual_interfaces: VirtualInterface, VirtualInterface = "virtual-interface";
    /// Direct Connect connections.
    direct_connect_connections: DirectConnectConnection, DirectConnectConnection = "direct-connect-connection";
    /// Link aggregation groups.
    lags: Lag, Lag = "lag";
    /// Load balancers.
    load_balancers: LoadBalancer, LoadBalancer = "load-balancer";
    /// Target groups.
    target_groups: TargetGroup, TargetGroup = "target-group";
    /// Network firewalls.
    firewalls: Firewall, Firewall = "firewall";
    /// Firewall policies.
    firewall_policies: FirewallPolicy, FirewallPolicy = "firewall-policy";
    /// Rule groups.
    rule_groups: RuleGroup, RuleGroup = "rule-group";
    /// Global networks.
    global_networks: GlobalNetwork, GlobalNetwork = "global-network";
    /// Core networks.
    core_networks: CoreNetwork, CoreNetwork = "core-network";
    /// Attachments of core networks.
    core_network_attachments: CoreNetworkAttachment, CoreNetworkAttachment = "core-network-attachment";
    /// Routes of core networks.
    core_network_route_tables: CoreNetworkRouteTable, CoreNetworkRouteTable = "core-network-route-table";
    /// Flow logs.
    flow_logs: FlowLog, FlowLog = "flow-log";
}

impl Kind {
    /// The kind of that name.
    pub fn named(label: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.label() == label)
    }
}

/// What is in a VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct InVpc {
    interfaces: Vec<String>,
    subnets: Vec<(Cidr, String)>,
    main_table: Option<String>,
    addresses: HashMap<IpAddr, String>,
    prefixes: HashMap<Cidr, String>,
}

/// Ways to find entities, made from the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Index {
    vpcs: HashMap<String, InVpc>,
    /// Route tables of subnets that name one.
    tables: HashMap<String, String>,
}

/// Lengths of the prefixes that are delegated to interfaces.
const DELEGATED: [u8; 2] = [28, 80];

impl Inventory {
    /// The interfaces of a VPC, sorted by id.
    pub fn interfaces_of<'i>(
        &'i self,
        vpc: &str,
    ) -> impl Iterator<Item = &'i Resource<Interface>> + use<'i> {
        let ids = self.index.vpcs.get(vpc).map_or(&[][..], |v| &v.interfaces);
        ids.iter().filter_map(|id| self.interfaces.get(id))
    }

    /// The route table that decides for a subnet: the one associated with it, or the main one of its VPC.
    pub fn route_table_of(&self, subnet: &str) -> Option<&Resource<RouteTable>> {
        let named = self.index.tables.get(subnet);
        let main = || {
            let vpc = self.subnets.get(subnet)?.vpc.as_ref()?;
            self.index.vpcs.get(vpc)?.main_table.as_ref()
        };
        self.route_tables.get(named.or_else(main)?)
    }

    /// The subnet of a VPC that an address belongs to.
    pub fn subnet_at(&self, vpc: &str, address: IpAddr) -> Option<&Resource<Subnet>> {
        let subnets = &self.index.vpcs.get(vpc)?.subnets;
        // Sorted by address, and subnets of a VPC do not overlap: usually the last one that begins no later.
        let end = subnets.partition_point(|(cidr, _)| cidr.address() <= address);
        let mut before = subnets.get(..end)?.iter().rev();
        let (_, id) = before.find(|(cidr, _)| cidr.contains(address))?;
        self.subnets.get(id)
    }

    /// The interface that has a private or IPv6 address in a VPC, its own or in a prefix delegated to it.
    pub fn interface_at(&self, vpc: &str, address: IpAddr) -> Option<&Resource<Interface>> {
        let vpc = self.index.vpcs.get(vpc)?;
        let in_prefix = || {
            let blocks = DELEGATED.iter().filter_map(|l| Cidr::new(address, *l));
            blocks
                .into_iter()
                .find_map(|block| vpc.prefixes.get(&block))
        };
        let id = vpc.addresses.get(&address).or_else(in_prefix)?;
        self.interfaces.get(id)
    }

    /// The entries of a prefix list. `None` when there is no such list, or its entries are not known.
    pub fn prefix_list_entries(&self, id: &str) -> Option<&[PrefixListEntry]> {
        self.prefix_lists.get(id)?.entries.as_deref()
    }

    /// Regions of VPCs. `DescribeVpcs` itself tells none, but what is in a VPC does.
    fn regions_of_vpcs(&self) -> HashMap<String, String> {
        let vpcs = self.vpcs.iter().map(|v| (Some(&v.id), &v.region));
        let subnets = self.subnets.iter().map(|s| (s.vpc.as_ref(), &s.region));
        let interfaces = self.interfaces.iter();
        let interfaces = interfaces.map(|i| (i.vpc.as_ref(), &i.region));
        let mut regions = HashMap::new();
        for (vpc, region) in vpcs.chain(subnets).chain(interfaces) {
            if let (Some(vpc), Some(region)) = (vpc, region) {
                let entry = regions.entry(vpc.clone());
                entry.or_insert_with(|| region.clone());
            }
        }
        regions
    }

    fn build_index(&mut self) {
        let mut index = Index::default();
        for subnet in &self.subnets {
            if let Some(vpc) = &subnet.vpc {
                let vpc = index.vpcs.entry(vpc.clone()).or_default();
                let blocks = subnet.cidrs.iter().map(|cidr| (*cidr, subnet.id.clone()));
                vpc.subnets.extend(blocks);
            }
        }
        for table in &self.route_tables {
            for association in &table.associations {
                let gone = ["disassociated", "disassociating", "failed"];
                if association
                    .state
                    .as_deref()
                    .is_some_and(|s| gone.contains(&s))
                {
                    continue;
                }
                if let Some(subnet) = &association.subnet {
                    index.tables.insert(subnet.clone(), table.id.clone());
                } else if association.main
                    && let Some(vpc) = &table.vpc
                {
                    let vpc = index.vpcs.entry(vpc.clone()).or_default();
                    vpc.main_table = Some(table.id.clone());
                }
            }
        }
        // An address that is taken counts before one of an interface that lies idle, or is from before.
        let mut interfaces: Vec<_> = self.interfaces.iter().collect();
        interfaces.sort_by_key(|i| {
            let idle = i.status.as_deref() == Some("available");
            (i.stale_since.is_some(), idle)
        });
        for interface in interfaces {
            let Some(vpc) = &interface.vpc else { continue };
            let vpc = index.vpcs.entry(vpc.clone()).or_default();
            vpc.interfaces.push(interface.id.clone());
            let private = interface.addresses.iter().filter_map(|a| a.address);
            for address in private.chain(interface.ipv6.iter().copied().map(IpAddr::V6)) {
                let entry = vpc.addresses.entry(address);
                entry.or_insert_with(|| interface.id.clone());
            }
            for prefix in &interface.prefixes {
                let entry = vpc.prefixes.entry(*prefix);
                entry.or_insert_with(|| interface.id.clone());
            }
        }
        for vpc in index.vpcs.values_mut() {
            vpc.interfaces.sort();
            vpc.subnets.sort();
        }
        self.index = index;
    }
}

#[cfg(test)]
mod tests;
