//! What is known of a flow beside its sides: device, direction, gateway, class and price of the transfer.
//!
//! Facts depend on the classes of the sides, and on which of them share a VPC or a zone: thousands of interfaces have few.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::class::{Class, Classes, relations};
use super::memo::{Mixer, Mixing};
use super::{Device, Enricher};
use crate::enrichment::field::{FieldValue, FlowField};
use crate::enrichment::resolution::{NONE, Near};
use crate::enrichment::side::{Side, Status};
use crate::enrichment::transfer::{
    self, Hop, HopSource, InterfaceKind, Log, Place, RouteTarget, Sighting, Transfer,
};
use crate::flow::record::FlowDirection;
use crate::index::shard::GatewayKind;

/// What is known of a flow beside its sides; the same for all records that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What logged it.
    pub device: Option<Arc<str>>,
    /// What that is.
    pub device_type: Option<&'static str>,
    /// Its name.
    pub device_name: Option<Arc<str>>,
    /// The direction as seen from there.
    pub direction: Option<FlowDirection>,
    /// The gateway on the way.
    pub gateway: Option<(GatewayKind, Arc<str>)>,
    /// The class of data transfer.
    pub transfer: Option<Transfer>,
    /// What is metered at this place for a GB of 2^30 bytes, USD.
    pub per_gb: Option<f64>,
    /// Whether to count it for volume.
    pub count_volume: Option<bool>,
    /// Why the index could not be used in full.
    pub metadata: Option<&'static str>,
}

impl Facts {
    /// A hash: what has the same is looked at whether it is equal.
    fn hash(&self) -> u64 {
        let mut hash = Mixer::default();
        let transfer = self.transfer.map(|transfer| {
            let leg = (transfer.leg.over, transfer.leg.scope);
            (transfer.via, transfer.scope, transfer.confidence, leg)
        });
        let device = (&self.device, self.device_type, &self.device_name);
        (device, self.direction, &self.gateway, transfer).hash(&mut hash);
        let price = self.per_gb.map(f64::to_bits);
        (price, self.count_volume, self.metadata).hash(&mut hash);
        hash.finish()
    }

    pub(crate) fn value(&self, field: FlowField) -> Option<FieldValue<'_>> {
        let text = FieldValue::Text;
        match field {
            FlowField::Device => self.device.as_deref().map(text),
            FlowField::DeviceType => self.device_type.map(text),
            FlowField::DeviceName => self.device_name.as_deref().map(text),
            FlowField::Direction => self.direction.map(|direction| {
                text(match direction {
                    FlowDirection::Ingress => "ingress",
                    FlowDirection::Egress => "egress",
                })
            }),
            FlowField::GatewayType => self.gateway.as_ref().map(|(kind, _)| text(kind.label())),
            FlowField::GatewayId => self.gateway.as_ref().map(|(_, id)| text(id)),
            FlowField::Via => self.transfer.map(|t| text(t.via.as_str())),
            FlowField::Scope => self.transfer.map(|t| text(t.scope.as_str())),
            FlowField::Confidence => self.transfer.map(|t| text(t.confidence.as_str())),
            FlowField::CountVolume => self.count_volume.map(FieldValue::Boolean),
            FlowField::Metadata => self.metadata.map(text),
            FlowField::TransferCostUsd
            | FlowField::ProtocolName
            | FlowField::TcpFlagNames
            | FlowField::RejectBy
            | FlowField::RejectId
            | FlowField::RejectRule
            | FlowField::RejectExplanation
            | FlowField::SampleRate => None,
        }
    }
}

/// What the facts of a gateway's or firewall's own record depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CarriedKey {
    pub(super) source: u32,
    pub(super) destination: u32,
    pub(super) direction: Option<FlowDirection>,
    /// Whether it is an entry about a flow.
    pub(super) is_flow: bool,
    /// The kind of log, and the number of the gateway's or firewall's name.
    pub(super) log: (u8, u32),
    /// The number of the region's name that the record tells, which decides on prices, or of the firewall endpoint's.
    pub(super) at: u32,
    pub(super) shard: u16,
    /// The attachments of the gateway, or the firewall's VPC and subnet.
    pub(super) between: (u32, u32),
}

/// What of the place of a log facts depend on, beside the class of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Standing {
    pub(super) shard: u16,
    pub(super) kind: InterfaceKind,
    /// Whether the interface has a public address.
    pub(super) public: bool,
    pub(super) device: u32,
}

/// What a record of a VPC flow log shows, in terms of what is numbered: all that its facts depend on. Sides, the hop and
/// the interface itself count by their class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) source: u32,
    pub(super) destination: u32,
    /// The class of the interface that logs.
    pub(super) own: u32,
    /// Number of what else facts depend on at the place of the log.
    pub(super) standing: u32,
    pub(super) direction: Option<FlowDirection>,
    /// `traffic-path`.
    pub(super) path: Option<u8>,
    pub(super) rejected: bool,
    pub(super) hop: Option<(u32, HopSource)>,
    /// Kind and gateway of the route.
    pub(super) route: Option<(u32, u32)>,
}

impl Shown {
    /// The same in few words. Classes count by their sort, and by which of them are in the same VPC or zone: what is
    /// shown alike has the same facts.
    #[inline]
    fn key(&self, classes: &Classes) -> ShownKey {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let (kind, gateway) = self.route.unwrap_or((NONE, NONE));
        let (hop, hop_by) = match self.hop {
            None => (NONE, 0),
            Some((hop, HopSource::Record)) => (hop, 1),
            Some((hop, HopSource::Address)) => (hop, 2),
            Some((hop, HopSource::Route)) => (hop, 3),
        };
        let direction = match self.direction {
            None => 0,
            Some(FlowDirection::Ingress) => 1,
            Some(FlowDirection::Egress) => 2,
        };
        let path = self.path.map_or(0, |path| 1 + u32::from(path));
        let ends = [self.source, self.destination, self.own, hop].map(|end| classes.traits(end));
        let marks = direction
            | u32::from(self.rejected) << 2
            | hop_by << 3
            | path << 5
            | u32::from(relations(ends)) << 14;
        let sorts = ends
            .iter()
            .fold(0, |sorts, end| sorts << 16 | u64::from(end.sort));
        ShownKey([sorts, pair(self.standing, gateway), pair(kind, marks)])
    }
}

/// What was shown, in few words that are quickly compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShownKey([u64; 3]);

impl Hash for ShownKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|word| state.write_u64(*word));
    }
}

/// Keys whose facts are known, at most: as many as a table of 16,384 places takes before it doubles.
const MOST_KEYS: usize = 14_336;

/// Keeps the number of a key's facts. Where there are too many, only searches are lost.
fn remember<K: Eq + Hash>(numbers: &mut HashMap<K, u32, Mixing>, key: K, number: u32) {
    if numbers.len() >= MOST_KEYS {
        numbers.clear();
    }
    numbers.insert(key, number);
}

/// What logged a flow: its id, kind and name.
pub(super) type DeviceFacts = (
    Option<Arc<str>>,
    Option<&'static str>,
    Option<Arc<str>>,
    Option<&'static str>,
);

impl Enricher {
    /// The number of the facts of a record of a VPC flow log, that was logged there.
    #[inline]
    pub(super) fn facts_of(&mut self, shown: &Shown) -> u32 {
        let key = shown.key(&self.classes);
        match self.shown.get(&key) {
            Some(number) => *number,
            None => self.find_facts(key, shown),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_facts(&mut self, key: ShownKey, shown: &Shown) -> u32 {
        let number = match self.shown_numbers.get(&key) {
            Some(number) => *number,
            None => {
                let Some(standing) = self.standings.get(shown.standing).copied() else {
                    return NONE;
                };
                let number = self.keep(self.vpc_facts(shown, &standing));
                remember(&mut self.shown_numbers, key, number);
                number
            }
        };
        self.shown.put(key, number);
        number
    }

    /// The number of the facts of a gateway's or firewall's own record, which are made unless they are known.
    pub(super) fn carried_facts(
        &mut self,
        key: CarriedKey,
        make: impl FnOnce(&Enricher) -> Facts,
    ) -> u32 {
        if let Some(number) = self.carried_numbers.get(&key) {
            return *number;
        }
        let number = self.keep(make(self));
        remember(&mut self.carried_numbers, key, number);
        number
    }

    /// Keeps facts, and gives them a number: the one that equal facts have, which many keys lead to.
    fn keep(&mut self, facts: Facts) -> u32 {
        let next = self.kept.facts.len() as u32;
        let first = *self.facts_by_hash.entry(facts.hash()).or_insert(next);
        match self.kept.facts.get(first as usize) {
            Some(known) if *known == facts => first,
            _ => {
                self.kept.facts.push(facts);
                next
            }
        }
    }

    fn vpc_facts(&self, shown: &Shown, standing: &Standing) -> Facts {
        let shard = self.resolver.shard(standing.shard);
        let (kind, gateway) = shown.route.unzip();
        let gateway_id = gateway.and_then(|word| shard?.file().text_at(word));
        let gateway_kind = kind.map(GatewayKind::of);
        let gateway_kind = gateway_kind.filter(|kind| *kind != GatewayKind::Local);
        // What comes to a public address does not come by the NAT gateway that the way out goes through.
        let from = self.classes.get(shown.source).map(|source| source.place);
        let by_address = standing.public
            && shown.direction == Some(FlowDirection::Ingress)
            && matches!(from, Some(Place::Public | Place::AwsService))
            && gateway_kind == Some(GatewayKind::Nat);
        let (kind, gateway_kind, hop) = match by_address {
            true => (Some(GatewayKind::Internet as u32), None, None),
            false => (kind, gateway_kind, shown.hop),
        };
        let here = self.classes.get(shown.own).map(Class::end);
        let mut here = here.unwrap_or_default();
        if standing.kind != InterfaceKind::Unknown {
            here.kind = standing.kind;
        }
        let logged_gateway = gateway_id
            .filter(|_| gateway_kind == Some(GatewayKind::Transit))
            .and_then(|id| Some(self.resolver.directory()?.is_logged(id)));
        let ends = (
            self.classes.get(shown.source),
            self.classes.get(shown.destination),
        );
        let (mut transfer, mut per_gb, mut counted) = (None, None, None);
        if let (Some(direction), (Some(source), Some(destination))) = (shown.direction, ends) {
            let hop = hop.and_then(|(class, by)| Some((self.classes.get(class)?, by)));
            let sighting = Sighting {
                log: Log::Vpc,
                direction,
                rejected: shown.rejected,
                path: shown.path,
                here,
                source: source.end(),
                destination: destination.end(),
                hop: hop.map(|(class, by)| Hop {
                    end: class.end(),
                    by,
                }),
                route: self.route_target(kind, gateway_id),
                gateway_logged: logged_gateway.unwrap_or(true),
            };
            let class = transfer::classify(&sighting);
            per_gb = self.options.prices.per_gb(&sighting, &class);
            transfer = Some(class);
            let logged = self.classes.get(shown.own).and_then(|own| own.logged);
            counted = Some(count_volume(
                &sighting,
                &class,
                source.logged,
                logged == Some(true),
            ));
        }
        let device = self.devices.get(standing.device).cloned();
        let (device, device_type, device_name, trouble) = device.unwrap_or_default();
        Facts {
            device,
            device_type,
            device_name,
            direction: shown.direction,
            gateway: gateway_kind.zip(gateway_id.map(Into::into)),
            transfer,
            per_gb,
            count_volume: counted,
            metadata: trouble,
        }
    }

    /// Class and price of what a gateway's or a firewall's own log tells of.
    pub(super) fn carried(
        &self,
        log: Log,
        direction: FlowDirection,
        here: transfer::End<'_>,
        [source, destination]: [&Side; 2],
    ) -> (Option<Transfer>, Option<f64>) {
        let sighting = Sighting {
            log,
            direction,
            rejected: false,
            path: None,
            here,
            source: source.end(),
            destination: destination.end(),
            hop: None,
            route: RouteTarget::Unknown,
            gateway_logged: true,
        };
        let class = transfer::classify(&sighting);
        (Some(class), self.options.prices.per_gb(&sighting, &class))
    }

    /// What logged a record: its id, kind and name, and why the index does not help with it.
    pub(super) fn device(&self, own: Option<&Side>, near: &Near) -> DeviceFacts {
        let told = self.resolver.told(near.told);
        let party = own.map(|own| &*own.party);
        let vpc = party.and_then(|party| party.vpc_id.as_ref());
        let subnet = party.and_then(|party| party.subnet_id.as_ref());
        let interface = told.and_then(|told| told.interface_id.as_ref());
        let gateway = told.and_then(|told| told.resource_id.as_ref());
        let stale = own.is_some_and(|own| own.status == Status::Stale);
        let trouble = near.trouble.or(stale.then_some("stale"));
        let (id, kind, name) = match self.options.device {
            Device::Folder => {
                let folder = Arc::from(self.origin.folder.as_str());
                return (Some(folder), Some("folder"), None, trouble);
            }
            Device::Vpc if vpc.is_some() => {
                (vpc, "vpc", party.and_then(|party| party.vpc_name.as_ref()))
            }
            Device::Subnet if subnet.is_some() => {
                let name = party.and_then(|party| party.subnet_name.as_ref());
                (subnet, "subnet", name)
            }
            // What is asked for is not known; the interface always is.
            _ if interface.is_some() => {
                let name = party.and_then(|party| party.resource_name.as_ref());
                (interface, "interface", name)
            }
            _ => (gateway, "nat-gateway", None),
        };
        (id.cloned(), id.map(|_| kind), name.cloned(), trouble)
    }

    pub(super) fn route_target(&self, kind: Option<u32>, gateway: Option<&str>) -> RouteTarget {
        let Some(kind) = kind else {
            return RouteTarget::Unknown;
        };
        match GatewayKind::of(kind) {
            GatewayKind::Local => RouteTarget::Local,
            GatewayKind::Internet => RouteTarget::InternetGateway,
            GatewayKind::EgressOnly => RouteTarget::EgressOnly,
            GatewayKind::Nat => RouteTarget::NatGateway,
            GatewayKind::VirtualPrivate => {
                let hybrid = gateway.map(|id| self.resolver.hybrid(id));
                RouteTarget::VirtualPrivateGateway(hybrid.unwrap_or_default())
            }
            GatewayKind::Transit => RouteTarget::TransitGateway,
            GatewayKind::Peering => RouteTarget::Peering,
            GatewayKind::GatewayEndpoint => RouteTarget::GatewayEndpoint,
            GatewayKind::LoadBalancerEndpoint => RouteTarget::GatewayLoadBalancerEndpoint,
            GatewayKind::Firewall => RouteTarget::FirewallEndpoint,
            GatewayKind::Interface => RouteTarget::Interface,
            GatewayKind::CoreNetwork => RouteTarget::CoreNetwork,
            GatewayKind::Carrier => RouteTarget::CarrierGateway,
            GatewayKind::LocalGateway => RouteTarget::LocalGateway,
            GatewayKind::InterfaceEndpoint | GatewayKind::Other => RouteTarget::Unknown,
        }
    }
}

/// Whether a record of a VPC flow log is the first sighting of its packets, and so the one to count.
///
/// A stream between two logged interfaces appears at both, and once more at each interface in between: it
/// counts where it is sent, or else where it is first seen ("Double counting" in the documentation).
fn count_volume(
    sighting: &Sighting<'_>,
    class: &Transfer,
    sender_logged: Option<bool>,
    vpc_logged: bool,
) -> bool {
    let here = sighting.here.kind;
    match sighting.direction {
        FlowDirection::Egress if !here.is_carrier() => true,
        // What a transit gateway brings in was not seen in this VPC before.
        FlowDirection::Egress if here == InterfaceKind::TransitGateway => {
            sender_logged != Some(true)
        }
        FlowDirection::Egress => false,
        FlowDirection::Ingress => {
            let carried = matches!(
                class.leg.over,
                transfer::Via::NatGateway
                    | transfer::Via::TransitGateway
                    | transfer::Via::GatewayLoadBalancerEndpoint
                    | transfer::Via::NetworkFirewall
            );
            // The carrier's own interface, in the same VPC, saw it before.
            let seen = carried && vpc_logged && !here.is_carrier();
            sender_logged != Some(true) && !seen
        }
    }
}
