//! Everything that is known of who was found.

use std::sync::Arc;

use super::names::{DIRECTORY, Names};
use super::{Found, Loaded, Resolver, link};
use crate::enrichment::side::{Party, Side};
use crate::enrichment::transfer::InterfaceKind;
use crate::index::directory::Directory;
use crate::index::format::Text;
use crate::index::shard::{InterfaceRow, Shard, SubnetRow, VpcRow};

/// Who was found, however it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Whom {
    shard: u16,
    vpc: u32,
    subnet: u32,
    interface: u32,
    told: u32,
}

impl Resolver {
    /// Everything that is known of what was found.
    pub fn side(&mut self, found: &Found, tag_keys: &[Box<str>]) -> Side {
        let whom = Whom {
            shard: found.shard,
            vpc: found.vpc,
            subnet: found.subnet,
            interface: found.interface,
            told: found.told,
        };
        let party = match self.parties.get(&whom) {
            Some(known) => Arc::clone(known),
            None => {
                let party = Arc::new(self.party(&whom, tag_keys));
                self.parties.insert(whom, Arc::clone(&party));
                party
            }
        };
        Side {
            status: found.status,
            how: found.how,
            place: found.place,
            seen: (found.seen != 0).then_some(found.seen),
            party,
        }
    }

    /// How many parties are kept.
    #[inline]
    pub fn parties(&self) -> usize {
        self.parties.len()
    }

    /// Everything that is known of who was found.
    fn party(&mut self, whom: &Whom, tag_keys: &[Box<str>]) -> Party {
        let told = self.told(whom.told).cloned().unwrap_or_default();
        let mut party = Party {
            kind: InterfaceKind::Unknown,
            account_id: told.account_id,
            account_name: None,
            region: told.region,
            az_id: told.az_id,
            vpc_id: told.vpc_id,
            vpc_name: None,
            subnet_id: told.subnet_id,
            subnet_name: None,
            interface_id: told.interface_id,
            interface_type: told.interface_type,
            instance_id: told.instance_id,
            instance_name: None,
            resource_type: told.resource_type,
            resource_id: told.resource_id,
            resource_name: told.resource_name,
            service: told.service,
            security_groups: Arc::default(),
            tags: Box::default(),
            country: told.country,
            asn: told.asn,
            as_org: told.as_org,
            logged: None,
            service_region: told.service_region,
        };
        let names = &mut self.names;
        if let Some(shard) = self.shards.get(whom.shard as usize).and_then(Loaded::ready) {
            add_rows(&mut party, shard, names, whom, tag_keys);
        }
        if let Some(directory) = self.directory.ready() {
            add_names(&mut party, directory, names);
        }
        if party.subnet_name.is_none() {
            party.subnet_name = self.shared_subnet_name(&party);
        }
        party.kind = interface_kind(
            party.resource_type.as_deref(),
            party.interface_type.as_deref(),
        );
        party
    }

    /// The name of a shared subnet: those it is shared with do not see its tags.
    fn shared_subnet_name(&mut self, party: &Party) -> Option<Arc<str>> {
        let subnet = party.subnet_id.as_deref()?;
        let (owner, region) = {
            let directory = self.directory.ready()?;
            let text = |text: Text| directory.file().text(text).map(str::to_owned);
            let row = directory.vpcs(party.vpc_id.as_deref()?).next()?;
            (text(row.owner)?, text(row.by.region)?)
        };
        if party.account_id.as_deref() == Some(&*owner) {
            return None;
        }
        let place = self.unit(&owner, &region);
        let shard = self.shard(place)?;
        let (_, row) = shard.subnet(subnet)?;
        shard.file().text(row.name).map(Into::into)
    }
}

/// Adds what a shard knows; what was told stays. Parties share all texts but those that are of one interface only.
fn add_rows(
    party: &mut Party,
    shard: &Shard,
    names: &mut Names,
    whom: &Whom,
    tag_keys: &[Box<str>],
) {
    let file = shard.file();
    let or_own = |slot: &mut Option<Arc<str>>, text: Text| {
        if slot.is_none() {
            *slot = file.text(text).map(Into::into);
        }
    };
    let mut or_shared = |slot: &mut Option<Arc<str>>, text: Text| {
        if slot.is_none() {
            *slot = names.text(whom.shard, file, text);
        }
    };
    let unit = shard.unit();
    if let Some(unit) = &unit {
        or_shared(&mut party.region, unit.region);
    }
    let mut owner = Text::NONE;
    let interface: Option<InterfaceRow> = file.follow(link(whom.interface));
    if let Some(interface) = interface {
        owner = interface.account;
        or_own(&mut party.interface_id, interface.id);
        or_shared(&mut party.interface_type, interface.interface_type);
        or_shared(&mut party.az_id, interface.zone_id);
        let told_instance = party.instance_id.clone();
        if let Some(instance) = file.follow(interface.instance) {
            or_own(&mut party.instance_id, instance.id);
            // The record may tell another instance than the index, which the name would not be of.
            if told_instance.is_none() || party.instance_id.as_deref() == file.text(instance.id) {
                or_own(&mut party.instance_name, instance.name);
            }
        }
        if let (Some(resource), None) = (file.follow(interface.resource), &party.resource_type) {
            or_shared(&mut party.resource_type, resource.resource_type);
            or_own(&mut party.resource_id, resource.id);
            or_own(&mut party.resource_name, resource.name);
            or_shared(&mut party.service, resource.service);
        }
        party.logged = Some(interface.logged);
    }
    let subnet: Option<SubnetRow> = file.follow(link(whom.subnet));
    if let Some(subnet) = subnet {
        or_shared(&mut party.subnet_id, subnet.id);
        or_shared(&mut party.az_id, subnet.zone_id);
        if party.subnet_id.as_deref() == file.text(subnet.id) {
            or_shared(&mut party.subnet_name, subnet.name);
        }
        if owner.is_none() {
            owner = subnet.account;
        }
        party.logged = party.logged.or(Some(subnet.logged));
    }
    let vpc: Option<VpcRow> = file.follow(link(whom.vpc));
    if let Some(vpc) = vpc {
        or_shared(&mut party.vpc_id, vpc.id);
        if party.vpc_id.as_deref() == file.text(vpc.id) {
            or_shared(&mut party.vpc_name, vpc.name);
        }
        if owner.is_none() {
            owner = vpc.account;
        }
        party.logged = party.logged.or(vpc.logged.then_some(true));
    }
    or_shared(&mut party.account_id, owner);
    if let Some(interface) = interface {
        party.security_groups = names.groups(whom.shard, file, interface.groups);
        if !tag_keys.is_empty() {
            let mut texts = file.texts(interface.tags);
            let mut tags = Vec::new();
            while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
                if tag_keys.iter().any(|wanted| **wanted == *key) {
                    tags.push((key.into(), value.into()));
                }
            }
            party.tags = tags.into();
        }
    }
}

/// Adds what the directory knows of a party.
fn add_names(party: &mut Party, directory: &Directory, names: &mut Names) {
    let mut text = |text: Text| names.text(DIRECTORY, directory.file(), text);
    if let Some(vpc) = party.vpc_id.clone()
        && (party.vpc_name.is_none() || party.account_id.is_none() || party.region.is_none())
    {
        let mut name = None;
        for row in directory.vpcs(&vpc) {
            name = name.or_else(|| text(row.name));
            if party.account_id.is_none() {
                party.account_id = text(row.owner);
            }
            if party.region.is_none() {
                party.region = text(row.by.region);
            }
        }
        party.vpc_name = party.vpc_name.take().or(name);
    }
    let account = party.account_id.as_deref();
    party.account_name = account.and_then(|id| text(directory.account_name(id)));
}

/// What kind of interface it is, by what it belongs to, else by its type.
pub(super) fn interface_kind(
    resource: Option<&str>,
    interface_type: Option<&str>,
) -> InterfaceKind {
    match (resource, interface_type) {
        (Some("regional-nat-gateway"), _) => InterfaceKind::RegionalNatGateway,
        (Some("firewall-endpoint"), _) => InterfaceKind::FirewallEndpoint,
        (_, Some("nat_gateway" | "natGateway")) => InterfaceKind::NatGateway,
        (_, Some("transit_gateway")) => InterfaceKind::TransitGateway,
        (_, Some("vpc_endpoint")) => InterfaceKind::VpcEndpoint,
        (_, Some("gateway_load_balancer_endpoint")) => InterfaceKind::GatewayLoadBalancerEndpoint,
        (_, Some("load_balancer" | "network_load_balancer" | "gateway_load_balancer")) => {
            InterfaceKind::LoadBalancer
        }
        (Some("nat-gateway"), None) => InterfaceKind::NatGateway,
        (
            _,
            Some(
                "lambda"
                | "quicksight"
                | "global_accelerator_managed"
                | "api_gateway_managed"
                | "iot_rules_managed"
                | "aws_codestar_connections_managed",
            ),
        ) => InterfaceKind::Other,
        (Some("application-load-balancer" | "classic-load-balancer"), _) => {
            InterfaceKind::LoadBalancer
        }
        (Some("instance" | "ecs-task" | "eks-pod"), _) => InterfaceKind::Plain,
        (_, Some("interface" | "efa" | "efa-only" | "trunk" | "branch")) => InterfaceKind::Plain,
        _ => InterfaceKind::Unknown,
    }
}
