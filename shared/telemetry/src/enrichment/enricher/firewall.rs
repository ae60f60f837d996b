//! Entries of Network Firewall logs.

use std::net::IpAddr;
use std::sync::Arc;

use super::facts::{CarriedKey, Facts};
use super::{Device, Enricher, Enrichment, Own, Resolved, nothing};
use crate::enrichment::protocol::keyword;
use crate::enrichment::resolution::{NONE, Near, Resolver};
use crate::enrichment::side::How;
use crate::enrichment::transfer::{self, InterfaceKind, Log};
use crate::firewall::{FirewallLogType, FirewallRecord};
use crate::flow::record::FlowDirection;
use crate::index::format::{Link, Text};
use crate::index::shard::{GatewayKind, Range32, SubnetRow, VpcRow};

/// Where a firewall stands, and the endpoint on the way.
enum FirewallPlace {
    At(Near, Option<Arc<str>>),
    Attached(String, Option<Arc<str>>),
}

impl Enricher {
    /// An entry of a Network Firewall log.
    pub(super) fn firewall(&mut self, entry: &FirewallRecord) -> Enrichment<'_> {
        self.make_room();
        let resolved = self.firewall_resolved(entry);
        let protocol = entry.event(&["proto"]).and_then(|proto| proto.as_str());
        let own = Own {
            bytes: entry.bytes(),
            protocol: protocol.and_then(keyword),
            tcp_flags: entry.tcp_flags(),
            rejected: false,
        };
        self.enrichment(&resolved, own)
    }

    fn firewall_resolved(&mut self, entry: &FirewallRecord) -> Resolved {
        // Of an entry that tells no time, what was known last is told as stale, as of a flow.
        let written = entry.event_timestamp();
        let time = written.map_or(u32::MAX, |time| u32::try_from(time).unwrap_or(u32::MAX));
        let place = self.firewall_place(entry);
        let [source, destination] =
            [entry.src_ip(), entry.dest_ip()].map(|end| end.map(|address| address.to_canonical()));
        let (sender, receiver) = match &place {
            FirewallPlace::At(near, _) => {
                let near = *near;
                let mut end = |address: Option<IpAddr>| match address {
                    Some(address) => self.resolver.far(&near, address, time, None),
                    None => (nothing(How::NoAddress), Range32::ALWAYS),
                };
                (end(source), end(destination))
            }
            FirewallPlace::Attached(attachment, _) => {
                let attachment = attachment.clone();
                let mut end = |address: Option<IpAddr>| match address {
                    Some(address) => {
                        self.resolver
                            .through_attachment(&attachment, None, address, time, None)
                    }
                    None => (nothing(How::NoAddress), Range32::ALWAYS),
                };
                (end(source), end(destination))
            }
        };
        let (source, destination) = (self.number(sender.0), self.number(receiver.0));
        let (near, endpoint) = match place {
            FirewallPlace::At(near, endpoint) => (near, endpoint),
            FirewallPlace::Attached(_, endpoint) => {
                (self.resolver.nowhere(How::UnknownVpc), endpoint)
            }
        };
        let name = entry.firewall_name();
        let key = CarriedKey {
            source,
            destination,
            direction: None,
            is_flow: entry.log_type() == FirewallLogType::Flow,
            log: (2, self.name_number(Some(name))),
            at: self.name_number(endpoint.as_deref()),
            shard: near.shard.unwrap_or(u16::MAX),
            between: (near.vpc, near.subnet),
        };
        let facts = self.carried_facts(key, |enricher| {
            enricher.firewall_facts(&key, name, &near, endpoint)
        });
        Resolved {
            source,
            destination,
            facts,
            seat: NONE,
            far: destination,
            rejected: false,
        }
    }

    fn firewall_facts(
        &self,
        key: &CarriedKey,
        name: &str,
        near: &Near,
        endpoint: Option<Arc<str>>,
    ) -> Facts {
        let shard = near.shard.and_then(|shard| self.resolver.shard(shard));
        let region = shard.and_then(|shard| shard.file().text(shard.unit()?.region));
        let (mut transfer, mut per_gb, mut counted) = (None, None, None);
        if let (Some(source), Some(destination)) =
            (self.side(key.source), self.side(key.destination))
        {
            let here = transfer::End {
                kind: InterfaceKind::FirewallEndpoint,
                region,
                ..transfer::End::default()
            };
            let ends = [source, destination];
            (transfer, per_gb) = self.carried(Log::Firewall, FlowDirection::Ingress, here, ends);
            let unseen = [source, destination]
                .iter()
                .all(|side| side.party.logged != Some(true));
            counted = key.is_flow.then_some(unseen);
        }
        let subnet = shard.and_then(|shard| {
            let row: SubnetRow = shard.file().follow(Link::to(near.subnet))?;
            shard.file().text(row.id)
        });
        let vpc = shard.and_then(|shard| {
            let row: VpcRow = shard.file().follow(Link::to(near.vpc))?;
            shard.file().text(row.id)
        });
        let (device, device_type) = match self.options.device {
            Device::Folder => (Some(self.origin.folder.as_str()), "folder"),
            Device::Vpc if vpc.is_some() => (vpc, "vpc"),
            Device::Subnet if subnet.is_some() => (subnet, "subnet"),
            _ => (Some(name), "firewall"),
        };
        Facts {
            device: device.map(Into::into),
            device_type: Some(device_type),
            device_name: Some(name.into()),
            direction: None,
            gateway: endpoint.map(|id| (GatewayKind::Firewall, id)),
            transfer,
            per_gb,
            count_volume: counted,
            metadata: near.trouble,
        }
    }

    /// Where a firewall stands: by its name, in the account and region that the log's key tells where several
    /// have it; and its endpoint in the entry's zone.
    fn firewall_place(&mut self, entry: &FirewallRecord) -> FirewallPlace {
        let unknown = |resolver: &Resolver| {
            let how = match resolver.directory() {
                Some(_) => How::UnknownVpc,
                None => How::NoIndex,
            };
            FirewallPlace::At(resolver.nowhere(how), None)
        };
        let Some(directory) = self.resolver.directory().map(Arc::clone) else {
            return unknown(&self.resolver);
        };
        let text = |text: Text| directory.file().text(text);
        let mut firewalls: Vec<_> = directory.firewalls(entry.firewall_name()).collect();
        let hint = &self.origin;
        if let Some(account) = hint.account.as_deref() {
            firewalls.retain(|row| text(row.owner) == Some(account));
        }
        if let Some(region) = hint.region.as_deref() {
            firewalls.retain(|row| text(row.by.region) == Some(region));
        }
        firewalls.dedup_by(|a, b| text(a.arn) == text(b.arn));
        let [firewall] = firewalls.as_slice() else {
            return unknown(&self.resolver);
        };
        let arn = text(firewall.arn).unwrap_or_default();
        let zone = entry.availability_zone();
        let endpoint = directory
            .firewall_endpoints(arn)
            .find(|row| text(row.zone) == zone);
        let id = endpoint.and_then(|row| text(row.endpoint)).map(Into::into);
        if let Some(attachment) = text(firewall.attachment) {
            return FirewallPlace::Attached(attachment.to_owned(), id);
        }
        let (account, region) = (text(firewall.by.account), text(firewall.by.region));
        let (Some(account), Some(region), Some(vpc)) = (account, region, text(firewall.vpc)) else {
            return unknown(&self.resolver);
        };
        let subnet = endpoint.and_then(|row| text(row.subnet));
        let near = self.resolver.place(account, region, vpc, subnet);
        FirewallPlace::At(near, id)
    }
}
