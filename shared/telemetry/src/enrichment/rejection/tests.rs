use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn block(text: &str) -> Cidr {
    text.parse().unwrap()
}

/// A SYN from 192.0.2.77 to a port of the interface.
fn syn(dst_port: u16) -> Packet {
    Packet {
        ingress: true,
        protocol: TCP,
        src_port: 40_211,
        dst_port,
        tcp_flags: Some(SYN),
        far: address("192.0.2.77"),
    }
}

fn entry(number: u32, allows: bool, ports: Option<(u16, u16)>, cidr: &str) -> AclEntry {
    AclEntry {
        number,
        egress: false,
        allows,
        protocol: ports.map(|_| TCP),
        ports,
        icmp: None,
        block: block(cidr),
    }
}

fn rule(egress: bool, protocol: Option<u8>, ports: Option<(u16, u16)>, cidr: &str) -> SecurityRule {
    SecurityRule {
        egress,
        protocol,
        ports,
        icmp: None,
        peer: Peer::Block(block(cidr)),
    }
}

fn all_out() -> SecurityRule {
    rule(true, None, None, "0.0.0.0/0")
}

fn https_in() -> SecurityRule {
    rule(false, Some(TCP), Some((443, 443)), "0.0.0.0/0")
}

fn everything() -> Vec<AclEntry> {
    vec![entry(100, true, None, "0.0.0.0/0")]
}

/// The verdict by a network ACL and security groups that are known.
fn verdict(packet: &Packet, acl: &[AclEntry], rules: &[SecurityRule]) -> Verdict {
    explain(
        packet,
        None,
        Filter::Rules(acl.iter().copied()),
        Filter::Rules(rules.iter().copied()),
    )
}

fn said(verdict: Verdict, packet: &Packet) -> String {
    let mut out = String::new();
    verdict.write(packet, Some("acl-0ab"), ["sg-0ab", "sg-0cd"], &mut out);
    out
}

#[test]
fn without_a_rule_the_groups_reject() {
    let found = verdict(&syn(3389), &everything(), &[https_in(), all_out()]);
    assert_eq!(found, Explanation::NoSecurityRule.alone());
    assert_eq!(
        said(found, &syn(3389)),
        "no inbound rule of sg-0ab, sg-0cd allows tcp 3389 from 192.0.2.77"
    );
    assert_eq!(found.first.by(), "security-group");
}

#[test]
fn an_entry_that_denies_comes_before_the_groups_on_the_way_in() {
    let deny = entry(90, false, Some((3000, 4000)), "192.0.2.0/24");
    let acl = [vec![deny], everything()].concat();
    let found = verdict(&syn(3389), &acl, &[https_in(), all_out()]);
    assert_eq!(found.first, Explanation::NetworkAcl(Some(deny)));
    assert_eq!(found.second, Some(Explanation::NoSecurityRule));
    assert_eq!(
        (found.first.by(), found.first.entry()),
        ("network-acl", Some(90))
    );
    assert_eq!(
        said(found, &syn(3389)),
        "network ACL acl-0ab: inbound entry 90 denies tcp 3000-4000 from 192.0.2.0/24; \
         also: no inbound rule of sg-0ab, sg-0cd allows tcp 3389 from 192.0.2.77"
    );
}

#[test]
fn the_groups_come_before_an_entry_on_the_way_out() {
    let packet = Packet {
        ingress: false,
        ..syn(25)
    };
    let deny = AclEntry {
        egress: true,
        ..entry(10, false, Some((25, 25)), "0.0.0.0/0")
    };
    let rules = [rule(true, Some(TCP), Some((443, 443)), "0.0.0.0/0")];
    let found = verdict(&packet, &[deny], &rules);
    assert_eq!(found.first, Explanation::NoSecurityRule);
    assert_eq!(
        said(found, &packet),
        "no outbound rule of sg-0ab, sg-0cd allows tcp 25 to 192.0.2.77; \
         also: network ACL acl-0ab: outbound entry 10 denies tcp 25 to 0.0.0.0/0"
    );
}

#[test]
fn the_end_of_the_list_denies_with_or_without_its_entry() {
    let other = entry(100, true, Some((443, 443)), "0.0.0.0/0");
    let last = entry(LAST_ENTRY, false, None, "0.0.0.0/0");
    let ssh_in = rule(false, Some(TCP), Some((22, 22)), "0.0.0.0/0");
    for acl in [vec![other], vec![other, last]] {
        let found = verdict(&syn(22), &acl, &[ssh_in]);
        assert_eq!(found.first.entry(), Some(LAST_ENTRY));
        assert_eq!(
            said(found, &syn(22)),
            "network ACL acl-0ab: no inbound entry allows tcp 22 from 192.0.2.77 (entry *)"
        );
    }
}

#[test]
fn what_passes_both_is_said_to_be_stale_or_changed() {
    let found = verdict(&syn(443), &everything(), &[https_in(), all_out()]);
    assert_eq!(found, Explanation::MetadataWouldAccept.alone());
    assert!(said(found, &syn(443)).starts_with("the current metadata would accept it"));
}

#[test]
fn the_record_itself_may_say_why() {
    for (reason, by) in [
        ("BPA", "block-public-access"),
        ("EC", "encryption-controls"),
        ("XX", "unknown"),
    ] {
        let acl: Filter<[AclEntry; 0]> = Filter::Unknown;
        let groups: Filter<[SecurityRule; 0]> = Filter::Unknown;
        let found = explain(&syn(22), Some(reason), acl, groups);
        assert_eq!(found.first.by(), by);
        assert!(!said(found, &syn(22)).is_empty());
    }
}

#[test]
fn within_a_subnet_there_is_no_network_acl() {
    let acl: Filter<[AclEntry; 0]> = Filter::Absent;
    let found = explain(&syn(22), None, acl, Filter::Rules([https_in()]));
    assert_eq!(found, Explanation::NoSecurityRule.alone());
}

#[test]
fn what_is_not_known_is_no_reason_unless_the_other_filter_is_certain() {
    let no_acl: Filter<[AclEntry; 0]> = Filter::Unknown;
    let no_groups: Filter<[SecurityRule; 0]> = Filter::Unknown;
    let deny = entry(1, false, None, "0.0.0.0/0");
    let unknown = |verdict: Verdict| matches!(verdict.first, Explanation::Unknown(_));
    assert!(unknown(explain(&syn(22), None, no_acl, no_groups)));
    assert!(unknown(explain(
        &syn(443),
        None,
        no_acl,
        Filter::Rules([https_in()])
    )));
    assert!(unknown(explain(
        &syn(443),
        None,
        Filter::Rules(everything()),
        no_groups
    )));
    let groups = explain(&syn(22), None, no_acl, Filter::Rules([https_in()]));
    assert_eq!(groups, Explanation::NoSecurityRule.alone());
    let acl = explain(&syn(22), None, Filter::Rules([deny]), no_groups);
    assert_eq!(acl, Explanation::NetworkAcl(Some(deny)).alone());
}

#[test]
fn a_group_whose_members_are_not_known_may_allow() {
    let told = |answer| SecurityRule {
        peer: Peer::Told(answer),
        ..rule(false, Some(TCP), Some((22, 22)), "0.0.0.0/0")
    };
    let first = |answer, port| verdict(&syn(port), &everything(), &[told(answer)]).first;
    assert_eq!(first(Answer::Yes, 22), Explanation::MetadataWouldAccept);
    assert_eq!(first(Answer::No, 22), Explanation::NoSecurityRule);
    assert_eq!(first(Answer::Maybe, 22).by(), "unknown");
    // The port is another one, whoever is in the group.
    assert_eq!(first(Answer::Maybe, 23), Explanation::NoSecurityRule);
}

#[test]
fn an_answer_is_not_stopped_by_the_groups() {
    let answer = Packet {
        src_port: 443,
        dst_port: 40_211,
        tcp_flags: Some(SYN | ACK),
        ..syn(0)
    };
    let found = verdict(&answer, &everything(), &[all_out()]);
    assert_eq!(found.first.by(), "unknown");
    // The network ACL knows no connections.
    let found = verdict(
        &answer,
        &[entry(100, true, Some((443, 443)), "0.0.0.0/0")],
        &[all_out()],
    );
    assert_eq!((found.first.by(), found.second), ("network-acl", None));
    // It was opened to the port that it comes from, or by nobody.
    let out = |port| rule(true, Some(TCP), Some((port, port)), "0.0.0.0/0");
    let by = |port| verdict(&answer, &everything(), &[out(port)]).first.by();
    assert_eq!((by(443), by(40_211)), ("unknown", "security-group"));
}

#[test]
fn whether_it_may_be_an_answer_is_told_by_flags_then_ports() {
    let may = |tcp_flags, src_port, dst_port| {
        may_answer(&Packet {
            tcp_flags,
            src_port,
            dst_port,
            ..syn(0)
        })
    };
    assert_eq!(may(Some(SYN), 443, 50_000), Answer::No);
    assert_eq!(may(Some(SYN | ACK), 50_000, 22), Answer::Maybe);
    assert_eq!(may(Some(0), 443, 50_000), Answer::Maybe);
    assert_eq!(may(None, 443, 2_000), Answer::Maybe);
    assert_eq!(may(None, 50_051, 40_000), Answer::Maybe);
    assert_eq!(may(None, 40_211, 3389), Answer::No);
    assert_eq!(may(None, 22, 22), Answer::No);
}

#[test]
fn icmp_types_are_not_in_flow_logs() {
    let ping = Packet {
        protocol: ICMP,
        src_port: 0,
        dst_port: 0,
        tcp_flags: None,
        ..syn(0)
    };
    let icmp = |number, allows, kind| AclEntry {
        protocol: Some(ICMP),
        ports: None,
        icmp: Some((kind, -1)),
        ..entry(number, allows, None, "0.0.0.0/0")
    };
    let last = entry(LAST_ENTRY, false, None, "0.0.0.0/0");
    let by = |acl: &[AclEntry]| {
        let groups: Filter<[SecurityRule; 0]> = Filter::Absent;
        explain(&ping, None, Filter::Rules(acl.iter().copied()), groups).first
    };
    assert_eq!(by(&[icmp(1, true, 8), last]).by(), "unknown");
    assert_eq!(
        by(&[icmp(1, true, 8), entry(2, true, None, "0.0.0.0/0")]),
        Explanation::MetadataWouldAccept
    );
    assert_eq!(
        by(&[icmp(1, false, 8), last]),
        Explanation::NetworkAcl(None)
    );
    assert_eq!(by(&[icmp(1, false, -1), last]).entry(), Some(1));
    assert_eq!(
        said(by(&[icmp(1, false, 8), last]).alone(), &ping),
        "network ACL acl-0ab: one of several inbound entries denies icmp from 192.0.2.77"
    );
    let echo = SecurityRule {
        icmp: Some((8, -1)),
        ..rule(false, Some(ICMP), None, "0.0.0.0/0")
    };
    assert_eq!(
        verdict(&ping, &everything(), &[echo]).first,
        Explanation::Unknown(ICMP_TYPE)
    );
    let closed: [SecurityRule; 0] = [];
    assert_eq!(
        verdict(&ping, &everything(), &closed).first,
        Explanation::NoSecurityRule
    );
}

#[test]
fn addresses_of_the_other_family_do_not_fit() {
    let packet = Packet {
        far: address("2001:db8::1"),
        ..syn(443)
    };
    let found = verdict(&packet, &everything(), &[https_in()]);
    assert_eq!(found.first.entry(), Some(LAST_ENTRY));
    assert_eq!(found.second, Some(Explanation::NoSecurityRule));
}

#[test]
fn other_protocols_have_no_ports() {
    let gre = Packet {
        protocol: 47,
        ..syn(0)
    };
    let deny = AclEntry {
        protocol: Some(47),
        ..entry(5, false, None, "0.0.0.0/0")
    };
    let found = verdict(&gre, &[deny], &[all_out()]).first;
    assert_eq!(found.entry(), Some(5));
    assert_eq!(
        said(found.alone(), &gre),
        "network ACL acl-0ab: inbound entry 5 denies protocol 47 from 0.0.0.0/0"
    );
    let mut out = String::new();
    Explanation::NoSecurityRule.write(&gre, None, [], &mut out);
    assert_eq!(
        out,
        "no inbound rule of the security groups allows protocol 47 from 192.0.2.77"
    );
}

#[test]
fn an_address_is_in_a_prefix_list_or_not() {
    let list = [block("192.0.2.0/24"), block("2001:db8::/32")];
    assert_eq!(among(list, address("192.0.2.9")), Answer::Yes);
    assert_eq!(among(list, address("198.51.100.9")), Answer::No);
}

#[test]
fn answers_combine() {
    use Answer::{Maybe, No, Yes};
    for (a, b, and, or) in [
        (Yes, Yes, Yes, Yes),
        (Yes, No, No, Yes),
        (Yes, Maybe, Maybe, Yes),
        (No, No, No, No),
        (No, Maybe, No, Maybe),
        (Maybe, Maybe, Maybe, Maybe),
    ] {
        assert_eq!((a.and(b), b.and(a)), (and, and));
        assert_eq!((a.or(b), b.or(a)), (or, or));
    }
}

/// Few values, so that rules fit often.
fn any_packet() -> impl Strategy<Value = Packet> {
    let protocol = prop::sample::select(vec![ICMP, TCP, UDP, 47]);
    let port = || prop::sample::select(vec![22_u16, 443, 1024, 3389, 40_000]);
    let flags = prop::sample::select(vec![None, Some(0), Some(SYN), Some(SYN | ACK)]);
    (any::<bool>(), protocol, port(), port(), flags, 0_u32..4).prop_map(
        |(ingress, protocol, src_port, dst_port, tcp_flags, far)| Packet {
            ingress,
            protocol,
            src_port,
            dst_port,
            tcp_flags,
            far: IpAddr::V4(std::net::Ipv4Addr::from_bits(0xc000_0200 + far)),
        },
    )
}

type Shape = (Option<u8>, Option<(u16, u16)>, Option<(i16, i16)>, Cidr);

fn any_shape(types: bool) -> impl Strategy<Value = Shape> {
    let protocol = prop::option::of(prop::sample::select(vec![ICMP, TCP, UDP, 47]));
    let ports = prop::option::of(prop::sample::select(vec![
        (22, 22),
        (443, 1024),
        (0, 65_535),
    ]));
    let icmp = prop::option::of(prop::sample::select(match types {
        true => vec![(-1, -1), (8, 0)],
        false => vec![(-1, -1)],
    }));
    let blocks = ["0.0.0.0/0", "192.0.2.0/31", "192.0.2.2/32", "::/0"].map(block);
    (protocol, ports, icmp, prop::sample::select(blocks.to_vec()))
}

fn any_acl(types: bool) -> impl Strategy<Value = Vec<AclEntry>> {
    let one = (any::<bool>(), any::<bool>(), any_shape(types));
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let entries = all.into_iter().zip(1..);
        entries
            .map(
                |((egress, allows, (protocol, ports, icmp, block)), number)| AclEntry {
                    number,
                    egress,
                    allows,
                    protocol,
                    ports,
                    icmp,
                    block,
                },
            )
            .collect()
    })
}

fn any_rules() -> impl Strategy<Value = Vec<SecurityRule>> {
    let told = prop::sample::select(vec![
        None,
        None,
        Some(Answer::Yes),
        Some(Answer::No),
        Some(Answer::Maybe),
    ]);
    let one = (any::<bool>(), told, any_shape(true)).prop_map(
        |(egress, told, (protocol, ports, icmp, block))| SecurityRule {
            egress,
            protocol,
            ports,
            icmp,
            peer: told.map_or(Peer::Block(block), Peer::Told),
        },
    );
    prop::collection::vec(one, 0..8)
}

/// Whether a network ACL without ICMP types allows, and by which entry, written down naively.
fn oracle(packet: &Packet, entries: &[AclEntry]) -> (bool, u32) {
    let mut fitting: Vec<&AclEntry> = entries
        .iter()
        .filter(|entry| entry.egress != packet.ingress)
        .filter(|entry| entry.block.contains(packet.far))
        .filter(|entry| {
            entry
                .protocol
                .is_none_or(|protocol| protocol == packet.protocol)
        })
        .filter(|entry| {
            let has_ports = [TCP, UDP].contains(&packet.protocol) && entry.protocol.is_some();
            let (first, last) = entry.ports.unwrap_or((0, u16::MAX));
            !has_ports || (first..=last).contains(&packet.dst_port)
        })
        .collect();
    fitting.sort_by_key(|entry| entry.number);
    fitting
        .first()
        .map_or((false, LAST_ENTRY), |entry| (entry.allows, entry.number))
}

proptest! {
    #[test]
    fn a_network_acl_decides_as_a_naive_reading_does(packet in any_packet(), acl in any_acl(false)) {
        let groups: Filter<[SecurityRule; 0]> = Filter::Absent;
        let found = explain(&packet, None, Filter::Rules(acl.iter().copied()), groups).first;
        match oracle(&packet, &acl) {
            (true, _) => prop_assert_eq!(found, Explanation::MetadataWouldAccept),
            (false, number) => prop_assert_eq!(found.entry(), Some(number)),
        }
    }

    #[test]
    fn a_rule_that_allows_all_leaves_no_rejection_to_the_groups(
        packet in any_packet(), acl in any_acl(true), rules in any_rules(), at in 0_usize..8,
    ) {
        let mut rules = rules;
        rules.insert(at.min(rules.len()), rule(!packet.ingress, None, None, "0.0.0.0/0"));
        let found = verdict(&packet, &acl, &rules);
        prop_assert_ne!(found.first, Explanation::NoSecurityRule);
        prop_assert_ne!(found.second, Some(Explanation::NoSecurityRule));
    }

    #[test]
    fn an_entry_that_allows_all_first_leaves_no_rejection_to_the_network_acl(
        packet in any_packet(), acl in any_acl(true), rules in any_rules(),
    ) {
        let first = AclEntry { egress: !packet.ingress, ..entry(0, true, None, "0.0.0.0/0") };
        let found = verdict(&packet, &[vec![first], acl].concat(), &rules);
        prop_assert!(found.first.by() != "network-acl" && found.second.is_none());
    }

    /// Whatever stands for a maybe, what was claimed before stays.
    #[test]
    fn a_claim_holds_however_a_maybe_turns_out(
        packet in any_packet(), acl in any_acl(true), rules in any_rules(), turns: bool, kind in prop::sample::select(vec![0_i16, 8]),
    ) {
        let before = verdict(&packet, &acl, &rules);
        let known_type = |icmp: Option<(i16, i16)>| match icmp {
            Some((other, _)) if other >= 0 && other != kind => None,
            Some(_) => Some(Some((-1, -1))),
            None => Some(None),
        };
        let acl: Vec<_> = acl
            .into_iter()
            .filter_map(|entry| match entry.protocol {
                Some(ICMP) => Some(AclEntry { icmp: known_type(entry.icmp)?, ..entry }),
                _ => Some(entry),
            })
            .collect();
        let rules: Vec<_> = rules
            .into_iter()
            .map(|rule| match rule.peer {
                Peer::Told(Answer::Maybe) => SecurityRule { peer: Peer::Told(turns.into()), ..rule },
                _ => rule,
            })
            .filter_map(|rule| match rule.protocol {
                Some(ICMP) => Some(SecurityRule { icmp: known_type(rule.icmp)?, ..rule }),
                _ => Some(rule),
            })
            .collect();
        let after = verdict(&packet, &acl, &rules);
        for claim in [Some(before.first), before.second].into_iter().flatten() {
            if claim.by() != "unknown" {
                let claims = [Some(after.first), after.second];
                prop_assert!(claims.iter().flatten().any(|found| found.by() == claim.by()));
            }
        }
    }

    #[test]
    fn every_verdict_can_be_said(packet in any_packet(), acl in any_acl(true), rules in any_rules()) {
        let text = said(verdict(&packet, &acl, &rules), &packet);
        prop_assert!(text.len() > 20 && !text.ends_with('.'), "{}", text);
    }
}
