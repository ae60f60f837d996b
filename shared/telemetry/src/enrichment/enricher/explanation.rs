//! Why a record was rejected: the rules of the interface's groups and of its subnet's network ACL.

use std::collections::HashMap;
use std::net::IpAddr;

use super::memo::Mixing;
use super::{Enricher, Rejection, Resolved};
use crate::enrichment::rejection::{
    AclEntry, Answer, Filter, LAST_ENTRY, Packet, Peer, SecurityRule, explain,
};
use crate::enrichment::resolution::NONE;
use crate::flow::field::Field;
use crate::flow::record::{FlowDirection, FlowRecord};
use crate::index::format::{Link, Words};
use crate::index::shard::{AclRow, GroupRow, RuleRow, Shard, SubnetRow};
use crate::inventory::Cidr;

/// What packets have to pass at an interface: taken apart once for all interfaces of the same groups and network ACL.
#[derive(Debug)]
pub(super) struct Guard {
    acl: Option<Box<str>>,
    entries: Vec<AclEntry>,
    /// Ids of the security groups.
    groups: Vec<Box<str>>,
    has_groups: bool,
    /// `None` when the rules of a group are not known.
    rules: Option<Vec<GroupRule>>,
}

/// A rule of a security group, towards one far side.
#[derive(Debug)]
struct GroupRule {
    /// The rule; its peer is to be told.
    rule: SecurityRule,
    peer: RulePeer,
}

/// Whom a rule of a security group is about.
#[derive(Debug)]
enum RulePeer {
    Block(Cidr),
    /// A prefix list of the shard.
    List(u32),
    UnknownList,
    /// A security group, by its id.
    Group(Box<str>),
}

/// What tells a guard from others: the shard, its list of groups, its network ACL.
type GuardKey = (u16, Words, Link<AclRow>);

/// Guards that are kept, each once.
#[derive(Debug, Default)]
pub(super) struct Guards {
    guards: HashMap<GuardKey, Guard, Mixing>,
    rules: usize,
}

/// Rules of guards that are kept at most. Beyond it, all are taken apart anew: it bounds memory.
const MAX_RULES: usize = 1 << 16;

impl Guards {
    pub(super) fn clear(&mut self) {
        self.guards.clear();
        self.rules = 0;
    }

    fn get(&mut self, key: GuardKey, shard: &Shard) -> &Guard {
        if self.rules > MAX_RULES {
            self.clear();
        }
        let rules = &mut self.rules;
        self.guards.entry(key).or_insert_with(|| {
            let guard = Guard::new(key, shard);
            *rules += guard.entries.len() + guard.rules.as_ref().map_or(0, Vec::len);
            guard
        })
    }
}

impl Guard {
    fn new((_, groups, acl): GuardKey, shard: &Shard) -> Guard {
        let file = shard.file();
        let entries = shard.acl_entries(acl).filter_map(|row| {
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
        });
        let rows = || file.linked::<GroupRow>(groups);
        let ids = rows().filter_map(|group| file.text(group.id));
        let known = rows().all(|group| group.known);
        let rules = || {
            let mut rules = Vec::new();
            for group in file.words(groups) {
                for (number, rule) in shard.rules(group) {
                    add_peers(shard, number, rule, &mut rules);
                }
            }
            rules
        };
        Guard {
            acl: file
                .follow(acl)
                .and_then(|row| file.text(row.id))
                .map(Into::into),
            entries: entries.collect(),
            groups: ids.map(Into::into).collect(),
            has_groups: file.words(groups).next().is_some(),
            rules: known.then(rules),
        }
    }
}

impl RulePeer {
    /// Whether the far side of a packet is meant, of which these groups are known.
    fn towards(&self, shard: &Shard, far: IpAddr, groups: Option<&[&str]>) -> Peer {
        Peer::Told(match self {
            RulePeer::Block(block) => return Peer::Block(*block),
            RulePeer::List(list) => shard.list_contains(*list, far).into(),
            RulePeer::UnknownList => Answer::Maybe,
            RulePeer::Group(id) => match groups {
                Some(groups) => groups.contains(&&**id).into(),
                None => Answer::Maybe,
            },
        })
    }
}

impl Enricher {
    /// Explains a rejected record into `self.rejection`.
    #[cold]
    pub(super) fn explain(&mut self, flow: &FlowRecord<'_>, resolved: &Resolved) {
        let mut told = std::mem::take(&mut self.rejection);
        told.by = "";
        told.id.clear();
        told.rule.clear();
        told.explanation.clear();
        let mut guards = std::mem::take(&mut self.guards);
        self.explain_into(flow, resolved, &mut guards, &mut told);
        self.guards = guards;
        self.rejection = told;
    }

    fn explain_into(
        &self,
        flow: &FlowRecord<'_>,
        resolved: &Resolved,
        guards: &mut Guards,
        told: &mut Rejection,
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
            let number = near.shard?;
            let shard = self.resolver.shard(number)?;
            let interface = self.resolver.interface(number, near.interface)?;
            Some((near, number, shard, interface))
        });
        let (Some(packet), Some((near, number, shard, interface))) = (packet, place) else {
            told.by = "unknown";
            told.explanation
                .push_str("the interface that logged it is not in the index");
            return;
        };
        let subnet: Option<SubnetRow> = shard.file().follow(Link::to(near.subnet));
        let acl = subnet.map_or(Link::NONE, |subnet| subnet.acl);
        let guard = guards.get((number, interface.groups, acl), shard);
        let own_subnet = shard.subnet_at(near.vpc, packet.far);
        let same_subnet = own_subnet.is_some_and(|(subnet, _)| subnet == near.subnet);
        let entries = match (same_subnet, &guard.acl) {
            (true, _) => Filter::Absent,
            (false, None) => Filter::Unknown,
            (false, Some(_)) => Filter::Rules(guard.entries.iter().copied()),
        };
        let far_groups = self.groups_of(resolved);
        let rules = match &guard.rules {
            _ if !guard.has_groups && near.kind.is_without_groups() => Filter::Absent,
            Some(rules) if guard.has_groups => {
                let of_protocol = rules.iter().filter(|rule| {
                    let protocol = rule.rule.protocol;
                    protocol.is_none_or(|protocol| protocol == packet.protocol)
                });
                Filter::Rules(of_protocol.map(|rule| SecurityRule {
                    peer: rule.peer.towards(shard, packet.far, far_groups.as_deref()),
                    ..rule.rule
                }))
            }
            _ => Filter::Unknown,
        };
        let verdict = explain(&packet, flow.text(Field::RejectReason), entries, rules);
        let ids = guard.groups.iter().map(|id| &**id);
        told.by = verdict.first.by();
        match told.by {
            "network-acl" => {
                told.id.push_str(guard.acl.as_deref().unwrap_or_default());
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
        verdict.write(&packet, guard.acl.as_deref(), ids, &mut told.explanation);
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
        far: flow.address(far)?.to_canonical(),
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

/// Adds the far sides of a rule, one after another.
fn add_peers(shard: &Shard, number: u32, row: RuleRow, rules: &mut Vec<GroupRule>) {
    let file = shard.file();
    let (ports, icmp) = ranges(row.protocol, row.from, row.to);
    let Some(protocol) = protocol(row.protocol) else {
        return;
    };
    let blocks = shard.rule_blocks(number).filter_map(|block| block.cidr());
    let peers = blocks
        .map(RulePeer::Block)
        .chain(file.words(row.lists).map(RulePeer::List))
        .chain(row.unknown_list.then_some(RulePeer::UnknownList))
        .chain(file.texts(row.groups).map(|id| RulePeer::Group(id.into())));
    rules.extend(peers.map(|peer| GroupRule {
        rule: SecurityRule {
            egress: row.egress,
            protocol,
            ports,
            icmp,
            peer: Peer::Told(Answer::Maybe),
        },
        peer,
    }));
}
