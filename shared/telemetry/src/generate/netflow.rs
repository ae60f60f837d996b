//! Flow logs of Network Firewall.

use super::estate::{Address, FIREWALL, REGION, ZONE_NAMES};
use super::far::Place;
use super::text::{Moment, hexadecimal, integer, pick, timestamp};
use super::traffic::{Traffic, client_port};
use super::{Generator, ROWS_PER_WINDOW, Record, RowKind, WINDOW};

#[derive(Debug, Clone, Copy)]
pub(super) struct Netflow {
    id: u64,
    interface: u32,
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    service_port: u16,
    protocol: u8,
    packets: u64,
    bytes: u64,
    start: Moment,
    end: Moment,
    flags: u8,
    ttl: u8,
    icmp_type: u8,
}

impl Netflow {
    pub(super) fn has_ports(&self) -> bool {
        matches!(self.protocol, 6 | 17)
    }
}

impl Generator {
    /// The moment the firewall writes its next record: rows are spread evenly over the window.
    pub(super) fn firewall_now(&mut self) -> Moment {
        let micros = u64::from(self.rows_in_window) * (WINDOW * 1_000_000)
            / u64::from(ROWS_PER_WINDOW + 1)
            + u64::from(self.random.below(2_900));
        Moment {
            seconds: self.window + micros / 1_000_000,
            micros: micros % 1_000_000,
        }
    }

    pub(super) fn firewall_head(&self, out: &mut Vec<u8>, zone: u32) {
        out.extend_from_slice(b"{\"firewall_name\":\"");
        out.extend_from_slice(FIREWALL.as_bytes());
        out.extend_from_slice(b"\",\"availability_zone\":\"");
        out.extend_from_slice(pick(&ZONE_NAMES, zone, REGION).as_bytes());
        out.extend_from_slice(b"\",\"event_timestamp\":");
    }

    pub(super) fn firewall_flow(&mut self, out: &mut Vec<u8>) -> RowKind {
        let now = self.firewall_now();
        let flow = match self.pending.pop() {
            Some(Record::Netflow(flow)) => flow,
            _ => self.new_netflow(now),
        };
        let world = self.world;
        let near = world.interface(flow.interface);
        self.firewall_head(out, near.zone_index);
        out.push(b'"');
        integer(out, now.seconds);
        out.extend_from_slice(b"\",\"event\":{");
        if flow.protocol == 6 {
            tcp_object(out, flow.flags);
            out.push(b',');
        }
        out.extend_from_slice(b"\"app_proto\":\"");
        out.extend_from_slice(application(flow.protocol, flow.service_port).as_bytes());
        out.extend_from_slice(b"\",\"src_ip\":\"");
        out.extend_from_slice(world.address(flow.source));
        if flow.has_ports() {
            out.extend_from_slice(b"\",\"src_port\":");
            integer(out, u64::from(flow.source_port));
        } else {
            out.push(b'"');
        }
        out.extend_from_slice(b",\"netflow\":{\"pkts\":");
        integer(out, flow.packets);
        out.extend_from_slice(b",\"bytes\":");
        integer(out, flow.bytes);
        out.extend_from_slice(b",\"start\":\"");
        timestamp(out, flow.start, b"+0000");
        out.extend_from_slice(b"\",\"end\":\"");
        timestamp(out, flow.end, b"+0000");
        out.extend_from_slice(b"\",\"age\":");
        integer(out, flow.start.whole_seconds_to(flow.end));
        out.extend_from_slice(b",\"min_ttl\":");
        integer(out, u64::from(flow.ttl));
        out.extend_from_slice(b",\"max_ttl\":");
        integer(out, u64::from(flow.ttl));
        out.extend_from_slice(b"},\"event_type\":\"netflow\",\"flow_id\":");
        integer(out, flow.id);
        out.extend_from_slice(b",\"dest_ip\":\"");
        out.extend_from_slice(world.address(flow.destination));
        out.push(b'"');
        if matches!(flow.protocol, 1 | 58) {
            out.extend_from_slice(b",\"icmp_type\":");
            integer(out, u64::from(flow.icmp_type));
            out.extend_from_slice(b",\"icmp_code\":0");
        }
        out.extend_from_slice(b",\"proto\":\"");
        out.extend_from_slice(protocol_name(flow.protocol).as_bytes());
        if flow.has_ports() {
            out.extend_from_slice(b"\",\"dest_port\":");
            integer(out, u64::from(flow.destination_port));
        } else {
            out.push(b'"');
        }
        out.extend_from_slice(b",\"timestamp\":\"");
        timestamp(out, now, b"+0000");
        out.extend_from_slice(b"\"}}");
        RowKind::Flow
    }

    /// Decides on a connection: the row of the client is returned, that of the server may wait.
    fn new_netflow(&mut self, now: Moment) -> Netflow {
        self.next_burst();
        let random = &mut self.random;
        let world = self.world;
        if random.below(2) == 0 {
            self.burst.far = world.by_far.draw(random);
        }
        let interface = self.burst.interface;
        let vpc = world.interface(interface).vpc;
        // Traffic inside a VPC does not pass the firewall.
        let far_index = world.far_where(self.burst.far, |far| {
            far.place != Place::Interface || world.interface(far.interface).vpc != vpc
        });
        let far = world.far(far_index);
        let v6 = random.below(33) == 0;
        let source = Address::interface(interface, v6);
        let destination = Address::far(far_index, v6);
        let protocol = match random.below(200) {
            0 => 253,
            1..=3 => {
                if v6 {
                    58
                } else {
                    1
                }
            }
            4..=23 => 17,
            _ => 6,
        };
        let ephemeral = client_port(random);
        let (source_port, destination_port) = match protocol {
            6 => (ephemeral, far.port),
            17 => (ephemeral, pick(&[53, 123, 443], random.below(3), 53)),
            _ => (0, 0),
        };
        let traffic = Traffic::draw(random, protocol);
        let longest = pick(&[4, 20, 60, 300], random.below(4), 20);
        let age = 1 + u64::from(random.below(longest));
        let quiet = 5 + u64::from(random.below(56));
        let end = Moment {
            seconds: now.seconds.saturating_sub(quiet),
            micros: u64::from(random.below(1_000_000)),
        };
        let start = Moment {
            seconds: end.seconds.saturating_sub(age),
            micros: u64::from(random.below(1_000_000)),
        };
        let answered = random.below(100) < 92;
        let request = Netflow {
            id: random.next() >> 11,
            interface,
            source,
            destination,
            source_port,
            destination_port,
            service_port: destination_port,
            protocol,
            packets: if answered { traffic.request.packets } else { 3 },
            bytes: if answered { traffic.request.bytes } else { 180 },
            start,
            end,
            flags: if answered { 0x1b } else { 0x02 },
            ttl: pick(&[63, 126, 254], interface % 3, 63),
            icmp_type: if v6 { 128 } else { 8 },
        };
        if answered {
            self.pending.push(Record::Netflow(Netflow {
                source: destination,
                destination: source,
                source_port: destination_port,
                destination_port: source_port,
                packets: traffic.answer.packets,
                bytes: traffic.answer.bytes,
                ttl: pick(&[47, 52, 238], far_index % 3, 52),
                icmp_type: if v6 { 129 } else { 0 },
                ..request
            }));
        }
        request
    }
}

fn protocol_name(protocol: u8) -> &'static str {
    match protocol {
        1 => "ICMP",
        6 => "TCP",
        17 => "UDP",
        58 => "IPv6-ICMP",
        _ => "253",
    }
}

pub(super) fn application(protocol: u8, port: u16) -> &'static str {
    match (protocol, port) {
        (6, 443 | 8443 | 993 | 5671) => "tls",
        (6, 80 | 8080 | 8000 | 3000) => "http",
        (6, 22) => "ssh",
        (17, 53) => "dns",
        (17, 123) => "ntp",
        (17, 443) => "quic",
        (6 | 17, _) => "unknown",
        _ => "failed",
    }
}

/// The `tcp` object of a netflow record: the flags as two hexadecimal digits, then the ones set.
fn tcp_object(out: &mut Vec<u8>, flags: u8) {
    const NAMES: [(u8, &str); 8] = [
        (0x02, "syn"),
        (0x01, "fin"),
        (0x04, "rst"),
        (0x08, "psh"),
        (0x10, "ack"),
        (0x20, "urg"),
        (0x40, "ecn"),
        (0x80, "cwr"),
    ];
    out.extend_from_slice(b"\"tcp\":{\"tcp_flags\":\"");
    hexadecimal(out, u64::from(flags), 2);
    out.push(b'"');
    for (bit, name) in NAMES {
        if flags & bit != 0 {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":true");
        }
    }
    out.push(b'}');
}
