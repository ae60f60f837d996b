//! What connections lead to: peering, transit gateways and core networks by their route tables; and where these
//! are not known, all that could be reached.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Found, NO_SHARD, Near, Resolver, Timed, is_public};
use crate::enrichment::side::How;
use crate::enrichment::transfer::{Hybrid, InterfaceKind, Place};
use crate::index::directory::{AttachmentRow, Directory, PeeringRow};
use crate::index::format::{Text, bits};
use crate::index::shard::Range32;

/// Where a transit gateway leads to.
pub(super) enum Beyond {
    Vpc {
        id: String,
        owner: Option<String>,
    },
    OnPremises {
        hybrid: Hybrid,
        kind: &'static str,
        id: String,
        name: Option<String>,
    },
    /// It leads nowhere, or drops.
    Nowhere,
    /// The routes are not known.
    Unknown,
}

/// Transit gateways that are crossed.
pub(super) const MAX_GATEWAYS: usize = 16;

/// A VPC that can be reached: its id, owner, region, and by what.
pub(super) type Reached = (String, Option<String>, Option<String>, How);

/// Follows the routes of transit gateways from a route table.
pub(super) fn transit(
    directory: &Directory,
    gateway: &str,
    table: &str,
    address: IpAddr,
) -> Beyond {
    let text = |text: Text| directory.file().text(text);
    let (mut gateway, mut table) = (gateway.to_owned(), table.to_owned());
    let mut entered: Option<&str> = None;
    for _ in 0..MAX_GATEWAYS {
        let Some(route) = directory.transit_route(&table, address) else {
            let complete = directory.transit_table(&table).is_some_and(|t| t.complete);
            return match complete {
                true => Beyond::Nowhere,
                false => Beyond::Unknown,
            };
        };
        if route.blackhole {
            return Beyond::Nowhere;
        }
        let Some(attachment) = directory.file().texts(route.attachments).next() else {
            return Beyond::Unknown;
        };
        let side = directory
            .attachments(attachment)
            .find(|side| text(side.gateway) == Some(&*gateway));
        let Some(side) = side else {
            return Beyond::Unknown;
        };
        let resource = text(side.resource).unwrap_or_default().to_owned();
        let (hybrid, kind) = match text(side.kind) {
            Some("vpc") => {
                return Beyond::Vpc {
                    id: resource,
                    owner: text(side.owner).map(str::to_owned),
                };
            }
            Some("vpn" | "vpn-concentrator") => (Hybrid::Vpn, "vpn-connection"),
            Some("client-vpn") => (Hybrid::Vpn, "client-vpn-endpoint"),
            Some("direct-connect-gateway") => (Hybrid::DirectConnect, "direct-connect-gateway"),
            Some("connect") => (Hybrid::Either, "transit-gateway-connect"),
            Some("peering" | "tgw-peering") => {
                // Not back to where it came from.
                if entered == Some(attachment) {
                    return Beyond::Nowhere;
                }
                entered = Some(attachment);
                // The other gateway has the same attachment, with a table of its own.
                let far = directory
                    .attachments(attachment)
                    .find(|far| text(far.gateway).is_some_and(|g| g != gateway));
                let next = far.and_then(|far| Some((text(far.gateway)?, text(far.table)?)));
                let Some((next_gateway, next_table)) = next else {
                    let far = far.and_then(|far| text(far.gateway));
                    let mut sides = directory.attachments(attachment);
                    return match far.is_some_and(|far| is_unassociated(directory, far, &mut sides))
                    {
                        true => Beyond::Nowhere,
                        false => Beyond::Unknown,
                    };
                };
                (gateway, table) = (next_gateway.to_owned(), next_table.to_owned());
                continue;
            }
            Some("network-function") => {
                // A firewall: what it lets pass comes in again by its attachment.
                let next = text(side.table).filter(|next| *next != table);
                let Some(next) = next else {
                    return Beyond::Unknown;
                };
                table = next.to_owned();
                continue;
            }
            _ => return Beyond::Unknown,
        };
        return Beyond::OnPremises {
            hybrid,
            kind,
            id: resource,
            name: text(side.name).map(str::to_owned),
        };
    }
    Beyond::Unknown
}

/// Whether an attachment has no route table, as the owner of the transit gateway tells.
pub(super) fn is_unassociated(
    directory: &Directory,
    gateway: &str,
    sides: &mut dyn Iterator<Item = AttachmentRow>,
) -> bool {
    let text = |text: Text| directory.file().text(text);
    let owner = directory
        .transit_gateway(gateway)
        .map(|gateway| gateway.owner);
    let owner = owner.and_then(text);
    let mut of_gateway = sides
        .filter(|side| text(side.gateway) == Some(gateway))
        .peekable();
    owner.is_some()
        && of_gateway.peek().is_some()
        && of_gateway.any(|side| text(side.by.account) == owner && side.table.is_none())
}

/// The end of a peering connection that is not the VPC: its id, owner and region.
pub(super) fn other_end<'d>(
    peering: &PeeringRow,
    vpc: &str,
    text: impl Fn(Text) -> Option<String> + 'd,
) -> Option<(String, Option<String>, Option<String>)> {
    let requester = text(peering.requester)?;
    let accepter = text(peering.accepter)?;
    if requester == vpc {
        let account = text(peering.accepter_account);
        Some((accepter, account, text(peering.accepter_region)))
    } else if accepter == vpc {
        let account = text(peering.requester_account);
        Some((requester, account, text(peering.requester_region)))
    } else {
        None
    }
}

impl Resolver {
    /// Where a transit gateway leads to from an attached VPC.
    pub(super) fn transit_from(&self, gateway: &str, vpc: &str, address: IpAddr) -> Beyond {
        let Some(directory) = self.directory.ready() else {
            return Beyond::Unknown;
        };
        let text = |text: Text| directory.file().text(text);
        let table = directory
            .attachments_of(vpc)
            .filter(|attachment| text(attachment.gateway) == Some(gateway))
            .find_map(|attachment| text(attachment.table));
        match table {
            Some(table) => transit(directory, gateway, table, address),
            None if is_unassociated(directory, gateway, &mut directory.attachments_of(vpc)) => {
                Beyond::Nowhere
            }
            None => Beyond::Unknown,
        }
    }

    /// Seen from the interface of a transit gateway in a VPC: what the gateway's route table leads to, not the
    /// subnet's.
    pub(super) fn behind_gateway_of(
        &mut self,
        vpc: &str,
        shard: u16,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Option<Timed> {
        let directory = Arc::clone(self.directory.ready()?);
        let text = |text: Text| directory.file().text(text);
        let mut attachments = directory.attachments_of(vpc);
        let (gateway, table) =
            attachments.find_map(|row| Some((text(row.gateway)?, text(row.table)?)))?;
        match transit(&directory, gateway, table, address) {
            Beyond::Unknown | Beyond::Nowhere => None,
            beyond => {
                let how = How::TransitGateway;
                Some(self.beyond(beyond, how, shard, vpc, None, address, time, service))
            }
        }
    }

    /// Where a transit gateway leads to for what comes from an attachment.
    pub fn through_attachment(
        &mut self,
        attachment: &str,
        gateway: Option<&str>,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Timed {
        let beyond = self.walk(attachment, gateway, address);
        match beyond {
            Beyond::Unknown | Beyond::Nowhere => match is_public(address) {
                true => self.public(None, address, time, service),
                false => {
                    let found = Found::unknown(How::UnknownAddress, Place::Unknown, 0);
                    (found, Range32::ALWAYS)
                }
            },
            beyond => {
                let how = How::TransitGateway;
                self.beyond(beyond, how, NO_SHARD, "", None, address, time, service)
            }
        }
    }

    /// Where a transit gateway leads to from an attachment.
    pub(super) fn walk(&self, attachment: &str, gateway: Option<&str>, address: IpAddr) -> Beyond {
        let Some(directory) = self.directory.ready() else {
            return Beyond::Unknown;
        };
        let text = |text: Text| directory.file().text(text);
        let here = |row: &AttachmentRow| gateway.is_none() || text(row.gateway) == gateway;
        let table = directory
            .attachments(attachment)
            .filter(here)
            .find_map(|row| Some((text(row.gateway)?, text(row.table)?)));
        match (table, gateway) {
            (Some((gateway, table)), _) => transit(directory, gateway, table, address),
            (None, Some(gateway)) => {
                let mut sides = directory.attachments(attachment);
                match is_unassociated(directory, gateway, &mut sides) {
                    true => Beyond::Nowhere,
                    false => Beyond::Unknown,
                }
            }
            (None, None) => Beyond::Unknown,
        }
    }

    /// The same, where the routes are known.
    pub fn known_through(
        &mut self,
        attachment: &str,
        gateway: Option<&str>,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Option<Timed> {
        match self.walk(attachment, gateway, address) {
            Beyond::Unknown => None,
            _ => Some(self.through_attachment(attachment, gateway, address, time, service)),
        }
    }

    /// The attachment of the transit gateway's own interface that logs.
    pub fn attachment_of(&self, near: &Near) -> Option<String> {
        if near.kind != InterfaceKind::TransitGateway {
            return None;
        }
        let interface = self.interface(near.shard?, near.interface)?;
        let shard = self.shard(near.shard?)?;
        let resource = shard.file().follow(interface.resource)?;
        shard.file().text(resource.id).map(str::to_owned)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn beyond(
        &mut self,
        beyond: Beyond,
        how: How,
        shard: u16,
        vpc: &str,
        gateway: Option<&str>,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Timed {
        match beyond {
            Beyond::Vpc { id, owner } if self.may_have(&id, address) => {
                self.in_vpc_of(&id, owner.as_deref(), None, address, time, how)
            }
            // A VPC that is a way to somewhere else: inspection, or out to the internet.
            Beyond::Vpc { .. } => match is_public(address) {
                true => self.public(None, address, time, service),
                false => self.listed(shard, address, How::UnknownAddress),
            },
            Beyond::OnPremises {
                hybrid,
                kind,
                id,
                name,
            } => self.on_premises(hybrid, kind, &id, name.as_deref()),
            Beyond::Nowhere => match is_public(address) {
                true => self.public(Some(shard), address, time, service),
                false => self.listed(shard, address, How::UnknownAddress),
            },
            Beyond::Unknown => {
                let among = self.reach_of_gateways(vpc, gateway, address);
                self.among(among, shard, address, time, service)
            }
        }
    }

    /// Without routes: among all VPCs that a connection leads to, if one only has the address.
    pub(super) fn by_reach(
        &mut self,
        shard: u16,
        vpc: &str,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Timed {
        let mut reach = self.reach_of_gateways(vpc, None, address);
        if let Some(directory) = self.directory.ready() {
            let text = |text: Text| directory.file().text(text).map(str::to_owned);
            let bits = bits(address);
            for peering in directory.peerings().filter(|peering| peering.active) {
                let Some((other, account, region)) = other_end(&peering, vpc, text) else {
                    continue;
                };
                let mut blocks = directory.blocks(&other).peekable();
                // Whoever does not tell what it has may have the address.
                if blocks.peek().is_none() {
                    reach = None;
                } else if blocks.any(|block| block.contains(bits))
                    && let Some(reach) = &mut reach
                {
                    reach.push((other, account, region, How::Peering));
                }
            }
        }
        self.among(reach, shard, address, time, service)
    }

    /// VPCs that have an address and hang at the transit gateways of a VPC, or at those that these are peered
    /// with. `None` when not all that hangs there is known, or something that is no VPC may have the address.
    pub(super) fn reach_of_gateways(
        &self,
        vpc: &str,
        gateway: Option<&str>,
        address: IpAddr,
    ) -> Option<Vec<Reached>> {
        let directory = self.directory.ready()?;
        let text = |text: Text| directory.file().text(text);
        // Only its owner sees all that a VPC is connected with.
        if !directory
            .vpcs(vpc)
            .any(|row| text(row.by.account) == text(row.owner))
        {
            return None;
        }
        let attached = directory.attachments_of(vpc);
        let mut gateways: Vec<String> = attached
            .filter_map(|attachment| text(attachment.gateway).map(str::to_owned))
            .collect();
        gateways.extend(gateway.map(str::to_owned));
        self.reach_from(gateways, 0, vpc, address)
    }

    /// The same from some gateways on, of which those before `place` are not entered.
    pub(super) fn reach_from(
        &self,
        mut gateways: Vec<String>,
        mut place: usize,
        vpc: &str,
        address: IpAddr,
    ) -> Option<Vec<Reached>> {
        let directory = self.directory.ready()?;
        let text = |text: Text| directory.file().text(text);
        let bits = bits(address);
        let mut reached = Vec::new();
        while let Some(gateway) = gateways.get(place).cloned() {
            place += 1;
            let owner = directory.transit_gateway(&gateway)?.owner;
            let attached = directory.all_attachments();
            let attached = attached.filter(|side| text(side.gateway) == Some(&gateway));
            let attached: Vec<_> = attached.collect();
            // Only its owner sees all that is attached.
            if !attached
                .iter()
                .any(|side| text(side.by.account) == text(owner))
            {
                return None;
            }
            for side in attached {
                let other = text(side.resource)?;
                match text(side.kind)? {
                    "vpc" if other == vpc => {}
                    "vpc" => {
                        let mut blocks = directory.blocks(other).peekable();
                        blocks.peek()?;
                        if blocks.any(|block| block.contains(bits)) {
                            let owner = text(side.owner).map(str::to_owned);
                            reached.push((other.to_owned(), owner, None, How::TransitGateway));
                        }
                    }
                    "peering" | "tgw-peering" => {
                        if !gateways.iter().any(|gateway| gateway == other) {
                            gateways.push(other.to_owned());
                        }
                    }
                    _ => return None,
                }
            }
        }
        Some(reached)
    }

    pub(super) fn among(
        &mut self,
        reach: Option<Vec<Reached>>,
        shard: u16,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Timed {
        let Some(mut reach) = reach else {
            return match is_public(address) {
                true => self.public(Some(shard), address, time, service),
                false => {
                    let found = Found::unknown(How::AmbiguousAddress, Place::Unknown, 0);
                    (found, Range32::ALWAYS)
                }
            };
        };
        reach.sort_by(|a, b| a.0.cmp(&b.0));
        reach.dedup_by(|a, b| a.0 == b.0);
        match reach.as_slice() {
            [(vpc, account, region, how)] => {
                let (account, region) = (account.as_deref(), region.as_deref());
                self.in_vpc_of(vpc, account, region, address, time, *how)
            }
            [] if is_public(address) => self.public(Some(shard), address, time, service),
            [] => self.listed(shard, address, How::UnknownAddress),
            _ => {
                let found = Found::unknown(How::AmbiguousAddress, Place::Unknown, 0);
                (found, Range32::ALWAYS)
            }
        }
    }

    /// What is behind an attachment of a transit gateway; `None` when that does not tell who has the address.
    pub fn behind_attachment(
        &mut self,
        attachment: &str,
        gateway: Option<&str>,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Option<Timed> {
        let directory = Arc::clone(self.directory.ready()?);
        let text = |text: Text| directory.file().text(text);
        let mut sides = directory.attachments(attachment);
        let side = sides.find(|side| gateway.is_none() || text(side.gateway) == gateway)?;
        let resource = text(side.resource)?;
        if is_public(address) && text(side.kind) != Some("vpc") {
            return None;
        }
        Some(match text(side.kind)? {
            "vpc" if self.vpc_has(resource, address) => {
                let owner = text(side.owner);
                self.in_vpc_of(resource, owner, None, address, time, How::TransitGateway)
            }
            "vpc" => self.anywhere(address, time, service),
            "vpn" | "vpn-concentrator" => {
                self.on_premises(Hybrid::Vpn, "vpn-connection", resource, text(side.name))
            }
            "client-vpn" => {
                let kind = "client-vpn-endpoint";
                self.on_premises(Hybrid::Vpn, kind, resource, text(side.name))
            }
            "direct-connect-gateway" => {
                let kind = "direct-connect-gateway";
                self.on_premises(Hybrid::DirectConnect, kind, resource, text(side.name))
            }
            "connect" => {
                let kind = "transit-gateway-connect";
                self.on_premises(Hybrid::Either, kind, resource, text(side.name))
            }
            "peering" | "tgw-peering" => {
                // One of the VPCs at the other gateway, and those behind it, if one only has the address.
                let here = text(side.gateway)?.to_owned();
                let reach = self.reach_from(vec![here, resource.to_owned()], 1, "", address);
                self.among(reach, NO_SHARD, address, time, service)
            }
            _ => return None,
        })
    }
}
