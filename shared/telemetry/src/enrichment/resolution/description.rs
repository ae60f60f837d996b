//! Everything that is known of what a side was found to be.

use std::sync::Arc;

use super::names::{DIRECTORY, Names};
use super::{Found, Loaded, Resolver, link};
use crate::enrichment::side::Side;
use crate::enrichment::transfer::InterfaceKind;
use crate::index::directory::Directory;
use crate::index::format::Text;
use crate::index::shard::{InterfaceRow, Shard, SubnetRow, VpcRow};

impl Resolver {
    /// Everything that is known of what was found.
    pub fn side(&mut self, found: &Found, tag_keys: &[Box<str>]) -> Side {
        let told = self.told(found.told).cloned().unwrap_or_default();
        let mut side = Side {
            status: found.status,
            how: found.how,
            place: found.place,
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
            seen: (found.seen != 0).then_some(found.seen),
            country: told.country,
            asn: told.asn,
            as_org: told.as_org,
            logged: None,
            service_region: told.service_region,
        };
        let names = &mut self.names;
        if let Some(shard) = self
            .shards
            .get(found.shard as usize)
            .and_then(Loaded::ready)
        {
            add_rows(&mut side, shard, names, found, tag_keys);
        }
        if let Some(directory) = self.directory.ready() {
            add_names(&mut side, directory, names);
        }
        if side.subnet_name.is_none() {
            side.subnet_name = self.shared_subnet_name(&side);
        }
        side.kind = interface_kind(
            side.resource_type.as_deref(),
            side.interface_type.as_deref(),
        );
        side
    }

    /// The name of a shared subnet: those it is shared with do not see its tags.
    pub(super) fn shared_subnet_name(&mut self, side: &Side) -> Option<Arc<str>> {
        let subnet = side.subnet_id.as_deref()?;
        let (owner, region) = {
            let directory = self.directory.ready()?;
            let text = |text: Text| directory.file().text(text).map(str::to_owned);
            let row = directory.vpcs(side.vpc_id.as_deref()?).next()?;
            (text(row.owner)?, text(row.by.region)?)
        };
        if side.account_id.as_deref() == Some(&*owner) {
            return None;
        }
        let place = self.unit(&owner, &region);
        let shard = self.shard(place)?;
        let (_, row) = shard.subnet(subnet)?;
        shard.file().text(row.name).map(Into::into)
    }
}

/// Adds what a shard knows; what was told stays. Sides share all texts but those that are of one interface only.
fn add_rows(
    side: &mut Side,
    shard: &Shard,
    names: &mut Names,
    found: &Found,
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
            *slot = names.text(found.shard, file, text);
        }
    };
    let unit = shard.unit();
    if let Some(unit) = &unit {
        or_shared(&mut side.region, unit.region);
    }
    let mut owner = Text::NONE;
    let interface: Option<InterfaceRow> = file.follow(link(found.interface));
    if let Some(interface) = interface {
        owner = interface.account;
        or_own(&mut side.interface_id, interface.id);
        or_shared(&mut side.interface_type, interface.interface_type);
        or_shared(&mut side.az_id, interface.zone_id);
        let told_instance = side.instance_id.clone();
        if let Some(instance) = file.follow(interface.instance) {
            or_own(&mut side.instance_id, instance.id);
            // The record may tell another instance than the index, which the name would not be of.
            if told_instance.is_none() || side.instance_id.as_deref() == file.text(instance.id) {
                or_own(&mut side.instance_name, instance.name);
            }
        }
        if let (Some(resource), None) = (file.follow(interface.resource), &side.resource_type) {
            or_shared(&mut side.resource_type, resource.resource_type);
            or_own(&mut side.resource_id, resource.id);
            or_own(&mut side.resource_name, resource.name);
            or_shared(&mut side.service, resource.service);
        }
        side.logged = Some(interface.logged);
    }
    let subnet: Option<SubnetRow> = file.follow(link(found.subnet));
    if let Some(subnet) = subnet {
        or_shared(&mut side.subnet_id, subnet.id);
        or_shared(&mut side.az_id, subnet.zone_id);
        if side.subnet_id.as_deref() == file.text(subnet.id) {
            or_shared(&mut side.subnet_name, subnet.name);
        }
        if owner.is_none() {
            owner = subnet.account;
        }
        side.logged = side.logged.or(Some(subnet.logged));
    }
    let vpc: Option<VpcRow> = file.follow(link(found.vpc));
    if let Some(vpc) = vpc {
        or_shared(&mut side.vpc_id, vpc.id);
        if side.vpc_id.as_deref() == file.text(vpc.id) {
            or_shared(&mut side.vpc_name, vpc.name);
        }
        if owner.is_none() {
            owner = vpc.account;
        }
        side.logged = side.logged.or(vpc.logged.then_some(true));
    }
    or_shared(&mut side.account_id, owner);
    if let Some(interface) = interface {
        side.security_groups = names.groups(found.shard, file, interface.groups);
        if !tag_keys.is_empty() {
            let mut texts = file.texts(interface.tags);
            let mut tags = Vec::new();
            while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
                if tag_keys.iter().any(|wanted| **wanted == *key) {
                    tags.push((key.into(), value.into()));
                }
            }
            side.tags = tags.into();
        }
    }
}

/// Adds what the directory knows of a side.
fn add_names(side: &mut Side, directory: &Directory, names: &mut Names) {
    let mut text = |text: Text| names.text(DIRECTORY, directory.file(), text);
    if let Some(vpc) = side.vpc_id.clone()
        && (side.vpc_name.is_none() || side.account_id.is_none() || side.region.is_none())
    {
        let mut name = None;
        for row in directory.vpcs(&vpc) {
            name = name.or_else(|| text(row.name));
            if side.account_id.is_none() {
                side.account_id = text(row.owner);
            }
            if side.region.is_none() {
                side.region = text(row.by.region);
            }
        }
        side.vpc_name = side.vpc_name.take().or(name);
    }
    let account = side.account_id.as_deref();
    side.account_name = account.and_then(|id| text(directory.account_name(id)));
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
