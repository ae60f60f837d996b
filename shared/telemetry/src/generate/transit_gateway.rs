//! Transit Gateway flow logs.

use super::estate::{ACCOUNT, Address, VPC_IDS, VPCS, ZONE_IDS, ZONES};
use super::far::{Place, service};
use super::random::mix;
use super::text::{boxed, integer, numbers, pick};
use super::traffic::{Traffic, client_port, flags, protocol};
use super::{Generator, Record, RowKind};

/// Transit gateway sites: one per VPC and zone, then the VPN and the Direct Connect attachment.
pub(super) const SITES: u32 = VPCS * ZONES + 2;
const SITE_VPN: u32 = VPCS * ZONES;
const SITE_DIRECT_CONNECT: u32 = SITE_VPN + 1;

/// The transit gateway of every generated row.
pub(super) const GATEWAY_ID: &str = "tgw-0abc12345def67890";

pub(super) const ATTACHMENT_IDS: [&str; 5] = [
    "tgw-attach-0a1b2c3d4e5f61001",
    "tgw-attach-0b2c3d4e5f6071002",
    "tgw-attach-0c3d4e5f607181003",
    "tgw-attach-0d4e5f60718291004",
    "tgw-attach-0e5f6071829301005",
];

/// Packets a transit gateway lost, by reason.
#[derive(Debug, Clone, Copy)]
enum Lost {
    Nothing,
    NoRoute(u64),
    Blackhole(u64),
    TooLarge(u64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TransitFlow {
    pub(super) source_site: u32,
    pub(super) destination_site: u32,
    pub(super) egress: bool,
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    protocol: u8,
    packets: u64,
    bytes: u64,
    start: u64,
    end: u64,
    flags: u8,
    v6: bool,
    lost: Lost,
    source_service: u8,
    destination_service: u8,
}

impl Generator {
    pub(super) fn transit_gateway_row(&mut self, out: &mut Vec<u8>) -> RowKind {
        if let Some(Record::TransitGateway(flow)) = self.pending.pop() {
            self.write_transit_gateway(out, &flow);
            return RowKind::Flow;
        }
        if self.next_burst() {
            let status: Option<(&[u8], RowKind)> = match self.random.below(1_000) {
                0..=249 => Some((b"NODATA", RowKind::NoData)),
                250..=319 => Some((b"SKIPDATA", RowKind::SkipData)),
                _ => None,
            };
            if let Some((status, kind)) = status {
                let start = self.window;
                let attachment = pick(&ATTACHMENT_IDS, self.random.below(5), "-");
                out.extend_from_slice(
                    format!("6 TransitGateway {ACCOUNT} {GATEWAY_ID} ").as_bytes(),
                );
                out.extend_from_slice(attachment.as_bytes());
                out.extend_from_slice(b" - - - - - - - - - - - - - - - - - - ");
                integer(out, start);
                out.push(b' ');
                integer(out, start + 59);
                out.push(b' ');
                out.extend_from_slice(status);
                out.extend_from_slice(b" - - - - - - us-east-1 - - -");
                return kind;
            }
        }
        let flow = self.transit_gateway_flow();
        self.write_transit_gateway(out, &flow);
        RowKind::Flow
    }

    /// Decides on a connection through the transit gateway: up to four rows, on two attachments.
    fn transit_gateway_flow(&mut self) -> TransitFlow {
        let random = &mut self.random;
        let world = self.world;
        let near_index = self.burst.interface;
        let near = world.interface(near_index);
        let near_site = near.vpc * ZONES + near.zone_index;
        let v6 = random.below(33) == 0;
        if random.below(4) == 0 {
            self.burst.far = world.by_far.draw(random);
        }
        let far_index = self.burst.far;
        let far = world.far(far_index);
        let peer = world.interface(far.interface);
        let (destination, destination_site, service_code) = match far.place {
            Place::Interface if peer.vpc != near.vpc => (
                Address::interface(far.interface, v6),
                peer.vpc * ZONES + peer.zone_index,
                0,
            ),
            // The last VPC holds the way out to the internet.
            Place::Public if near.vpc + 1 != VPCS => (
                Address::far(far_index, v6),
                (VPCS - 1) * ZONES + near.zone_index,
                if v6 { 0 } else { far.service },
            ),
            _ => (
                Address::OnPremises(far_index),
                if far_index.is_multiple_of(3) {
                    SITE_VPN
                } else {
                    SITE_DIRECT_CONNECT
                },
                0,
            ),
        };
        let v6 = v6 && !matches!(destination, Address::OnPremises(_));
        let source = Address::interface(near_index, v6);
        let ephemeral = client_port(random);
        let protocol = protocol(random, v6);
        let (source_port, destination_port) = match protocol {
            6 => (ephemeral, far.port),
            17 => (ephemeral, 53),
            _ => (0, 0),
        };
        let traffic = Traffic::draw(random, protocol);
        let (asks, answers) = flags(random, protocol);
        let (start, end) = self.burst.lifetime(random);
        let request_in = TransitFlow {
            source_site: near_site,
            destination_site,
            egress: false,
            source,
            destination,
            source_port,
            destination_port,
            protocol,
            packets: traffic.request.packets,
            bytes: traffic.request.bytes,
            start,
            end,
            flags: asks,
            v6,
            lost: Lost::Nothing,
            source_service: 0,
            destination_service: service_code,
        };
        // Some packets go nowhere: the row has no destination side and no second row.
        let lost = match random.below(200) {
            0 => Some(Lost::NoRoute(3 + u64::from(random.below(6)))),
            1 => Some(Lost::Blackhole(3 + u64::from(random.below(6)))),
            _ => None,
        };
        if let Some(lost) = lost {
            return TransitFlow {
                packets: 0,
                bytes: 0,
                flags: if protocol == 6 { 2 } else { 0 },
                lost,
                destination_site: SITES,
                ..request_in
            };
        }
        let too_large = if random.below(300) == 0 {
            Lost::TooLarge(1 + u64::from(random.below(4)))
        } else {
            Lost::Nothing
        };
        let request_out = TransitFlow {
            egress: true,
            ..request_in
        };
        let answer_in = TransitFlow {
            source_site: destination_site,
            destination_site: near_site,
            source: destination,
            destination: source,
            source_port: destination_port,
            destination_port: source_port,
            packets: traffic.answer.packets,
            bytes: traffic.answer.bytes,
            flags: answers,
            source_service: service_code,
            destination_service: 0,
            lost: too_large,
            ..request_in
        };
        let answer_out = TransitFlow {
            egress: true,
            lost: Lost::Nothing,
            ..answer_in
        };
        for row in [answer_out, answer_in, request_out] {
            self.pending.push(Record::TransitGateway(row));
        }
        request_in
    }

    fn write_transit_gateway(&self, out: &mut Vec<u8>, flow: &TransitFlow) {
        let world = self.world;
        out.extend_from_slice(world.transit_head(flow));
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
                flow.bytes,
                flow.start,
            ],
        );
        integer(out, flow.end);
        out.extend_from_slice(if flow.v6 { b" OK IPv6" } else { b" OK IPv4" });
        let [no_route, blackhole, too_large] = match flow.lost {
            Lost::Nothing => [0, 0, 0],
            Lost::NoRoute(packets) => [packets, 0, 0],
            Lost::Blackhole(packets) => [0, packets, 0],
            Lost::TooLarge(packets) => [0, 0, packets],
        };
        for lost in [no_route, blackhole, too_large, 0, u64::from(flow.flags)] {
            out.push(b' ');
            integer(out, lost);
        }
        out.extend_from_slice(if flow.egress {
            b" us-east-1 egress "
        } else {
            b" us-east-1 ingress "
        });
        out.extend_from_slice(service(flow.source_service));
        out.push(b' ');
        out.extend_from_slice(service(flow.destination_service));
    }
}

/// The subnet that the transit gateway has at a site.
pub(super) fn site_subnet_id(site: u32) -> String {
    format!("subnet-0{:016x}", mix(0x8_0000 + u64::from(site)))
}

/// The interface that the transit gateway has at a site.
pub(super) fn site_interface_id(site: u32) -> String {
    format!("eni-0{:016x}", mix(0x9_0000 + u64::from(site)))
}

/// The start of a Transit Gateway row, up to the source address.
pub(super) fn transit_head(source: u32, destination: u32, at_destination: bool) -> Box<[u8]> {
    struct Site {
        attachment: &'static str,
        account: &'static str,
        vpc: &'static str,
        subnet: String,
        interface: String,
        zone: &'static str,
    }
    let site = |number: u32| {
        if number >= SITE_VPN {
            return Site {
                attachment: pick(&ATTACHMENT_IDS, number - SITE_VPN + VPCS, "-"),
                account: "-",
                vpc: "-",
                subnet: "-".to_owned(),
                interface: "-".to_owned(),
                zone: "-",
            };
        }
        Site {
            attachment: pick(&ATTACHMENT_IDS, number / ZONES, "-"),
            account: ACCOUNT,
            vpc: pick(&VPC_IDS, number / ZONES, "-"),
            subnet: site_subnet_id(number),
            interface: site_interface_id(number),
            zone: pick(&ZONE_IDS, number % ZONES, "-"),
        }
    };
    let (from, to) = (site(source), site(destination));
    let (here, there) = if at_destination {
        (to.attachment, from.attachment)
    } else {
        (from.attachment, to.attachment)
    };
    boxed(format!(
        "6 TransitGateway {ACCOUNT} {GATEWAY_ID} {here} {} {} {} {} {} {} {} {} {} {} \
         {there} ",
        from.account,
        to.account,
        from.vpc,
        to.vpc,
        from.subnet,
        to.subnet,
        from.interface,
        to.interface,
        from.zone,
        to.zone,
    ))
}
