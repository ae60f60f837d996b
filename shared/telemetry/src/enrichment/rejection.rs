//! Why a packet was rejected: by which network ACL entry, or for want of which security group rule.
//!
//! ```text
//! ingress ─▶ network ACL ─▶ security groups ─▶ interface
//! egress  ◀─ network ACL ◀─ security groups ◀─ interface
//! ```
//!
//! The first that stops the packet on its way is the reason; when the other would stop it too, it is told as
//! well. Flow logs do not hold all that the rules ask for (ICMP types), and the metadata does not hold all that the
//! rules name (members of others' security groups). What hangs on such a thing is [`Answer::Maybe`], and a maybe
//! never becomes a reason.
//!
//! Semantics are those of "Control subnet traffic with network access control lists" and "Control traffic to
//! your AWS resources using security groups" of the *Amazon VPC User Guide*:
//!
//! - a network ACL is tried by number, and the first entry that fits decides; without one, it denies. It knows no
//!   connections, and nothing of traffic within one subnet;
//! - security groups allow what any rule of any of them allows, and the answers to what was allowed.

use std::fmt::Write;
use std::net::IpAddr;

use crate::inventory::Cidr;

#[cfg(test)]
mod tests;

/// The number from which entries of a network ACL are the fixed last ones, shown as `*`: 32767 for IPv4 and 32768 for
/// IPv6.
pub const LAST_ENTRY: u32 = 32_767;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP_V6: u8 = 58;

const SYN: u8 = 2;
const ACK: u8 = 16;

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answer {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It hangs on something that is not known.
    #[default]
    Maybe,
}

impl Answer {
    /// Whether both hold.
    pub fn and(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::No, _) | (_, Answer::No) => Answer::No,
            (Answer::Yes, Answer::Yes) => Answer::Yes,
            _ => Answer::Maybe,
        }
    }

    /// Whether one of both holds.
    pub fn or(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::Yes, _) | (_, Answer::Yes) => Answer::Yes,
            (Answer::No, Answer::No) => Answer::No,
            _ => Answer::Maybe,
        }
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Answer {
        match holds {
            true => Answer::Yes,
            false => Answer::No,
        }
    }
}

/// The rejected packets of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Whether they came to the interface; they left it otherwise.
    pub ingress: bool,
    /// IANA protocol number.
    pub protocol: u8,
    /// Source port, where the protocol has ports.
    pub src_port: u16,
    /// Destination port, where the protocol has ports.
    pub dst_port: u16,
    /// `tcp-flags`, where the record has them: the flags of all packets of the window together.
    pub tcp_flags: Option<u8>,
    /// The address at the far side: the source of ingress, the destination of egress.
    pub far: IpAddr,
}

/// The far side of a security group's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Addresses of a block.
    Block(Cidr),
    /// A prefix list or a security group: whether the far address belongs to it. [`among`] tells it for a prefix list
    /// whose entries are known; a group has a far interface among its members or not.
    Told(Answer),
}

/// What a security group allows: one row for each far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityRule {
    /// Whether it is about what leaves the interface.
    pub egress: bool,
    /// IANA protocol number; `None` for all.
    pub protocol: Option<u8>,
    /// First and last destination port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// ICMP type and code, -1 for all; `None` for all.
    pub icmp: Option<(i16, i16)>,
    /// The far side.
    pub peer: Peer,
}

/// An entry of a network ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AclEntry {
    /// Its number.
    pub number: u32,
    /// Whether it is about what leaves the subnet.
    pub egress: bool,
    /// Whether it allows; it denies otherwise.
    pub allows: bool,
    /// IANA protocol number; `None` for all.
    pub protocol: Option<u8>,
    /// First and last destination port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// ICMP type and code, -1 for all; `None` for all.
    pub icmp: Option<(i16, i16)>,
    /// The far side.
    pub block: Cidr,
}

/// The rules of one of the two filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter<I> {
    /// It is not known which rules apply.
    Unknown,
    /// None apply: a network ACL to traffic within one subnet, or security groups to an interface that has none (NAT
    /// gateway, transit gateway, Gateway Load Balancer endpoint).
    Absent,
    /// These. Entries of a network ACL stand in the order of their numbers, as the inventory keeps them.
    Rules(I),
}

/// Why packets were rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explanation {
    /// An entry of the network ACL denies them: this one, or one of several where the record does not tell
    /// which.
    NetworkAcl(Option<AclEntry>),
    /// No rule of the security groups allows them.
    NoSecurityRule,
    /// The rules as they are known would let them pass.
    MetadataWouldAccept,
    /// VPC Block Public Access, as the record says.
    VpcBlockPublicAccess,
    /// Encryption controls of the VPC, as the record says.
    EncryptionControls,
    /// It cannot be told, and this is why.
    Unknown(&'static str),
}

/// Why packets were rejected, and what else would have rejected them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The first reason on the packets' way.
    pub first: Explanation,
    /// What would have stopped them next.
    pub second: Option<Explanation>,
}

/// Tells why packets were rejected.
///
/// `reject_reason` is the column of that name (version 8). Entries of the network ACL and rules of the
/// security groups may be those of both directions. Nothing is allocated; the security rules are gone through twice at most.
pub fn explain<A, G>(
    packet: &Packet,
    reject_reason: Option<&str>,
    acl: Filter<A>,
    groups: Filter<G>,
) -> Verdict
where
    A: IntoIterator<Item = AclEntry>,
    G: IntoIterator<Item = SecurityRule>,
    G::IntoIter: Clone,
{
    let told = match reject_reason {
        None => None,
        Some("BPA") => Some(Explanation::VpcBlockPublicAccess),
        Some("EC") => Some(Explanation::EncryptionControls),
        Some(_) => Some(Explanation::Unknown(
            "the record gives a reject-reason that is not known here",
        )),
    };
    if let Some(first) = told {
        return Verdict {
            first,
            second: None,
        };
    }
    let acl = match acl {
        Filter::Unknown => Check::Open("the network ACL of the subnet is not known"),
        Filter::Absent => Check::Passes,
        Filter::Rules(entries) => by_acl(packet, entries),
    };
    let groups = match groups {
        Filter::Unknown => Check::Open("the security groups of the interface are not known"),
        Filter::Absent => Check::Passes,
        Filter::Rules(rules) => by_groups(packet, rules.into_iter()),
    };
    let (first, second) = match packet.ingress {
        true => (acl, groups),
        false => (groups, acl),
    };
    match (first, second) {
        (Check::Stops(first), Check::Stops(second)) => Verdict {
            first,
            second: Some(second),
        },
        (Check::Stops(only), _) | (_, Check::Stops(only)) => only.alone(),
        (Check::Open(why), _) | (_, Check::Open(why)) => Explanation::Unknown(why).alone(),
        (Check::Passes, Check::Passes) => Explanation::MetadataWouldAccept.alone(),
    }
}

/// What one filter does to the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Passes,
    Stops(Explanation),
    Open(&'static str),
}

/// Whether an address is in one of the blocks, as of a prefix list whose entries are known.
pub fn among(blocks: impl IntoIterator<Item = Cidr>, address: IpAddr) -> Answer {
    Answer::from(blocks.into_iter().any(|block| block.contains(address)))
}

/// Whether protocol, ports and ICMP type are those of a rule.
fn fits(
    packet: &Packet,
    port: u16,
    protocol: Option<u8>,
    ports: Option<(u16, u16)>,
    icmp: Option<(i16, i16)>,
) -> Answer {
    match protocol {
        None => return Answer::Yes,
        Some(protocol) if protocol != packet.protocol => return Answer::No,
        Some(_) => {}
    }
    match packet.protocol {
        TCP | UDP => Answer::from(ports.is_none_or(|(first, last)| first <= port && port <= last)),
        // Flow logs do not hold the type.
        ICMP | ICMP_V6 => match icmp {
            None | Some((-1, _)) => Answer::Yes,
            Some(_) => Answer::Maybe,
        },
        _ => Answer::Yes,
    }
}

/// The first entry that fits decides.
fn by_acl(packet: &Packet, entries: impl IntoIterator<Item = AclEntry>) -> Check {
    let mut possible: Option<bool> = None;
    for entry in entries {
        if entry.egress == packet.ingress || !entry.block.contains(packet.far) {
            continue;
        }
        let fits = fits(
            packet,
            packet.dst_port,
            entry.protocol,
            entry.ports,
            entry.icmp,
        );
        match (fits, possible) {
            (Answer::No, _) => {}
            (Answer::Yes, None) => {
                return match entry.allows {
                    true => Check::Passes,
                    false => Check::Stops(Explanation::NetworkAcl(Some(entry))),
                };
            }
            (Answer::Yes, Some(before)) if before == entry.allows => {
                return match before {
                    true => Check::Passes,
                    false => Check::Stops(Explanation::NetworkAcl(None)),
                };
            }
            (Answer::Maybe, None) => possible = Some(entry.allows),
            (Answer::Maybe, Some(before)) if before == entry.allows => {}
            (Answer::Yes | Answer::Maybe, Some(_)) => return Check::Open(ICMP_TYPE),
        }
    }
    match possible {
        // Nothing fits: the end of the list denies.
        None => Check::Stops(Explanation::NetworkAcl(last_entry(packet))),
        Some(false) => Check::Stops(Explanation::NetworkAcl(None)),
        Some(true) => Check::Open(ICMP_TYPE),
    }
}

const ICMP_TYPE: &str = "the rules name ICMP types, which flow logs do not tell";

/// The entry at the end of every network ACL, for those that come without it.
fn last_entry(packet: &Packet) -> Option<AclEntry> {
    let everywhere = match packet.far {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    };
    Some(AclEntry {
        number: LAST_ENTRY,
        egress: !packet.ingress,
        allows: false,
        protocol: None,
        ports: None,
        icmp: None,
        block: Cidr::new(everywhere, 0)?,
    })
}

/// Any rule allows; what answers an allowed connection is allowed as well.
fn by_groups(packet: &Packet, rules: impl Iterator<Item = SecurityRule> + Clone) -> Check {
    let allowed = |egress: bool, port: u16| {
        let mut answer = Answer::No;
        let mut by_type = false;
        for rule in rules.clone().filter(|rule| rule.egress == egress) {
            let fits = fits(packet, port, rule.protocol, rule.ports, rule.icmp);
            let peer = match rule.peer {
                Peer::Block(block) => Answer::from(block.contains(packet.far)),
                Peer::Told(answer) => answer,
            };
            let this = fits.and(peer);
            by_type |= this == Answer::Maybe && fits == Answer::Maybe;
            answer = answer.or(this);
            if answer == Answer::Yes {
                break;
            }
        }
        (answer, by_type)
    };
    match allowed(!packet.ingress, packet.dst_port) {
        (Answer::Yes, _) => return Check::Passes,
        (Answer::Maybe, true) => return Check::Open(ICMP_TYPE),
        (Answer::Maybe, false) => {
            return Check::Open(
                "a security rule names a group or a prefix list whose members are not known",
            );
        }
        (Answer::No, _) => {}
    }
    // The connection, if this is an answer, was opened the other way, to the port that answers.
    let opened = allowed(packet.ingress, packet.src_port).0;
    match may_answer(packet).and(opened) {
        Answer::No => Check::Stops(Explanation::NoSecurityRule),
        Answer::Yes | Answer::Maybe => Check::Open(
            "it may answer an allowed connection, which security groups let pass while they know of it",
        ),
    }
}

/// Whether packets may be answers within a connection that the near side opened. Never certain.
fn may_answer(packet: &Packet) -> Answer {
    match packet.protocol {
        TCP => match packet.tcp_flags {
            // Who opens a connection sends SYN alone.
            Some(flags) if flags & (SYN | ACK) == SYN => Answer::No,
            Some(flags) if flags & (SYN | ACK) == SYN | ACK => Answer::Maybe,
            _ => from_service(packet),
        },
        UDP => from_service(packet),
        _ => Answer::Maybe,
    }
}

/// Answers go to the port of a client: those that clients choose from begin at 32768 on Linux and at 49152 on Windows;
/// NAT gateways and others begin at 1024, but above the service's.
fn from_service(packet: &Packet) -> Answer {
    let (service, client) = (packet.src_port, packet.dst_port);
    match client >= 32_768 || (client >= 1024 && service < client) {
        true => Answer::Maybe,
        false => Answer::No,
    }
}

impl Explanation {
    fn alone(self) -> Verdict {
        Verdict {
            first: self,
            second: None,
        }
    }

    /// What rejects, as a name for delivered records: `network-acl`, `security-group`, `block-public-access`,
    /// `encryption-controls`; `would-accept` when the metadata would let it pass, and `unknown`.
    pub fn by(&self) -> &'static str {
        match self {
            Explanation::NetworkAcl(_) => "network-acl",
            Explanation::NoSecurityRule => "security-group",
            Explanation::VpcBlockPublicAccess => "block-public-access",
            Explanation::EncryptionControls => "encryption-controls",
            Explanation::MetadataWouldAccept => "would-accept",
            Explanation::Unknown(_) => "unknown",
        }
    }

    /// The number of the network ACL's entry that rejects; from [`LAST_ENTRY`] on it is the fixed last one.
    pub fn entry(&self) -> Option<u32> {
        match self {
            Explanation::NetworkAcl(entry) => entry.map(|entry| entry.number),
            _ => None,
        }
    }

    /// Writes the explanation as a sentence without a full stop: `network ACL acl-0ab: inbound entry 100
    /// denies tcp 22 from 203.0.113.0/24`.
    pub fn write<'n>(
        &self,
        packet: &Packet,
        acl: Option<&str>,
        groups: impl IntoIterator<Item = &'n str>,
        out: &mut String,
    ) {
        // Writing to a String cannot fail.
        let _ = self.sentence(packet, acl, groups, out);
    }

    fn sentence<'n>(
        &self,
        packet: &Packet,
        acl: Option<&str>,
        groups: impl IntoIterator<Item = &'n str>,
        out: &mut String,
    ) -> std::fmt::Result {
        let (bound, from) = match packet.ingress {
            true => ("inbound", "from"),
            false => ("outbound", "to"),
        };
        match self {
            Explanation::NetworkAcl(entry) => {
                out.push_str("network ACL");
                if let Some(acl) = acl {
                    write!(out, " {acl}")?;
                }
                match entry {
                    Some(entry) if entry.number < LAST_ENTRY => {
                        write!(out, ": {bound} entry {} denies ", entry.number)?;
                        entry.write_traffic(out)?;
                        write!(out, " {from} {}", entry.block)
                    }
                    Some(_) => {
                        write!(out, ": no {bound} entry allows ")?;
                        packet.write_traffic(out)?;
                        write!(out, " {from} {} (entry *)", packet.far)
                    }
                    None => {
                        write!(out, ": one of several {bound} entries denies ")?;
                        packet.write_traffic(out)?;
                        write!(out, " {from} {}", packet.far)
                    }
                }
            }
            Explanation::NoSecurityRule => {
                write!(out, "no {bound} rule of ")?;
                let mut any = false;
                for group in groups {
                    if any {
                        out.push_str(", ");
                    }
                    any = true;
                    out.push_str(group);
                }
                if !any {
                    out.push_str("the security groups");
                }
                out.push_str(" allows ");
                packet.write_traffic(out)?;
                write!(out, " {from} {}", packet.far)
            }
            Explanation::MetadataWouldAccept => {
                out.push_str(
                    "the current metadata would accept it: it is stale, or was changed since, \
                     or the connection had ended",
                );
                Ok(())
            }
            Explanation::VpcBlockPublicAccess => {
                out.push_str("VPC Block Public Access rejects it");
                Ok(())
            }
            Explanation::EncryptionControls => {
                out.push_str(
                    "encryption controls of the VPC reject it: it is not encrypted in transit",
                );
                Ok(())
            }
            Explanation::Unknown(why) => {
                write!(out, "it cannot be told what rejects it: {why}")
            }
        }
    }
}

impl Verdict {
    /// Writes both explanations: the second one after `; also: `.
    pub fn write<'n>(
        &self,
        packet: &Packet,
        acl: Option<&str>,
        groups: impl IntoIterator<Item = &'n str> + Clone,
        out: &mut String,
    ) {
        self.first.write(packet, acl, groups.clone(), out);
        if let Some(second) = &self.second {
            out.push_str("; also: ");
            second.write(packet, acl, groups, out);
        }
    }
}

impl Packet {
    /// `tcp 22`, `icmp`, `protocol 47`.
    fn write_traffic(&self, out: &mut String) -> std::fmt::Result {
        write_protocol(self.protocol, out)?;
        match self.protocol {
            TCP | UDP => write!(out, " {}", self.dst_port),
            _ => Ok(()),
        }
    }
}

impl AclEntry {
    /// `tcp 22`, `udp 1024-65535`, `icmp`, `all traffic`.
    fn write_traffic(&self, out: &mut String) -> std::fmt::Result {
        let Some(protocol) = self.protocol else {
            out.push_str("all traffic");
            return Ok(());
        };
        write_protocol(protocol, out)?;
        match self.ports {
            Some((first, last)) if first == last => write!(out, " {first}"),
            Some((first, last)) => write!(out, " {first}-{last}"),
            None => Ok(()),
        }
    }
}

fn write_protocol(protocol: u8, out: &mut String) -> std::fmt::Result {
    match protocol {
        ICMP => out.push_str("icmp"),
        TCP => out.push_str("tcp"),
        UDP => out.push_str("udp"),
        ICMP_V6 => out.push_str("icmpv6"),
        other => write!(out, "protocol {other}")?,
    }
    Ok(())
}
