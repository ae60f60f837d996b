//! VPC flow logs.

use super::estate::{Address, Hop, INTERFACES, PODS_PER_NODE, VPCS, World};
use super::far::{Far, Place, SERVICE_S3, service};
use super::interface::{Interface, Role};
use super::random::Random;
use super::text::{MISSING, integer, numbers, pick};
use super::traffic::{Traffic, client_port, flags, protocol};
use super::{Generator, LogFormat, Record, RowKind};

const NO_HOP: &[u8] = b"- - - - -";

/// What versions 3 to 5 add to the default format, in AWS's order.
pub(super) const HEADER_V3_TO_V5: &str = "vpc-id subnet-id instance-id tcp-flags type \
     pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service \
     pkt-dst-aws-service flow-direction traffic-path";

/// What versions 7 to 11 add; version 6 is for transit gateways.
pub(super) const HEADER_V7_TO_V11: &str = "ecs-cluster-arn ecs-cluster-name \
     ecs-container-instance-arn ecs-container-instance-id ecs-container-id \
     ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id \
     reject-reason resource-id encryption-status instance-tag instance-tag-2 interface-tag \
     interface-tag-2 asg-tag asg-tag-2 interface-type next-hop-interface-id \
     next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type";

#[derive(Debug, Clone, Copy)]
pub(super) struct VpcFlow {
    interface: u32,
    egress: bool,
    source: Address,
    destination: Address,
    packet_source: Address,
    packet_destination: Address,
    source_port: u16,
    destination_port: u16,
    protocol: u8,
    packets: u64,
    bytes: u64,
    start: u64,
    end: u64,
    accepted: bool,
    flags: u8,
    v6: bool,
    source_service: u8,
    destination_service: u8,
    path: u8,
    reason: &'static [u8],
    encryption: u8,
    hop: Hop,
}

impl Generator {
    pub(super) fn vpc_row(&mut self, out: &mut Vec<u8>) -> RowKind {
        if let Some(Record::Vpc(flow)) = self.waiting() {
            self.write_vpc(out, &flow);
            return RowKind::Flow;
        }
        if self.next_burst() {
            // Between two bursts there is room for a row without flow data.
            match self.random.below(1_000) {
                0..=109 => {
                    let idle = self.random.below(INTERFACES);
                    self.write_vpc_status(out, idle, b"NODATA");
                    return RowKind::NoData;
                }
                110..=139 => {
                    self.write_vpc_status(out, self.burst.interface, b"SKIPDATA");
                    return RowKind::SkipData;
                }
                _ => {}
            }
        }
        let flow = self.vpc_flow();
        self.write_vpc(out, &flow);
        RowKind::Flow
    }

    /// The other direction of an earlier connection: near its first row, but seldom right behind.
    fn waiting(&mut self) -> Option<Record> {
        let waiting = u32::try_from(self.pending.len()).unwrap_or(0);
        let due = self.burst.left == 0 || waiting >= 8 || self.random.below(5) < 2;
        if waiting == 0 || !due {
            return None;
        }
        let chosen = self.random.below(waiting) as usize;
        Some(self.pending.swap_remove(chosen))
    }

    /// Decides on a connection: its first row is returned, its second may wait in `pending`.
    fn vpc_flow(&mut self) -> VpcFlow {
        let burst = &mut self.burst;
        let random = &mut self.random;
        let world = self.world;
        let index = burst.interface;
        let interface = world.interface(index);
        if random.below(8) != 0 {
            burst.far = world.by_far.draw(random);
        }
        let v6 = random.below(33) == 0;
        let own = Address::interface(index, v6);
        let pod = if !v6 && interface.role == Role::Node && random.below(3) != 0 {
            Address::Pod(index * PODS_PER_NODE + random.below(PODS_PER_NODE))
        } else {
            own
        };
        let (start, end) = burst.lifetime(random);

        // 5 % of the rows are rejected; most other connections make two rows.
        if random.below(11) == 0 {
            return rejected(random, world, interface, own, v6, start);
        }

        let passes = !v6
            && matches!(
                interface.role,
                Role::Nat | Role::Transit | Role::RegionalNat
            );
        let far_index = world.far_where(burst.far, |far| match interface.role {
            // Address translation is for the internet, an endpoint is for the inside.
            Role::Nat | Role::RegionalNat => far.place == Place::Public,
            Role::Endpoint => far.place != Place::Public,
            _ => true,
        });
        let far = world.far(far_index);
        let peer = Address::far(far_index, v6);
        // From the internet only public subnets are reached.
        let serves = random.below(100) < interface.serves_percent
            && (interface.public || v6 || far.place != Place::Public);
        let ephemeral = client_port(random);
        let protocol = protocol(random, v6);
        let service_port = match protocol {
            6 if serves => interface.port,
            6 => far.port,
            17 => pick(&[53, 123, 443, 514, 8125], random.below(5), 53),
            _ => 0,
        };
        let ephemeral = if service_port == 0 { 0 } else { ephemeral };
        let (near_port, far_port) = if serves {
            (service_port, ephemeral)
        } else {
            (ephemeral, service_port)
        };
        let traffic = Traffic::draw(random, protocol);
        let (asks, answers) = flags(random, protocol);

        // The row of traffic from the far side, and the row of traffic to it.
        let inbound_first = serves;
        let (sent, received) = if serves {
            (traffic.answer, traffic.request)
        } else {
            (traffic.request, traffic.answer)
        };
        let (sent_flags, received_flags) = if serves {
            (answers, asks)
        } else {
            (asks, answers)
        };
        let mut out_row = VpcFlow {
            interface: index,
            egress: true,
            source: own,
            destination: peer,
            packet_source: pod,
            packet_destination: peer,
            source_port: near_port,
            destination_port: far_port,
            protocol,
            packets: sent.packets,
            bytes: sent.bytes,
            start,
            end,
            accepted: true,
            flags: sent_flags,
            v6,
            source_service: 0,
            destination_service: if v6 { 0 } else { far.service },
            path: b'-',
            reason: b"-",
            encryption: encryption(interface, far, service_port, v6),
            hop: Hop::None,
        };
        let mut in_row = VpcFlow {
            egress: false,
            end: end - u64::from(random.below(2)).min(end - start),
            source: peer,
            destination: own,
            packet_source: peer,
            packet_destination: pod,
            source_port: far_port,
            destination_port: near_port,
            packets: received.packets,
            bytes: received.bytes,
            flags: received_flags,
            source_service: out_row.destination_service,
            destination_service: 0,
            ..out_row
        };
        let (path, to, from) = world.route(interface, far, v6);
        out_row.path = path;
        out_row.hop = to;
        in_row.hop = from;
        if passes {
            through_gateway(
                random,
                world,
                interface,
                &mut out_row,
                &mut in_row,
                ephemeral,
            );
        }
        let (first, second) = if inbound_first {
            (in_row, out_row)
        } else {
            (out_row, in_row)
        };
        if random.below(5) != 0 {
            self.pending.push(Record::Vpc(second));
        }
        first
    }

    fn write_vpc(&self, out: &mut Vec<u8>, flow: &VpcFlow) {
        let world = self.world;
        let interface = world.interface(flow.interface);
        out.extend_from_slice(&interface.head);
        out.extend_from_slice(world.address(flow.source));
        out.push(b' ');
        out.extend_from_slice(world.address(flow.destination));
        out.push(b' ');
        numbers(
            out,
            [
                u64::from(flow.source_port),
                u64::from(flow.destination_port),
                u64::from(flow.protocol),
                flow.packets,
            ],
        );
        // A record rejected by VPC Block Public Access carries no bytes.
        if flow.reason == b"BPA" && self.format == LogFormat::VpcV11 {
            out.extend_from_slice(MISSING);
        } else {
            integer(out, flow.bytes);
        }
        out.push(b' ');
        integer(out, flow.start);
        out.push(b' ');
        integer(out, flow.end);
        out.extend_from_slice(if flow.accepted {
            b" ACCEPT OK"
        } else {
            b" REJECT OK"
        });
        if self.format == LogFormat::VpcV2 {
            return;
        }
        out.extend_from_slice(&interface.owner);
        integer(out, u64::from(flow.flags));
        out.extend_from_slice(if flow.v6 { b" IPv6 " } else { b" IPv4 " });
        out.extend_from_slice(world.address(flow.packet_source));
        out.push(b' ');
        out.extend_from_slice(world.address(flow.packet_destination));
        out.extend_from_slice(&interface.zone);
        out.extend_from_slice(service(flow.source_service));
        out.push(b' ');
        out.extend_from_slice(service(flow.destination_service));
        out.extend_from_slice(if flow.egress {
            b" egress "
        } else {
            b" ingress "
        });
        out.push(flow.path);
        if self.format == LogFormat::VpcV5 {
            return;
        }
        out.extend_from_slice(&interface.container);
        out.push(b' ');
        out.extend_from_slice(flow.reason);
        out.extend_from_slice(&interface.resource);
        out.push(flow.encryption);
        out.extend_from_slice(&interface.tags);
        out.extend_from_slice(match flow.hop {
            Hop::None => NO_HOP,
            Hop::Interface(index) => &world.interface(index).as_hop,
        });
    }

    fn write_vpc_status(&mut self, out: &mut Vec<u8>, index: u32, status: &[u8]) {
        let interface = self.world.interface(index);
        out.extend_from_slice(&interface.idle_head);
        out.extend_from_slice(b"- - - - - - - ");
        let start = self.window + u64::from(self.random.below(3));
        integer(out, start);
        out.push(b' ');
        integer(out, start + 55 + u64::from(self.random.below(3)));
        out.extend_from_slice(b" - ");
        out.extend_from_slice(status);
        if self.format == LogFormat::VpcV2 {
            return;
        }
        out.extend_from_slice(&interface.owner);
        out.extend_from_slice(b"- - - -");
        out.extend_from_slice(&interface.zone);
        out.extend_from_slice(b"- - - -");
        if self.format == LogFormat::VpcV5 {
            return;
        }
        out.extend_from_slice(&interface.idle_tail);
    }
}

const SCANNED_PORTS: [u16; 12] = [
    22, 23, 3389, 445, 5900, 6379, 8080, 8443, 1433, 3306, 5060, 2375,
];

/// A scan or a forbidden connection: one row, in, rejected.
fn rejected(
    random: &mut Random,
    world: &World,
    interface: &Interface,
    own: Address,
    v6: bool,
    start: u64,
) -> VpcFlow {
    let scanner = world.by_far.draw(random);
    let packets = 1 + u64::from(random.below(3) / 2);
    let protocol = if random.below(12) == 0 { 17 } else { 6 };
    let source_service = if v6 { 0 } else { world.far(scanner).service };
    let reason: &'static [u8] = match interface.role {
        Role::Endpoint if random.below(4) == 0 => b"EC",
        _ if interface.vpc == 1 && world.far(scanner).place == Place::Public => b"BPA",
        _ => b"-",
    };
    VpcFlow {
        interface: interface.index,
        egress: false,
        source: Address::far(scanner, v6),
        destination: own,
        packet_source: Address::far(scanner, v6),
        packet_destination: own,
        source_port: client_port(random),
        destination_port: pick(&SCANNED_PORTS, random.below(12), 22),
        protocol,
        packets,
        bytes: packets * if protocol == 6 { 40 } else { 78 },
        start,
        end: start + u64::from(random.below(2)),
        accepted: false,
        flags: if protocol == 6 { 2 } else { 0 },
        v6,
        source_service,
        destination_service: 0,
        path: b'-',
        reason,
        encryption: if interface.vpc == 2 { b'-' } else { b'0' },
        hop: Hop::None,
    }
}

/// Rows of a NAT gateway or transit gateway attachment: the packet is neither from it nor for it.
fn through_gateway(
    random: &mut Random,
    world: &World,
    interface: &Interface,
    out_row: &mut VpcFlow,
    in_row: &mut VpcFlow,
    ephemeral: u16,
) {
    let client = world.neighbour(interface, random);
    let inside = Address::Interface(client);
    let gateway = Address::Interface(interface.index);
    let far = out_row.destination;
    // The gateway always carries a client's request; ports follow from that.
    let port = if out_row.protocol == 6 {
        443
    } else {
        out_row.destination_port.min(out_row.source_port)
    };
    let ephemeral = if port == 0 { 0 } else { ephemeral };
    (out_row.source_port, out_row.destination_port) = (ephemeral, port);
    (in_row.source_port, in_row.destination_port) = (port, ephemeral);
    if random.below(2) == 0 {
        if interface.role == Role::Nat || interface.role == Role::RegionalNat {
            // Between the gateway and the internet: the gateway's own address on both levels.
            return;
        }
        // Out of the attachment into the VPC.
        out_row.source = gateway;
        out_row.packet_source = far;
        out_row.destination = inside;
        out_row.packet_destination = inside;
        in_row.source = inside;
        in_row.packet_source = inside;
        in_row.destination = gateway;
        in_row.packet_destination = far;
    } else {
        // Between the client and the gateway: the client's request comes in.
        let (request, answer) = (*out_row, *in_row);
        *in_row = VpcFlow {
            egress: false,
            source: inside,
            destination: gateway,
            packet_source: inside,
            packet_destination: far,
            ..request
        };
        *out_row = VpcFlow {
            egress: true,
            source: gateway,
            destination: inside,
            packet_source: far,
            packet_destination: inside,
            ..answer
        };
    }
    if interface.role == Role::RegionalNat {
        // A regional NAT gateway has no interface: both levels show the packet's addresses.
        for row in [&mut *out_row, &mut *in_row] {
            row.source = row.packet_source;
            row.destination = row.packet_destination;
        }
    }
    out_row.path = b'1';
    out_row.hop = Hop::Interface(client);
    in_row.path = b'-';
    in_row.hop = Hop::Interface(client);
}

fn encryption(interface: &Interface, far: &Far, service_port: u16, v6: bool) -> u8 {
    // VPC Encryption Controls are off in the last VPC.
    if interface.vpc + 1 == VPCS {
        return b'-';
    }
    match (far.place, service_port) {
        (Place::Interface, 443) if !v6 => b'3',
        (Place::Interface, _) if !v6 => b'1',
        (Place::Public, 443) if far.service == SERVICE_S3 => b'2',
        _ => b'0',
    }
}
