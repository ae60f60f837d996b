//! Names of IP protocols and of TCP flags.
//!
//! ```text
//! protocol 6 ─▶ "TCP"        tcp-flags 18 ─▶ "SYN|ACK"
//! ```
//!
//! Protocols have the keywords of IANA's registry "Assigned Internet Protocol Numbers", without its remarks
//! (`deprecated`). Flags are the bits of a TCP header's eight flags, which a flow log joins by *or* over the
//! packets of its window.

use std::sync::LazyLock;

/// The keywords by number. Empty where the registry has none: "any local network" and the like, and
/// numbers that are not assigned.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    // 0
    "HOPOPT", "ICMP", "IGMP", "GGP", "IPv4", "ST", "TCP", "CBT", "EGP", "IGP",
    "BBN-RCC-MON", "NVP-II", "PUP", "ARGUS", "EMCON", "XNET", "CHAOS", "UDP", "MUX", "DCN-MEAS",
    // 20
    "HMP", "PRM", "XNS-IDP", "TRUNK-1", "TRUNK-2", "LEAF-1", "LEAF-2", "RDP", "IRTP", "ISO-TP4",
    "NETBLT", "MFE-NSP", "MERIT-INP", "DCCP", "3PC", "IDPR", "XTP", "DDP", "IDPR-CMTP", "TP++",
    // 40
    "IL", "IPv6", "SDRP", "IPv6-Route", "IPv6-Frag", "IDRP", "RSVP", "GRE", "DSR", "BNA",
    "ESP", "AH", "I-NLSP", "SWIPE", "NARP", "Min-IPv4", "TLSP", "SKIP", "IPv6-ICMP", "IPv6-NoNxt",
    // 60
    "IPv6-Opts", "", "CFTP", "", "SAT-EXPAK", "KRYPTOLAN", "RVD", "IPPC", "", "SAT-MON",
    "VISA", "IPCV", "CPNX", "CPHB", "WSN", "PVP", "BR-SAT-MON", "SUN-ND", "WB-MON", "WB-EXPAK",
    // 80
    "ISO-IP", "VMTP", "SECURE-VMTP", "VINES", "IPTM", "NSFNET-IGP", "DGP", "TCF", "EIGRP", "OSPFIGP",
    "Sprite-RPC", "LARP", "MTP", "AX.25", "IPIP", "MICP", "SCC-SP", "ETHERIP", "ENCAP", "",
    // 100
    "GMTP", "IFMP", "PNNI", "PIM", "ARIS", "SCPS", "QNX", "A/N", "IPComp", "SNP",
    "Compaq-Peer", "IPX-in-IP", "VRRP", "PGM", "", "L2TP", "DDX", "IATP", "STP", "SRP",
    // 120
    "UTI", "SMP", "SM", "PTP", "ISIS over IPv4", "FIRE", "CRTP", "CRUDP", "SSCOPMCE", "IPLT",
    "SPS", "PIPE", "SCTP", "FC", "RSVP-E2E-IGNORE", "Mobility Header", "UDPLite", "MPLS-in-IP", "manet", "HIP",
    // 140
    "Shim6", "WESP", "ROHC", "Ethernet", "AGGFRAG", "NSH", "Homa", "BIT-EMU",
];

/// The flags, from the lowest bit of the header's byte.
const FLAGS: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

/// The names of every combination of flags: 256 short texts, made once.
static COMBINATIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let names = |flags: u8| {
        let set = FLAGS
            .iter()
            .enumerate()
            .filter(|(bit, _)| flags >> bit & 1 == 1);
        let names: Vec<&str> = set.map(|(_, name)| *name).collect();
        names.join("|")
    };
    (0..=u8::MAX).map(names).collect()
});

/// IANA's keyword of a protocol number: `TCP` of 6. `None` for numbers that have none.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    let name = KEYWORDS.get(usize::from(number)).copied()?;
    (!name.is_empty()).then_some(name)
}

/// IANA's keyword, as this module spells it, of a protocol's name in any case: `TCP` of `tcp`. `None` for
/// names that are none.
pub fn keyword(name: &str) -> Option<&'static str> {
    (0..=u8::MAX)
        .filter_map(protocol_name)
        .find(|known| known.eq_ignore_ascii_case(name))
}

/// The names of the TCP flags that are set, from the lowest bit and joined by `|`: `SYN|ACK` of 18.
/// Empty when none is set. Allocates nothing after the first call.
pub fn tcp_flag_names(flags: u8) -> &'static str {
    COMBINATIONS
        .get(usize::from(flags))
        .map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_the_keywords_of_the_registry() {
        // Each at a distance from the others, so that a keyword too many or too few shows.
        for (number, keyword) in [
            (0, "HOPOPT"),
            (1, "ICMP"),
            (6, "TCP"),
            (17, "UDP"),
            (33, "DCCP"),
            (41, "IPv6"),
            (47, "GRE"),
            (50, "ESP"),
            (58, "IPv6-ICMP"),
            (62, "CFTP"),
            (64, "SAT-EXPAK"),
            (69, "SAT-MON"),
            (89, "OSPFIGP"),
            (97, "ETHERIP"),
            (103, "PIM"),
            (112, "VRRP"),
            (115, "L2TP"),
            (132, "SCTP"),
            (136, "UDPLite"),
            (142, "ROHC"),
            (145, "NSH"),
            (147, "BIT-EMU"),
        ] {
            assert_eq!(protocol_name(number), Some(keyword), "{number}");
        }
    }

    #[test]
    fn numbers_without_a_keyword_have_no_name() {
        let nameless: Vec<u8> = (0..=147).filter(|n| protocol_name(*n).is_none()).collect();
        assert_eq!(nameless, [61, 63, 68, 99, 114]);
        assert!((148..=255).all(|number| protocol_name(number).is_none()));
    }

    #[test]
    fn keywords_differ() {
        let mut names: Vec<&str> = (0..=255).filter_map(protocol_name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), count), (143, 143));
    }

    #[test]
    fn flags_are_named_from_the_lowest_bit() {
        for (flags, names) in [
            (0, ""),
            (1, "FIN"),
            (2, "SYN"),
            (3, "FIN|SYN"),
            (4, "RST"),
            (8, "PSH"),
            (16, "ACK"),
            (18, "SYN|ACK"),
            (19, "FIN|SYN|ACK"),
            (32, "URG"),
            (64, "ECE"),
            (128, "CWR"),
            (255, "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR"),
        ] {
            assert_eq!(tcp_flag_names(flags), names, "{flags}");
        }
    }

    #[test]
    fn every_combination_of_flags_names_its_bits_and_no_others() {
        for flags in 0..=u8::MAX {
            let named = tcp_flag_names(flags).split('|').filter(|n| !n.is_empty());
            let bits = named.map(|name| 1 << FLAGS.iter().position(|f| *f == name).unwrap());
            assert_eq!(bits.sum::<u8>(), flags);
        }
    }
}
