//! Documents become views of entities, and views the inventory.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::core_network::CoreNetworkDetails;
use super::firewall::FirewallLogging;
use super::load_balancer::{Attributes, TargetHealth};
use super::read::{Element, Row};
use super::routing::{PrefixListEntries, ServicePrefixList};
use super::transit_gateway::{Associations, Propagations, References, Routes};
use super::*;
use crate::describe::catalogue::{self, Owner, Scope};
use crate::describe::partition;

/// Where a document is from, as far as the document itself does not say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The account that was asked.
    pub account: Option<String>,
    /// The region that was asked.
    pub region: Option<String>,
    /// When.
    pub seen: Option<Timestamp>,
}

impl Origin {
    /// What the path of a document tells, by the layouts of Batfish and of our own store:
    ///
    /// ```text
    /// …/aws_configs/accounts/<account>/<region>/<file>
    /// …/aws_configs/<region>/<file>
    /// …/aws_configs/<file>
    /// …/current/<account>/<region>.json.gz
    /// ```
    pub fn of_path(path: &str) -> Origin {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|p| !p.is_empty()).collect();
        let is_root = |part: &&str| ["aws_configs", "current"].contains(part);
        let Some(root) = parts.iter().rposition(is_root) else {
            return Origin::default();
        };
        let (account, region) = match parts.get(root..) {
            Some(["aws_configs", "accounts", account, region, _]) => {
                (Some(*account), Some(*region))
            }
            Some(["aws_configs", "accounts", account, _]) => (Some(*account), None),
            Some(["aws_configs", region, _]) => (None, Some(*region)),
            Some(["current", account, file]) => (Some(*account), file.split('.').next()),
            _ => (None, None),
        };
        Origin {
            account: account.map(str::to_owned),
            region: region.map(str::to_owned),
            seen: None,
        }
    }
}

/// One view of an entity: what it shows and how much it counts.
struct View<T> {
    /// Whether it is the owner's.
    own: bool,
    /// Whether the row itself tells the owner; who asked counts as the owner otherwise.
    told: bool,
    /// Where it was taken.
    place: Place,
    resource: Resource<T>,
}

impl<T: Debug> View<T> {
    /// Which view counts more. All that differs is compared, so that merging does not depend on which
    /// view came first.
    fn compare(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (&self.resource, &other.resource);
        let rank = |view: &Self| (view.own, view.resource.seen, view.resource.region.is_some());
        rank(self)
            .cmp(&rank(other))
            .then_with(|| other.place.cmp(&self.place))
            .then_with(|| theirs.stale_since.cmp(&mine.stale_since))
            .then_with(|| self.told.cmp(&other.told))
            .then_with(|| theirs.account.cmp(&mine.account))
            .then_with(|| theirs.region.cmp(&mine.region))
            .then_with(|| theirs.tags.cmp(&mine.tags))
            .then_with(|| format!("{:?}", theirs.data).cmp(&format!("{:?}", mine.data)))
    }
}

/// The views of a kind, merged as they come: the one that counts most for each id, and all places.
pub(super) struct Shelf<T>(BTreeMap<String, View<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf(BTreeMap::new())
    }
}

impl<T: Debug> Shelf<T> {
    fn put(&mut self, id: &str, mut view: View<T>) {
        let Some(known) = self.0.get_mut(id) else {
            self.0.insert(id.to_owned(), view);
            return;
        };
        if view.compare(known).is_gt() {
            std::mem::swap(known, &mut view);
        }
        see(&mut known.resource.seen_from, view.resource.seen_from);
    }

    pub fn into_table(self) -> Table<T> {
        let resources = self.0.into_iter().map(|(id, view)| (id, view.resource));
        Table(resources.collect())
    }
}

fn see(places: &mut Vec<Place>, more: Vec<Place>) {
    places.extend(more);
    places.sort();
    places.dedup();
}

impl<T: Default> Table<T> {
    /// Adds what another section says of the same entities; of those that it alone names, it is all that
    /// is known.
    fn join<P>(&mut self, parts: Shelf<P>, mut add: impl FnMut(&mut T, P)) {
        for (_, view) in parts.0 {
            let part = view.resource;
            // Who asked for a part is not whose the entity is.
            let account = part.account.filter(|_| view.told);
            let known = self.0.entry(part.id.clone()).or_insert_with(|| Resource {
                id: part.id,
                account: None,
                region: None,
                tags: BTreeMap::new(),
                seen: part.seen,
                seen_from: Vec::new(),
                stale_since: None,
                data: T::default(),
            });
            known.account = known.account.take().or(account);
            known.region = known.region.take().or(part.region);
            for (key, value) in part.tags {
                known.tags.entry(key).or_insert(value);
            }
            see(&mut known.seen_from, part.seen_from);
            known.stale_since = match (known.stale_since, part.stale_since) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            add(&mut known.data, part.data);
        }
    }
}

/// What sections say of entities that other sections name.
#[derive(Default)]
struct Parts {
    accounts_seen: Shelf<Account>,
    aliases: Shelf<String>,
    entries: Shelf<PrefixListEntries>,
    service_lists: Shelf<ServicePrefixList>,
    sides: Shelf<AttachmentSide>,
    attached_vpcs: Shelf<AttachedVpc>,
    peered_gateways: Shelf<PeeredGateways>,
    connects: Shelf<AttachedConnect>,
    associations: Shelf<Associations>,
    propagations: Shelf<Propagations>,
    routes: Shelf<Routes>,
    static_routes: Shelf<Routes>,
    references: Shelf<References>,
    listeners: Shelf<Listener>,
    attributes: Shelf<Attributes>,
    target_health: Shelf<TargetHealth>,
    firewall_details: Shelf<FirewallDetails>,
    firewall_logging: Shelf<FirewallLogging>,
    policy_details: Shelf<FirewallPolicyDetails>,
    rule_group_details: Shelf<RuleGroup>,
    core_network_details: Shelf<CoreNetworkDetails>,
    core_network_policies: Shelf<CoreNetworkPolicy>,
}

/// Takes documents in any order and makes the inventory of them.
#[derive(Default)]
pub struct InventoryBuilder {
    shelves: Shelves,
    parts: Parts,
    read: Read,
    unreadable: read::Unreadable,
}

/// A document as it is read: where it is from, and what it says of its sections.
struct Document {
    place: Place,
    seen: Option<Timestamp>,
    /// When each section was seen, and since when it is stale.
    sections: HashMap<String, (Option<Timestamp>, Option<Timestamp>)>,
}

/// Answers of operations that are about one parent: the member that shows it, and the section whose row
/// the whole answer is.
const ANSWERS: &[(&str, &str)] = &[
    ("Entries", "ManagedPrefixListEntries"),
    ("Associations", "TransitGatewayRouteTableAssociations"),
    (
        "TransitGatewayRouteTablePropagations",
        "TransitGatewayPropagations",
    ),
    ("Routes", "TransitGatewayRoutes"),
    ("TargetHealthDescriptions", "LoadBalancerTargetHealth"),
    ("Firewall", "FirewallDetails"),
    ("LoggingConfiguration", "FirewallLoggingConfigurations"),
    ("FirewallPolicyResponse", "FirewallPolicyDetails"),
    ("RuleGroupResponse", "RuleGroupDetails"),
    ("CoreNetwork", "CoreNetworkDetails"),
    ("CoreNetworkPolicy", "CoreNetworkPolicies"),
];

/// Members of such answers, and of all, that are no sections.
const NO_SECTIONS: &[&str] = &[
    "Collection",
    "ResponseMetadata",
    "FirewallStatus",
    "FirewallPolicy",
    "RuleGroup",
    "CoreNetworkSegmentEdge",
];

/// Sections of Batfish's that are not in the catalogue.
const OF_BATFISH: &[&str] = &["TransitGatewayStaticRoutes", "LoadBalancerAttributes"];

/// Members that tell the owner where the catalogue names none.
const OWNERS: &[&str] = &[
    "OwnerId",
    "OwnerAccountId",
    "ownerAccount",
    "SourceSecurityGroup.OwnerAlias",
    "LoadBalancerArn",
    "NetworkLoadBalancerArns",
    "GatewayLoadBalancerArns",
];

/// Members that tell the region.
const REGIONS: &[&str] = &[
    "RegionName",
    "region",
    "RequesterVpcInfo.Region",
    "RequesterTgwInfo.Region",
    "NetworkLoadBalancerArns",
    "GatewayLoadBalancerArns",
];

/// Members that tell a zone, which begins with the region.
const ZONES: &[&str] = &[
    "AvailabilityZone",
    "Placement.AvailabilityZone",
    "NetworkBorderGroup",
];

impl InventoryBuilder {
    /// One that has read nothing.
    pub fn new() -> InventoryBuilder {
        InventoryBuilder::default()
    }

    /// Adds a document: a snapshot, or one or more answers under AWS's own names. What the document says
    /// of account, region and time counts before `origin`.
    pub fn add(&mut self, document: &Value, origin: Origin) {
        self.read.documents += 1;
        let mut context = Document {
            place: Place {
                account: origin.account,
                region: origin.region,
            },
            seen: origin.seen,
            sections: HashMap::new(),
        };
        let Some(members) = document.as_object() else {
            return self.unplaced("", document, &context, Unplaceable::NotAnObject);
        };
        let notes = RefCell::default();
        if let Some(collection) = members.get("Collection") {
            context.collection(Row::new("Collection", collection, &notes));
        }
        if let Some(account) = &context.place.account {
            let view = context.view("", account, Some(account.clone()), Account::default());
            self.parts.accounts_seen.put(account, view);
        }
        let mut any = members.contains_key("Collection");
        let mut answer = false;
        for (member, value) in members {
            if let Some(section) = answer_of(member, value, members) {
                answer = true;
                self.place(section, Row::new(section, document, &notes), None, &context);
            } else if !NO_SECTIONS.contains(&member.as_str())
                && (value.is_array() || value.is_object())
            {
                any = true;
                self.section(member, value, &context, &notes);
            }
        }
        if !any && !answer {
            self.unplaced("", document, &context, Unplaceable::NoSection);
        }
        for (key, (count, example)) in notes.into_inner() {
            let known = self.unreadable.entry(key).or_insert((0, example.clone()));
            known.0 += count;
            if example < known.1 {
                known.1 = example;
            }
        }
    }

    /// Adds a document whose path tells where it is from: see [`Origin::of_path`].
    pub fn add_path_document(&mut self, path: &str, document: &Value) {
        self.add(document, Origin::of_path(path));
    }

    fn section(
        &mut self,
        member: &str,
        value: &Value,
        from: &Document,
        notes: &RefCell<read::Unreadable>,
    ) {
        let rows = match value {
            Value::Array(rows) => rows.as_slice(),
            // What there is one of, and there is none.
            Value::Object(whole) if whole.is_empty() => &[],
            whole => std::slice::from_ref(whole),
        };
        // Batfish keeps the answers for each load balancer apart; a row of either is one of ours.
        let (section, within) = match member {
            "LoadBalancerListeners" => ("Listeners", Some("Listeners")),
            "Reservations" => (member, Some("Instances")),
            _ => (member, None),
        };
        let known = catalogue::of_section(section).is_some() || OF_BATFISH.contains(&section);
        if !known {
            let rows = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            *self.read.unknown.entry(section.to_owned()).or_default() += rows;
            return;
        }
        // An answer that is empty is read all the same.
        self.read.rows.entry(section.to_owned()).or_default();
        let mut references: BTreeMap<Option<&str>, Vec<Value>> = BTreeMap::new();
        for value in rows {
            let row = Row::new(section, value, notes);
            if let Some(within) = within {
                let inner = value.get(within).and_then(Value::as_array);
                for value in inner.into_iter().flatten() {
                    self.place(section, row.with(value), Some(row), from);
                }
                if !value.is_object() {
                    self.place(section, row, None, from);
                }
            } else if section == "PrefixLists" && (row.has("OwnerId") || row.has("PrefixListArn")) {
                // Both operations call their rows so.
                let section = "ManagedPrefixLists";
                self.place(section, Row::new(section, value, notes), None, from);
            } else if section == "TransitGatewayPrefixListReferences" && row.has("PrefixListId") {
                // As the AWS CLI prints them: not by route table, but each with its own.
                let table = value
                    .get("TransitGatewayRouteTableId")
                    .and_then(Value::as_str);
                references.entry(table).or_default().push(value.clone());
            } else {
                self.place(section, row, None, from);
            }
        }
        for (table, rows) in references {
            let row = serde_json::json!({"TransitGatewayRouteTableId": table, section: rows});
            self.place(section, Row::new(section, &row, notes), None, from);
        }
    }

    fn unplaced(&mut self, section: &str, value: &Value, from: &Document, why: Unplaceable) {
        /// How many examples are kept for each reason.
        const EXAMPLES: usize = 3;
        let unplaced = self.read.unplaced.entry((section.to_owned(), why));
        let unplaced = unplaced.or_default();
        unplaced.count += 1;
        let members: Vec<&str> = match value {
            Value::Object(members) => members.keys().map(String::as_str).take(8).collect(),
            _ => vec!["no members"],
        };
        let place = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
        let (account, region) = (place(&from.place.account), place(&from.place.region));
        let example = format!("{account}/{region}: a row with {}", members.join(", "));
        unplaced.examples.insert(example);
        // The smallest ones, so that the order of documents does not matter.
        while unplaced.examples.len() > EXAMPLES {
            unplaced.examples.pop_last();
        }
    }

    /// Reads a row and puts its view on the shelf of its kind.
    fn place(&mut self, section: &str, row: Row<'_>, outer: Option<Row<'_>>, from: &Document) {
        *self.read.rows.entry(section.to_owned()).or_default() += 1;
        if let Err(why) = self.try_place(section, row, outer, from) {
            self.unplaced(section, row.value, from, why);
        }
    }

    fn try_place(
        &mut self,
        section: &str,
        row: Row<'_>,
        outer: Option<Row<'_>>,
        from: &Document,
    ) -> Result<(), Unplaceable> {
        let parts = &mut self.parts;
        if section == "AccountAliases" {
            let alias = row.value.as_str().ok_or(Unplaceable::NotAText)?;
            let account = from.place.account.as_ref().ok_or(Unplaceable::NoAccount)?;
            let view = from.view(section, account, Some(account.clone()), alias.to_owned());
            parts.aliases.put(account, view);
            return Ok(());
        }
        if !row.value.is_object() {
            return Err(Unplaceable::NotAnObject);
        }
        let named = owner(section, row, outer);
        let owner = named.clone().or_else(|| from.place.account.clone());
        let region = told_region(row);
        let id = identity(section, row, owner.as_deref(), region.as_deref(), from)?;
        let by_id = || account_of(&id).filter(|account| account != "?");
        let named = named.or_else(by_id);
        let told = named.is_some();
        let owner = named.or(owner);
        macro_rules! put {
            ($shelf:expr) => {
                put!($shelf, &id, &id)
            };
            ($shelf:expr, $key:expr, $id:expr) => {{
                let data = Element::element(row).ok_or(Unplaceable::NotAnObject)?;
                let mut view = from.view(section, $id, owner, data);
                view.told = told;
                view.resource.region = region_of(row, $id, region, from);
                view.resource.tags = tags(row);
                $shelf.put($key, view);
            }};
        }
        let shelves = &mut self.shelves;
        match section {
            "Accounts" => put!(shelves.accounts),
            "Organization" => put!(shelves.organizations),
            "Regions" => put!(shelves.regions),
            "AvailabilityZones" => put!(shelves.zones),
            "Vpcs" => put!(shelves.vpcs),
            "Subnets" => put!(shelves.subnets),
            "NetworkInterfaces" => put!(shelves.interfaces),
            "Reservations" => put!(shelves.instances),
            "Addresses" => put!(shelves.addresses),
            "SecurityGroups" => put!(shelves.security_groups),
            "NetworkAcls" => put!(shelves.network_acls),
            "RouteTables" => put!(shelves.route_tables),
            "InternetGateways" => put!(shelves.internet_gateways),
            "EgressOnlyInternetGateways" => put!(shelves.egress_only_internet_gateways),
            "NatGateways" => put!(shelves.nat_gateways),
            "VpcEndpoints" => put!(shelves.endpoints),
            "ServiceConfigurations" => put!(shelves.endpoint_services),
            "VpcPeeringConnections" => put!(shelves.peerings),
            "ManagedPrefixLists" => put!(shelves.prefix_lists),
            "ManagedPrefixListEntries" => put!(parts.entries),
            "PrefixLists" => put!(parts.service_lists),
            "FlowLogs" => put!(shelves.flow_logs),
            "CustomerGateways" => put!(shelves.customer_gateways),
            "VpnGateways" => put!(shelves.vpn_gateways),
            "VpnConnections" => put!(shelves.vpn_connections),
            "TransitGateways" => put!(shelves.transit_gateways),
            "TransitGatewayAttachments" => {
                // Two transit gateways that are peered have the same attachment, each its own way.
                let gateway = row.text("TransitGatewayId").unwrap_or_default();
                put!(parts.sides, &format!("{id} {gateway}"), &id);
            }
            "TransitGatewayVpcAttachments" => put!(parts.attached_vpcs),
            "TransitGatewayPeeringAttachments" => put!(parts.peered_gateways),
            "TransitGatewayConnects" => put!(parts.connects),
            "TransitGatewayRouteTables" => put!(shelves.transit_gateway_route_tables),
            "TransitGatewayRouteTableAssociations" => put!(parts.associations),
            "TransitGatewayPropagations" => put!(parts.propagations),
            "TransitGatewayRoutes" => put!(parts.routes),
            "TransitGatewayStaticRoutes" => put!(parts.static_routes),
            "TransitGatewayPrefixListReferences" => put!(parts.references),
            "TransitGatewayConnectPeers" => put!(shelves.transit_gateway_connect_peers),
            "connections" => put!(shelves.direct_connect_connections),
            "lags" => put!(shelves.lags),
            "virtualInterfaces" => put!(shelves.virtual_interfaces),
            "directConnectGateways" => put!(shelves.direct_connect_gateways),
            "directConnectGatewayAssociations" => put!(shelves.direct_connect_associations),
            "directConnectGatewayAttachments" => put!(shelves.direct_connect_attachments),
            "LoadBalancers" | "LoadBalancerDescriptions" => put!(shelves.load_balancers),
            "Listeners" => {
                // One that does not name its load balancer belongs to none.
                let balancer = row.text("LoadBalancerArn");
                let balancer = balancer.ok_or(Unplaceable::NoIdentity("LoadBalancerArn"))?;
                put!(parts.listeners, &id, &balancer);
            }
            "LoadBalancerAttributes" => put!(parts.attributes),
            "TargetGroups" => put!(shelves.target_groups),
            "LoadBalancerTargetHealth" => put!(parts.target_health),
            "Firewalls" => put!(shelves.firewalls),
            "FirewallDetails" => put!(parts.firewall_details),
            "FirewallLoggingConfigurations" => put!(parts.firewall_logging),
            "FirewallPolicies" => put!(shelves.firewall_policies),
            "FirewallPolicyDetails" => put!(parts.policy_details),
            "RuleGroups" => put!(shelves.rule_groups),
            "RuleGroupDetails" => put!(parts.rule_group_details),
            "GlobalNetworks" => put!(shelves.global_networks),
            "CoreNetworks" => put!(shelves.core_networks),
            "CoreNetworkDetails" => put!(parts.core_network_details),
            "CoreNetworkPolicies" => put!(parts.core_network_policies),
            "Attachments" => put!(shelves.core_network_attachments),
            "NetworkRoutes" => put!(shelves.core_network_route_tables),
            _ => return Err(Unplaceable::NoSection),
        }
        Ok(())
    }

    /// The inventory of all documents.
    pub fn finish(self) -> Inventory {
        let mut all = self.shelves.into_inventory();
        let parts = self.parts;
        all.accounts.join(parts.accounts_seen, |_, _| ());
        all.accounts
            .join(parts.aliases, |account, alias| account.alias = Some(alias));
        for account in all.accounts.0.values_mut() {
            // Listed by the management account, but nobody's but its own.
            account.account = Some(account.id.clone());
            account.region = None;
        }
        all.prefix_lists.join(parts.service_lists, |list, told| {
            list.list_name = list.list_name.take().or(told.list_name);
            let entry = |cidr| PrefixListEntry {
                cidr: Some(cidr),
                description: None,
            };
            list.entries = Some(told.cidrs.into_iter().map(entry).collect());
        });
        all.prefix_lists.join(parts.entries, |list, told| {
            list.entries = Some(told.entries)
        });
        for list in all.prefix_lists.0.values_mut() {
            if let Some(entries) = &mut list.data.entries {
                entries.sort_by(|a, b| (a.cidr, &a.description).cmp(&(b.cidr, &b.description)));
            }
        }
        let attachments = &mut all.transit_gateway_attachments;
        attachments.join(parts.sides, |a, side| a.sides.push(side));
        attachments.join(parts.attached_vpcs, |a, vpc| a.vpc = Some(vpc));
        attachments.join(parts.peered_gateways, |a, gateways| {
            a.peering = Some(gateways)
        });
        attachments.join(parts.connects, |a, connect| a.connect = Some(connect));
        let tables = &mut all.transit_gateway_route_tables;
        tables.join(parts.associations, |table, told| {
            table.associations = told.links
        });
        tables.join(parts.propagations, |table, told| {
            table.propagations = told.links
        });
        tables.join(parts.static_routes, |table, told| {
            table.routes = told.routes
        });
        tables.join(parts.routes, |table, told| {
            table.routes = told.routes;
            table.routes_complete = !told.more;
        });
        tables.join(parts.references, |table, told| {
            table.references = told.references
        });
        let balancers = &mut all.load_balancers;
        balancers.join(parts.listeners, |balancer, listener| {
            balancer.listeners.push(listener)
        });
        balancers.join(parts.attributes, |balancer, told| {
            balancer.attributes = told.attributes
        });
        for balancer in balancers.0.values_mut() {
            let listeners = &mut balancer.data.listeners;
            listeners.sort_by(|a, b| (a.port, &a.arn).cmp(&(b.port, &b.arn)));
        }
        all.target_groups
            .join(parts.target_health, |group, mut told| {
                told.targets
                    .sort_by(|a, b| (&a.id, a.port).cmp(&(&b.id, b.port)));
                group.targets = Some(told.targets);
            });
        all.firewalls
            .join(parts.firewall_details, |firewall, told| {
                firewall.details = Some(told)
            });
        all.firewalls
            .join(parts.firewall_logging, |firewall, told| {
                firewall.logs = Some(told.logs)
            });
        all.firewall_policies
            .join(parts.policy_details, |policy, told| {
                policy.details = Some(told)
            });
        all.rule_groups
            .join(parts.rule_group_details, |group, told| *group = told);
        all.core_networks
            .join(parts.core_network_details, |network, told| {
                if told.network != CoreNetwork::default() {
                    *network = told.network;
                }
            });
        all.core_networks
            .join(parts.core_network_policies, |network, told| {
                network.policy = Some(told)
            });
        all.read = self.read;
        let unreadable = self.unreadable.into_iter();
        let unreadable = unreadable.map(|((section, path), (count, example))| Unreadable {
            section,
            path,
            count,
            example,
        });
        all.read.unreadable = unreadable.collect();
        all.inherit_regions();
        all.build_index();
        all
    }
}

impl Document {
    /// What a snapshot says of itself.
    fn collection(&mut self, row: Row<'_>) {
        self.place.account = row.text("Account").or(self.place.account.take());
        self.place.region = row.text("Region").or(self.place.region.take());
        self.seen = row
            .get::<Option<Timestamp>>(&["Finished", "Started"])
            .or(self.seen);
        let endpoints = row.value.get("Endpoints").and_then(Value::as_array);
        for endpoint in endpoints.into_iter().flatten().map(|value| row.with(value)) {
            if let Some(section) = endpoint.text("Section") {
                let times = (endpoint.get(&["Observed"]), endpoint.get(&["Stale.Since"]));
                self.sections.insert(section, times);
            }
        }
    }

    fn view<T>(&self, section: &str, id: &str, account: Option<String>, data: T) -> View<T> {
        let times = self.sections.get(section);
        let unknown = self.place == Place::default();
        View {
            own: account.is_some() && account == self.place.account,
            told: false,
            place: self.place.clone(),
            resource: Resource {
                id: id.to_owned(),
                account,
                region: None,
                tags: BTreeMap::new(),
                seen: times.and_then(|(observed, _)| *observed).or(self.seen),
                seen_from: if unknown {
                    Vec::new()
                } else {
                    vec![self.place.clone()]
                },
                stale_since: times.and_then(|(_, stale)| *stale),
                data,
            },
        }
    }
}

/// The section whose row the whole document is, when the member shows that.
fn answer_of(member: &str, value: &Value, members: &Map<String, Value>) -> Option<&'static str> {
    if member == "NetworkRoutes" {
        let alone = ["CoreNetworkSegmentEdge", "RouteTableArn", "RouteTableType"];
        let alone = alone.iter().any(|member| members.contains_key(*member));
        return (alone && value.is_array()).then_some("NetworkRoutes");
    }
    let (_, section) = ANSWERS.iter().find(|(shows, _)| *shows == member)?;
    Some(section)
}

/// What names the resource of a row: the members that the catalogue says, in an answer that is one
/// row where AWS has them, or what is made of them where they name it in one account or region only.
fn identity(
    section: &str,
    row: Row<'_>,
    owner: Option<&str>,
    region: Option<&str>,
    from: &Document,
) -> Result<String, Unplaceable> {
    let one = |paths: &[&'static str]| {
        let name = paths.first().copied().unwrap_or_default();
        let id = row.get::<Option<String>>(paths);
        id.ok_or(Unplaceable::NoIdentity(name))
    };
    let here = from.place.region.as_deref();
    match section {
        "Addresses" => one(&["AllocationId", "PublicIp", "CarrierIp"]),
        "LoadBalancerAttributes" => one(&["LoadBalancerArn"]),
        "TransitGatewayStaticRoutes" => one(&["TransitGatewayRouteTableId"]),
        "FirewallDetails" => one(&["FirewallArn", "Firewall.FirewallArn"]),
        "FirewallPolicyDetails" => one(&[
            "FirewallPolicyArn",
            "FirewallPolicyResponse.FirewallPolicyArn",
        ]),
        "RuleGroupDetails" => one(&["RuleGroupArn", "RuleGroupResponse.RuleGroupArn"]),
        "CoreNetworkDetails" => one(&["CoreNetworkId", "CoreNetwork.CoreNetworkId"]),
        "CoreNetworkPolicies" => one(&["CoreNetworkId", "CoreNetworkPolicy.CoreNetworkId"]),
        "directConnectGatewayAssociations" => one(&["associationId"]).or_else(|why| {
            let ends = (
                row.text("directConnectGatewayId"),
                row.text("virtualGatewayId"),
            );
            match ends {
                (Some(near), Some(far)) => Ok(format!("{near}/{far}")),
                _ => Err(why),
            }
        }),
        // Each account has its own view of them, which is what there is to know.
        "Regions" => Ok(format!(
            "{}/{}",
            owner.unwrap_or("?"),
            one(&["RegionName"])?
        )),
        "AvailabilityZones" => Ok(format!("{}/{}", owner.unwrap_or("?"), one(&["ZoneId"])?)),
        "LoadBalancerDescriptions" => {
            let name = one(&["LoadBalancerName"])?;
            let zone = row.text("AvailabilityZones");
            let zone = zone.as_deref().and_then(region_in);
            let region = region.or(here).or(zone).unwrap_or("?");
            let partition = partition::of_region(region).map_or("aws", |partition| partition.name);
            let owner = owner.unwrap_or("?");
            let service = format!("arn:{partition}:elasticloadbalancing");
            Ok(format!("{service}:{region}:{owner}:loadbalancer/{name}"))
        }
        "NetworkRoutes" => {
            let table = CoreNetworkRouteTable::element(row).unwrap_or_default();
            let segment = table.segment.map(|name| ("segment", name));
            let group = table
                .function_group
                .map(|name| ("network-function-group", name));
            match (table.core_network, segment.or(group), table.edge) {
                (Some(network), Some((kind, name)), Some(edge)) => {
                    Ok(format!("{network}/{kind}/{name}/{edge}"))
                }
                _ => one(&[
                    "RouteTableIdentifier.TransitGatewayRouteTableArn",
                    "RouteTableArn",
                ]),
            }
        }
        _ => {
            let endpoint = catalogue::of_section(section).ok_or(Unplaceable::NoSection)?;
            let ids: Result<Vec<String>, Unplaceable> = endpoint
                .identity
                .iter()
                .map(|member| one(&[*member]))
                .collect();
            Ok(ids?.join("/"))
        }
    }
}

/// Whose the row is: by the catalogue, else by what rows of the kind usually have.
fn owner(section: &str, row: Row<'_>, outer: Option<Row<'_>>) -> Option<String> {
    if section == "PrefixLists" {
        return Some("AWS".to_owned());
    }
    let endpoint = catalogue::of_section(section);
    let named = match endpoint.map(|endpoint| endpoint.owner) {
        Some(Owner::Member(path)) => outer.unwrap_or(row).text(path),
        _ => None,
    };
    let other = || {
        let told = row.get::<Vec<String>>(OWNERS).into_iter();
        // Not `amazon-elb`, which owns nothing that is told here.
        told.into_iter()
            .find(|owner| owner.starts_with("arn:") || owner.bytes().all(|b| b.is_ascii_digit()))
    };
    let arns = || arns(row, endpoint.map_or(&[], |e| e.identity)).next();
    let told = named.or_else(arns).or_else(other)?;
    if told.starts_with("arn:") {
        account_of(&told)
    } else {
        Some(told)
    }
}

/// The account of an ARN, if it has one.
fn account_of(arn: &str) -> Option<String> {
    match arn_part(arn, 4)? {
        "" => None,
        "aws" => Some("AWS".to_owned()),
        account => Some(account.to_owned()),
    }
}

/// ARNs that name the row itself.
fn arns<'v>(row: Row<'v>, identity: &[&str]) -> impl Iterator<Item = String> + use<'v> {
    let ids = identity.iter().filter_map(|member| row.value.get(member));
    let ids: Vec<&str> = ids.filter_map(Value::as_str).collect();
    let members = row.value.as_object().into_iter().flatten();
    members.filter_map(move |(_, value)| {
        let arn = value.as_str().filter(|text| text.starts_with("arn:"))?;
        let names_it = |id: &&str| arn == *id || arn.ends_with(&format!("/{id}"));
        ids.iter().any(names_it).then(|| arn.to_owned())
    })
}

/// A part of an ARN: 3 is the region, 4 the account.
fn arn_part(text: &str, part: usize) -> Option<&str> {
    text.strip_prefix("arn:")?
        .split(':')
        .nth(part.checked_sub(1)?)
}

/// The region that the row names.
fn told_region(row: Row<'_>) -> Option<String> {
    let told = row.get::<Vec<String>>(REGIONS).into_iter().next()?;
    match arn_part(&told, 3) {
        Some(region) => Some(region.to_owned()),
        None => Some(told),
    }
}

/// The region of a row: as it says, by its ARN, where it was asked for, or by its zone.
fn region_of(row: Row<'_>, id: &str, told: Option<String>, from: &Document) -> Option<String> {
    let by_arn = || {
        let members = row.value.as_object().into_iter().flatten();
        let mut texts = members.filter_map(|(_, value)| value.as_str());
        let mut named = || texts.find(|text| text.ends_with(&format!("/{id}")));
        let arn = if id.starts_with("arn:") {
            Some(id)
        } else {
            named()
        };
        let region = arn_part(arn?, 3).filter(|region| !region.is_empty() && *region != "?");
        region.map(str::to_owned)
    };
    let asked = || {
        let endpoint = catalogue::of_section(row.section);
        let global = endpoint.is_some_and(|endpoint| endpoint.scope == Scope::Global);
        let region = from.place.region.clone();
        region.filter(|region| !global && region != "global")
    };
    let by_zone = || {
        let zone = row.get::<Vec<String>>(ZONES).into_iter().next()?;
        region_in(&zone).map(str::to_owned)
    };
    told.or_else(by_arn).or_else(asked).or_else(by_zone)
}

/// The region that the name of a zone begins with: `us-west-2` of `us-west-2a` and `us-west-2-lax-1a`.
fn region_in(zone: &str) -> Option<&str> {
    let digit = zone.find(|c: char| c.is_ascii_digit())?;
    let more = zone.get(digit..)?;
    let digits = more
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(more.len());
    let region = zone.get(..digit + digits)?;
    partition::is_region_name(region).then_some(region)
}

/// Tags, whatever the service calls them.
fn tags(row: Row<'_>) -> BTreeMap<String, String> {
    let lists = ["Tags", "TagSet", "tags"].map(|member| row.value.get(member));
    let nested = [
        "Firewall",
        "FirewallPolicyResponse",
        "RuleGroupResponse",
        "CoreNetwork",
    ];
    let nested = nested.map(|member| row.value.get(member).and_then(|value| value.get("Tags")));
    let tags = lists.into_iter().chain(nested).flatten();
    let tags = tags.filter_map(Value::as_array).flatten();
    let text = |tag: &Value, names: [&str; 2]| {
        let value = names.iter().find_map(|name| tag.get(name));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    tags.filter_map(|tag| {
        let key = text(tag, ["Key", "key"])?;
        Some((key, text(tag, ["Value", "value"]).unwrap_or_default()))
    })
    .collect()
}
