//! Why a record was rejected: the rules of the interface's groups and of its subnet's network ACL.

use std::net::IpAddr;

use super::{Enricher, Rejection, Resolved};
use crate::enrichment::rejection::{
    AclEntry, Answer, Filter, LAST_ENTRY, Packet, Peer, SecurityRule, explain,
};
use crate::enrichment::resolution::NONE;
use crate::enrichment::transfer::InterfaceKind;
use crate::flow::field::Field;
use crate::flow::record::{FlowDirection, FlowRecord};
use crate::index::format::Link;
use crate::index::shard::{GroupRow, RuleRow, Shard, SubnetRow};

impl Enricher {
    /// Explains a rejected record into `self.rejection`.
    #[cold]
    pub(super) fn explain(&mut self, flow: &FlowRecord<'_>, resolved: &Resolved) {
        let mut told = std::mem::take(&mut self.rejection);
        told.by = "";
        told.id.clear();
        told.rule.clear();
        told.explanation.clear();
        let mut rules = std::mem::take(&mut self.rules);
        rules.clear();
        self.explain_into(flow, resolved, &mut told, &mut rules);
        self.rules = rules;
        self.rejection = told;
    }

    fn explain_into(
        &self,
        flow: &FlowRecord<'_>,
        resolved: &Resolved,
        told: &mut Rejection,
        rules: &mut Vec<SecurityRule>,
    ) {
        let facts = self.kept.facts.get(resolved.facts as usize);
        let direction = facts.and_then(|facts| facts.direction);
        let far = match direction {
            Some(FlowDirection::Ingress) => Field::Srcaddr,
            _ => Field::Dstaddr,
        };
        let packet = packet(flow, direction, far);
        let near = self.seats.near(resolved.seat);
        let place = near.and_then(|near| {
            let shard = self.resolver.shard(near.shard?)?;
            let interface = self.resolver.interface(near.shard?, near.interface)?;
            Some((near, shard, interface))
        });
        let (Some(packet), Some((near, shard, interface))) = (packet, place) else {
            told.by = "unknown";
            told.explanation
                .push_str("the interface that logged it is not in the index");
            return;
        };
        let file = shard.file();
        let subnet: Option<SubnetRow> = file.follow(Link::to(near.subnet));
        let acl = subnet.map(|subnet| subnet.acl).unwrap_or(Link::NONE);
        let acl_id = file.follow(acl).and_then(|row| file.text(row.id));
        let own_subnet = shard.subnet_at(near.vpc, packet.far);
        let same_subnet = own_subnet.is_some_and(|(subnet, _)| subnet == near.subnet);
        let entries = match (same_subnet, acl_id) {
            (true, _) => Filter::Absent,
            (false, None) => Filter::Unknown,
            (false, Some(_)) => Filter::Rules(shard.acl_entries(acl).filter_map(|row| {
                let (ports, icmp) = ranges(row.protocol, row.from, row.to);
                Some(AclEntry {
                    number: row.number,
                    egress: row.egress,
                    allows: row.allows,
                    protocol: protocol(row.protocol)?,
                    ports,
                    icmp,
                    block: row.block.cidr()?,
                })
            })),
        };
        let groups: Vec<u32> = file.words(interface.groups).collect();
        let rows = || {
            let rows = groups.iter();
            rows.filter_map(|group| file.follow::<GroupRow>(Link::to(*group)))
        };
        let without = matches!(
            near.kind,
            InterfaceKind::NatGateway
                | InterfaceKind::TransitGateway
                | InterfaceKind::GatewayLoadBalancerEndpoint
                | InterfaceKind::FirewallEndpoint
        );
        let filter = if groups.is_empty() && without {
            Filter::Absent
        } else if groups.is_empty() || rows().any(|group| !group.known) {
            Filter::Unknown
        } else {
            let far_groups = self.groups_of(resolved);
            for group in &groups {
                for (number, rule) in shard.rules(*group) {
                    add_peers(shard, number, rule, &packet, &far_groups, rules);
                }
            }
            Filter::Rules(rules.iter().copied())
        };
        let verdict = explain(&packet, flow.text(Field::RejectReason), entries, filter);
        let ids = rows().filter_map(|group| file.text(group.id));
        told.by = verdict.first.by();
        match told.by {
            "network-acl" => {
                told.id.push_str(acl_id.unwrap_or_default());
                if let Some(number) = verdict.first.entry() {
                    told.rule.push_str(match packet.ingress {
                        true => "inbound ",
                        false => "outbound ",
                    });
                    match number < LAST_ENTRY {
                        true => told.rule.push_str(&number.to_string()),
                        false => told.rule.push('*'),
                    }
                }
            }
            "security-group" => {
                for id in ids.clone() {
                    if !told.id.is_empty() {
                        told.id.push(' ');
                    }
                    told.id.push_str(id);
                }
            }
            _ => {}
        }
        verdict.write(&packet, acl_id, ids, &mut told.explanation);
    }

    /// The security groups of the far side's interface; `None` when they are not known.
    fn groups_of(&self, resolved: &Resolved) -> Option<Vec<&str>> {
        let far = self.founds.get(resolved.far as usize)?;
        if far.interface == NONE {
            return None;
        }
        let (shard, row) = self.resolver.place_of(far)?;
        let file = shard.file();
        let groups = file.linked::<GroupRow>(row.groups);
        Some(groups.filter_map(|group| file.text(group.id)).collect())
    }
}

fn packet(flow: &FlowRecord<'_>, direction: Option<FlowDirection>, far: Field) -> Option<Packet> {
    let port = |field| {
        let port = flow.integer(field).unwrap_or_default();
        u16::try_from(port).unwrap_or_default()
    };
    let octet = |field| u8::try_from(flow.integer(field)?).ok();
    Some(Packet {
        ingress: direction? == FlowDirection::Ingress,
        protocol: octet(Field::Protocol)?,
        src_port: port(Field::Srcport),
        dst_port: port(Field::Dstport),
        tcp_flags: octet(Field::TcpFlags),
        far: flow.address(far)?,
    })
}

/// A rule's protocol: none for all. `None` for one that is not known.
fn protocol(number: i32) -> Option<Option<u8>> {
    match number {
        -1 => Some(None),
        number => u8::try_from(number).ok().map(Some),
    }
}

/// First and last port, and type and code of ICMP.
type Ranges = (Option<(u16, u16)>, Option<(i16, i16)>);

fn ranges(protocol: i32, from: i32, to: i32) -> Ranges {
    let port = |port: i32| u16::try_from(port).ok();
    match protocol {
        1 | 58 => {
            let short = |value: i32| i16::try_from(value).unwrap_or(-1);
            (None, Some((short(from), short(to))))
        }
        6 | 17 => (port(from).zip(port(to)), None),
        _ => (None, None),
    }
}

/// Adds the far sides of a rule, a row for each.
fn add_peers(
    shard: &Shard,
    number: u32,
    row: RuleRow,
    packet: &Packet,
    far_groups: &Option<Vec<&str>>,
    rules: &mut Vec<SecurityRule>,
) {
    let file = shard.file();
    let (ports, icmp) = ranges(row.protocol, row.from, row.to);
    let Some(protocol) = protocol(row.protocol) else {
        return;
    };
    let rule = |peer| SecurityRule {
        egress: row.egress,
        protocol,
        ports,
        icmp,
        peer,
    };
    let far: IpAddr = packet.far;
    let blocks = shard.rule_blocks(number).filter_map(|block| block.cidr());
    rules.extend(blocks.map(|block| rule(Peer::Block(block))));
    let lists = file.words(row.lists);
    rules.extend(lists.map(|list| rule(Peer::Told(shard.list_contains(list, far).into()))));
    if row.unknown_list {
        rules.push(rule(Peer::Told(Answer::Maybe)));
    }
    let groups = file.texts(row.groups);
    rules.extend(groups.map(|group| {
        rule(Peer::Told(match far_groups {
            Some(groups) => Answer::from(groups.contains(&group)),
            None => Answer::Maybe,
        }))
    }));
}
