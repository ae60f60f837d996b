//! A deterministic generator of realistic flow and firewall logs, for tests, demos and benchmarks.
//!
//! The same format, seed and start time give the same bytes on every platform and for ever: there
//! is no clock, no platform mathematics library and no foreign random number generator in here.
//!
//! The estate it invents: one account, three VPCs of eighteen subnets in six Availability Zones,
//! 5,000 network interfaces drawn by Zipf 1.05 and 100,000 far addresses drawn by Zipf 0.95. Rows
//! come in bursts of one interface, both directions of a connection close together. Public
//! addresses are from the ranges set aside for documentation and benchmarks.

/// The account of every generated row.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const FIREWALL: &str = "inspect-use1";

const INTERFACES: u32 = 5_000;
const FAR_ADDRESSES: u32 = 100_000;
const FAR_IPV6: u32 = 2_048;
const VPCS: u32 = 3;
const ZONES: u32 = 6;
const SUBNETS_PER_VPC: u32 = 18;
const PODS_PER_NODE: u32 = 16;
/// Transit gateway sites: one per VPC and zone, then the VPN and the Direct Connect attachment.
const SITES: u32 = VPCS * ZONES + 2;
const SITE_VPN: u32 = VPCS * ZONES;
const SITE_DIRECT_CONNECT: u32 = SITE_VPN + 1;

/// Seconds of one aggregation window.
const WINDOW: u64 = 60;
/// Rows of one window: each interface that talks makes a few bursts in it.
const ROWS_PER_WINDOW: u32 = 20_000;

const MISSING: &[u8] = b"-";
const NO_HOP: &[u8] = b"- - - - -";

const HEADER_V2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol \
     packets bytes start end action log-status";

const HEADER_V3_TO_V5: &str = "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr \
     region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service \
     flow-direction traffic-path";

const HEADER_V7_TO_V11: &str = "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn \
     ecs-container-instance-id ecs-container-id ecs-second-container-id ecs-service-name \
     ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason resource-id \
     encryption-status instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag \
     asg-tag-2 interface-type next-hop-interface-id next-hop-subnet-id next-hop-az-id \
     next-hop-vpc-id next-hop-interface-type";

const HEADER_TRANSIT_GATEWAY: &str = "version resource-type account-id tgw-id tgw-attachment-id \
     tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id \
     tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id \
     tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
     log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded \
     packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service \
     pkt-dst-aws-service";

const VPC_IDS: [&str; 3] = [
    "vpc-0a1b2c3d4e5f60001",
    "vpc-0b2c3d4e5f6070002",
    "vpc-0c3d4e5f607180003",
];
const ATTACHMENT_IDS: [&str; 5] = [
    "tgw-attach-0a1b2c3d4e5f61001",
    "tgw-attach-0b2c3d4e5f6071002",
    "tgw-attach-0c3d4e5f607181003",
    "tgw-attach-0d4e5f60718291004",
    "tgw-attach-0e5f6071829301005",
];
const ZONE_IDS: [&str; 6] = [
    "use1-az1", "use1-az2", "use1-az3", "use1-az4", "use1-az5", "use1-az6",
];
const ZONE_NAMES: [&str; 6] = [
    "us-east-1a",
    "us-east-1b",
    "us-east-1c",
    "us-east-1d",
    "us-east-1e",
    "us-east-1f",
];
const SERVICES: [&str; 8] = [
    "-",
    "AMAZON",
    "EC2",
    "S3",
    "CLOUDFRONT",
    "DYNAMODB",
    "API_GATEWAY",
    "GLOBALACCELERATOR",
];
const SERVICE_S3: u8 = 3;
const SERVICE_DYNAMODB: u8 = 5;
const SCANNED_PORTS: [u16; 12] = [
    22, 23, 3389, 445, 5900, 6379, 8080, 8443, 1433, 3306, 5060, 2375,
];
const CLUSTERS: [&str; 3] = ["shop", "payments", "analytics"];
const ECS_SERVICES: [&str; 12] = [
    "checkout",
    "catalog",
    "cart",
    "search",
    "ledger",
    "refunds",
    "fraud",
    "invoices",
    "ingest",
    "reports",
    "exports",
    "scheduler",
];
const TEAMS: [&str; 6] = [
    "web%20platform",
    "payments",
    "data%2Fanalytics",
    "search%20%26%20discovery",
    "sre",
    "caf%C3%A9",
];
const STAGES: [&str; 3] = ["prod", "staging", "dev"];
const HOSTS: [&str; 10] = [
    "api.example.com",
    "updates.example.com",
    "search.example.com",
    "cdn.example.net",
    "telemetry.example.net",
    "login.example.org",
    "packages.example.org",
    "storage.example.com",
    "mail.example.net",
    "c2.example.net",
];

/// The log formats the generator can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// VPC flow logs in the default format: the 14 fields of version 2.
    VpcV2,
    /// VPC flow logs with the 29 fields of versions 2 to 5 in AWS's table order.
    VpcV5,
    /// VPC flow logs with all 54 fields of versions 2 to 11 in AWS's table order.
    VpcV11,
    /// Transit Gateway flow logs in the default format: 36 fields, version 6.
    TransitGateway,
    /// Alert logs of Network Firewall.
    FirewallAlert,
    /// Flow logs of Network Firewall: the `netflow` records.
    FirewallFlow,
    /// TLS logs of Network Firewall.
    FirewallTls,
}

impl LogFormat {
    /// Every format.
    pub const ALL: &'static [LogFormat] = &[
        LogFormat::VpcV2,
        LogFormat::VpcV5,
        LogFormat::VpcV11,
        LogFormat::TransitGateway,
        LogFormat::FirewallAlert,
        LogFormat::FirewallFlow,
        LogFormat::FirewallTls,
    ];

    /// The short name, as used on a command line.
    pub fn name(self) -> &'static str {
        match self {
            LogFormat::VpcV2 => "vpc-v2",
            LogFormat::VpcV5 => "vpc-v5",
            LogFormat::VpcV11 => "vpc-v11",
            LogFormat::TransitGateway => "tgw",
            LogFormat::FirewallAlert => "firewall-alert",
            LogFormat::FirewallFlow => "firewall-flow",
            LogFormat::FirewallTls => "firewall-tls",
        }
    }

    /// The format of a short name.
    pub fn from_name(name: &str) -> Option<LogFormat> {
        LogFormat::ALL
            .iter()
            .copied()
            .find(|format| format.name() == name)
    }

    fn version(self) -> &'static str {
        match self {
            LogFormat::VpcV5 => "5",
            LogFormat::VpcV11 => "11",
            _ => "2",
        }
    }
}

/// What a generated row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A flow, or for firewall logs any record.
    Flow,
    /// A `NODATA` row: the interface was idle in the window.
    NoData,
    /// A `SKIPDATA` row: records were lost in the window.
    SkipData,
}

/// Writes an endless log of one format.
#[derive(Debug)]
pub struct Generator {
    format: LogFormat,
    random: Random,
    world: World,
    burst: Burst,
    /// Start of the current window in epoch seconds.
    window: u64,
    rows_in_window: u32,
    /// Rows already decided, the next one last.
    pending: Vec<Record>,
}

impl Generator {
    /// A generator of one format. `start` is the first window's start in epoch seconds.
    pub fn new(format: LogFormat, seed: u64, start: u64) -> Generator {
        Generator {
            format,
            random: Random::new(seed),
            world: World::new(format),
            burst: Burst::default(),
            window: start,
            rows_in_window: 0,
            pending: Vec::new(),
        }
    }

    /// The header line without its newline; firewall logs have none.
    pub fn header(&self) -> Option<String> {
        match self.format {
            LogFormat::VpcV2 => Some(HEADER_V2.to_owned()),
            LogFormat::VpcV5 => Some(format!("{HEADER_V2} {HEADER_V3_TO_V5}")),
            LogFormat::VpcV11 => Some(format!("{HEADER_V2} {HEADER_V3_TO_V5} {HEADER_V7_TO_V11}")),
            LogFormat::TransitGateway => Some(HEADER_TRANSIT_GATEWAY.to_owned()),
            LogFormat::FirewallAlert | LogFormat::FirewallFlow | LogFormat::FirewallTls => None,
        }
    }

    /// Appends one row and a newline to `out`.
    pub fn row(&mut self, out: &mut Vec<u8>) -> RowKind {
        if self.rows_in_window == ROWS_PER_WINDOW {
            self.rows_in_window = 0;
            self.window = self.window.saturating_add(WINDOW);
        }
        self.rows_in_window += 1;
        let kind = match self.format {
            LogFormat::VpcV2 | LogFormat::VpcV5 | LogFormat::VpcV11 => self.vpc_row(out),
            LogFormat::TransitGateway => self.transit_gateway_row(out),
            LogFormat::FirewallAlert => self.firewall_alert(out),
            LogFormat::FirewallFlow => self.firewall_flow(out),
            LogFormat::FirewallTls => self.firewall_tls(out),
        };
        out.push(b'\n');
        kind
    }

    /// Starts a burst when the last one is over. Says whether it did.
    fn next_burst(&mut self) -> bool {
        if self.burst.left > 0 {
            self.burst.left -= 1;
            return false;
        }
        let random = &mut self.random;
        let interface = self.world.by_interface.draw(random);
        let first_second = random.below(20);
        self.burst = Burst {
            interface,
            left: burst_length(random),
            start: self.window + u64::from(first_second),
            far: self.world.by_far.draw(random),
        };
        true
    }

    // ---- VPC flow logs ----

    fn vpc_row(&mut self, out: &mut Vec<u8>) -> RowKind {
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
        let world = &self.world;
        let index = burst.interface;
        let interface = world.interface(index);
        if random.below(8) != 0 {
            burst.far = world.by_far.draw(random);
        }
        let v6 = random.below(33) == 0;
        let own = if v6 {
            Address::InterfaceV6(index)
        } else {
            Address::Interface(index)
        };
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
        let peer = if v6 {
            Address::FarV6(far_index % FAR_IPV6)
        } else {
            Address::Far(far_index)
        };
        // From the internet only public subnets are reached.
        let serves = random.below(100) < interface.serves_percent
            && (interface.public || v6 || far.place != Place::Public);
        let ephemeral = client_port(random);
        let protocol = match random.below(100) {
            0 => {
                if v6 {
                    58
                } else {
                    1
                }
            }
            1..=6 => 17,
            _ => 6,
        };
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
        // A connection that lasts over several windows shows its SYN in the first one only.
        let stage = random.below(8);
        let (asks, answers) = match (protocol, stage) {
            (6, 0..=4) => (3, 19),
            (6, 5) => (2, 18),
            (6, 6) => (1, 1),
            _ => (0, 0),
        };

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
        let world = &self.world;
        let interface = world.interface(flow.interface);
        out.extend_from_slice(&interface.head);
        out.extend_from_slice(world.address(flow.source));
        out.push(b' ');
        out.extend_from_slice(world.address(flow.destination));
        out.push(b' ');
        integer(out, u64::from(flow.source_port));
        out.push(b' ');
        integer(out, u64::from(flow.destination_port));
        out.push(b' ');
        integer(out, u64::from(flow.protocol));
        out.push(b' ');
        integer(out, flow.packets);
        out.push(b' ');
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

    // ---- Transit Gateway flow logs ----

    fn transit_gateway_row(&mut self, out: &mut Vec<u8>) -> RowKind {
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
                out.extend_from_slice(b"6 TransitGateway 123456789012 tgw-0abc12345def67890 ");
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
        let world = &self.world;
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
                if v6 {
                    Address::InterfaceV6(far.interface)
                } else {
                    Address::Interface(far.interface)
                },
                peer.vpc * ZONES + peer.zone_index,
                0,
            ),
            // The last VPC holds the way out to the internet.
            Place::Public if near.vpc + 1 != VPCS => (
                if v6 {
                    Address::FarV6(far_index % FAR_IPV6)
                } else {
                    Address::Far(far_index)
                },
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
        let source = if v6 {
            Address::InterfaceV6(near_index)
        } else {
            Address::Interface(near_index)
        };
        let ephemeral = client_port(random);
        let protocol = match random.below(100) {
            0 => {
                if v6 {
                    58
                } else {
                    1
                }
            }
            1..=6 => 17,
            _ => 6,
        };
        let (source_port, destination_port) = match protocol {
            6 => (ephemeral, far.port),
            17 => (ephemeral, 53),
            _ => (0, 0),
        };
        let traffic = Traffic::draw(random, protocol);
        let (asks, answers) = match (protocol, random.below(8)) {
            (6, 0..=4) => (3, 19),
            (6, 5) => (2, 18),
            (6, 6) => (1, 1),
            _ => (0, 0),
        };
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
        let world = &self.world;
        out.extend_from_slice(world.transit_head(flow));
        out.extend_from_slice(world.address(flow.source));
        out.push(b' ');
        out.extend_from_slice(world.address(flow.destination));
        out.push(b' ');
        integer(out, u64::from(flow.source_port));
        out.push(b' ');
        integer(out, u64::from(flow.destination_port));
        out.push(b' ');
        integer(out, u64::from(flow.protocol));
        out.push(b' ');
        integer(out, flow.packets);
        out.push(b' ');
        integer(out, flow.bytes);
        out.push(b' ');
        integer(out, flow.start);
        out.push(b' ');
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

    // ---- Network Firewall logs ----

    /// The moment the firewall writes its next record: rows are spread evenly over the window.
    fn firewall_now(&mut self) -> Moment {
        let micros = u64::from(self.rows_in_window) * (WINDOW * 1_000_000)
            / u64::from(ROWS_PER_WINDOW + 1)
            + u64::from(self.random.below(2_900));
        Moment {
            seconds: self.window + micros / 1_000_000,
            micros: micros % 1_000_000,
        }
    }

    fn firewall_head(&self, out: &mut Vec<u8>, zone: u32) {
        out.extend_from_slice(b"{\"firewall_name\":\"");
        out.extend_from_slice(FIREWALL.as_bytes());
        out.extend_from_slice(b"\",\"availability_zone\":\"");
        out.extend_from_slice(pick(&ZONE_NAMES, zone, REGION).as_bytes());
        out.extend_from_slice(b"\",\"event_timestamp\":");
    }

    fn firewall_flow(&mut self, out: &mut Vec<u8>) -> RowKind {
        let now = self.firewall_now();
        let flow = match self.pending.pop() {
            Some(Record::Netflow(flow)) => flow,
            _ => self.new_netflow(now),
        };
        let world = &self.world;
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
        let world = &self.world;
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
        let (source, destination) = if v6 {
            (
                Address::InterfaceV6(interface),
                Address::FarV6(far_index % FAR_IPV6),
            )
        } else {
            (Address::Interface(interface), Address::Far(far_index))
        };
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

    fn firewall_alert(&mut self, out: &mut Vec<u8>) -> RowKind {
        let now = self.firewall_now();
        self.next_burst();
        let random = &mut self.random;
        let world = &self.world;
        let far_index =
            world.far_where(world.by_far.draw(random), |far| far.place == Place::Public);
        let ephemeral = client_port(random);
        let near = world.interface(self.burst.interface);
        let rule = pick(&RULES, random.below(10), RULES[0]);
        let host = pick(&HOSTS, random.below(10), "api.example.com");
        let transaction = u64::from(random.below(4));
        let id = random.next() >> 11;
        self.firewall_head(out, near.zone_index);
        out.push(b'"');
        integer(out, now.seconds);
        out.extend_from_slice(b"\",\"event\":{");
        if rule.web_category {
            out.extend_from_slice(b"\"aws_category\":\"[\\\"Search Engines and Portals\\\"]\",");
        }
        if !rule.application.is_empty() {
            out.extend_from_slice(b"\"tx_id\":");
            integer(out, transaction);
            out.extend_from_slice(b",\"app_proto\":\"");
            out.extend_from_slice(rule.application.as_bytes());
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"src_ip\":\"");
        out.extend_from_slice(near.v4.as_bytes());
        out.extend_from_slice(b"\",\"src_port\":");
        integer(out, u64::from(ephemeral));
        out.extend_from_slice(b",\"event_type\":\"alert\",\"alert\":");
        out.extend_from_slice(rule.alert.as_bytes());
        out.extend_from_slice(b",\"flow_id\":");
        integer(out, id);
        out.extend_from_slice(b",\"dest_ip\":\"");
        out.extend_from_slice(world.address(Address::Far(far_index)));
        out.extend_from_slice(b"\",\"dest_port\":");
        integer(out, u64::from(rule.port));
        out.extend_from_slice(b",\"proto\":\"");
        out.extend_from_slice(rule.protocol.as_bytes());
        out.extend_from_slice(b"\",\"verdict\":{\"action\":\"");
        out.extend_from_slice(rule.verdict.as_bytes());
        out.extend_from_slice(b"\"},");
        match rule.application {
            "http" => {
                out.extend_from_slice(b"\"http\":{\"hostname\":\"");
                out.extend_from_slice(host.as_bytes());
                out.extend_from_slice(b"\",\"url\":\"/v1/items/");
                integer(out, transaction);
                out.extend_from_slice(
                    b"\",\"http_user_agent\":\"curl/8.11.1\",\"http_method\":\"GET\",\
                      \"protocol\":\"HTTP/1.1\",\"length\":0},",
                );
            }
            "tls" => {
                out.extend_from_slice(b"\"tls\":{\"sni\":\"");
                out.extend_from_slice(host.as_bytes());
                out.extend_from_slice(b"\",\"version\":\"UNDETERMINED\",\"ja3\":{},\"ja3s\":{}},");
            }
            "dns" => {
                out.extend_from_slice(
                    b"\"dns\":{\"version\":3,\"type\":\"request\",\"queries\":[{\"rrname\":\"",
                );
                out.extend_from_slice(host.as_bytes());
                out.extend_from_slice(b"\",\"rrtype\":\"A\"}]},");
            }
            _ => {}
        }
        out.extend_from_slice(b"\"pkt_src\":\"geneve encapsulation\",\"timestamp\":\"");
        timestamp(out, now, b"+0000");
        out.extend_from_slice(b"\",\"direction\":\"to_server\"}}");
        RowKind::Flow
    }

    fn firewall_tls(&mut self, out: &mut Vec<u8>) -> RowKind {
        let now = self.firewall_now();
        self.next_burst();
        let random = &mut self.random;
        let world = &self.world;
        let far_index =
            world.far_where(world.by_far.draw(random), |far| far.place == Place::Public);
        let ephemeral = client_port(random);
        let near = world.interface(self.burst.interface);
        let host = pick(&HOSTS, random.below(10), "api.example.com").as_bytes();
        let kind = random.below(10);
        let fingerprint = [random.next(), random.next(), u64::from(far_index)];
        self.firewall_head(out, near.zone_index);
        integer(out, now.seconds);
        out.extend_from_slice(b",\"event\":{\"src_ip\":\"");
        out.extend_from_slice(near.v4.as_bytes());
        out.extend_from_slice(b"\",\"src_port\":\"");
        integer(out, u64::from(ephemeral));
        out.extend_from_slice(b"\",");
        match kind {
            0..=3 => {
                out.extend_from_slice(b"\"revocation_check\":{\"leaf_cert_fpr\":\"");
                for part in fingerprint {
                    hexadecimal(out, part, 16);
                }
                out.extend_from_slice(match kind {
                    0 | 1 => b"\",\"status\":\"REVOKED\",\"action\":\"DROP\"},",
                    2 => b"\",\"status\":\"UNKNOWN\",\"action\":\"PASS\"},",
                    _ => b"\",\"status\":\"REVOKED\",\"action\":\"REJECT\"},".as_slice(),
                });
            }
            4..=7 => {
                out.extend_from_slice(b"\"tls_error\":{\"error_message\":\"SNI: ");
                out.extend_from_slice(host);
                out.extend_from_slice(
                    b" Match Failed to server certificate names: *.example.edu\"},",
                );
            }
            _ => out.extend_from_slice(
                b"\"tls_error\":{\"error_message\":\"TLS handshake failed: certificate has expired\"},",
            ),
        }
        out.extend_from_slice(b"\"dest_ip\":\"");
        out.extend_from_slice(world.address(Address::Far(far_index)));
        out.extend_from_slice(b"\",\"dest_port\":\"443\",\"timestamp\":\"");
        timestamp(out, now, b"Z");
        out.extend_from_slice(b"\",\"sni\":\"");
        out.extend_from_slice(host);
        out.extend_from_slice(b"\"}}");
        RowKind::Flow
    }
}

// ---- Records ----

#[derive(Debug, Clone, Copy)]
enum Record {
    Vpc(VpcFlow),
    TransitGateway(TransitFlow),
    Netflow(Netflow),
}

/// Where an address is looked up when a row is written.
#[derive(Debug, Clone, Copy)]
enum Address {
    Interface(u32),
    InterfaceV6(u32),
    Far(u32),
    FarV6(u32),
    Pod(u32),
    OnPremises(u32),
}

/// The next hop of a VPC row.
#[derive(Debug, Clone, Copy)]
enum Hop {
    None,
    Interface(u32),
}

#[derive(Debug, Clone, Copy)]
struct VpcFlow {
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

/// Packets a transit gateway lost, by reason.
#[derive(Debug, Clone, Copy)]
enum Lost {
    Nothing,
    NoRoute(u64),
    Blackhole(u64),
    TooLarge(u64),
}

#[derive(Debug, Clone, Copy)]
struct TransitFlow {
    source_site: u32,
    destination_site: u32,
    egress: bool,
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

#[derive(Debug, Clone, Copy)]
struct Netflow {
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
    fn has_ports(&self) -> bool {
        matches!(self.protocol, 6 | 17)
    }
}

#[derive(Debug, Clone, Copy)]
struct Moment {
    seconds: u64,
    micros: u64,
}

impl Moment {
    fn whole_seconds_to(self, end: Moment) -> u64 {
        let whole = end.seconds.saturating_sub(self.seconds);
        whole.saturating_sub(u64::from(end.micros < self.micros))
    }
}

/// The run of rows of one interface.
#[derive(Debug, Default)]
struct Burst {
    interface: u32,
    left: u32,
    start: u64,
    far: u32,
}

impl Burst {
    /// First and last packet of a connection: many fill their window, the others are short.
    fn lifetime(&self, random: &mut Random) -> (u64, u64) {
        let first = random.below(20);
        let last = if random.below(3) == 0 {
            39 - random.below(3)
        } else {
            (first + random.below(16)).min(39)
        };
        (
            self.start + u64::from(first),
            self.start + u64::from(last.max(first)),
        )
    }
}

/// The counters of one direction.
#[derive(Debug, Clone, Copy)]
struct Counters {
    packets: u64,
    bytes: u64,
}

/// The counters of both directions of a connection.
#[derive(Debug, Clone, Copy)]
struct Traffic {
    request: Counters,
    answer: Counters,
}

impl Traffic {
    fn draw(random: &mut Random, protocol: u8) -> Traffic {
        if protocol != 6 {
            let packets = 1 + u64::from(random.below(3));
            return Traffic {
                request: Counters {
                    packets,
                    bytes: packets * pick(&[64, 71, 76, 84], random.below(4), 64),
                },
                answer: Counters {
                    packets,
                    bytes: packets * pick(&[84, 120, 152, 180], random.below(4), 84),
                },
            };
        }
        // One connection in a few thousand moves more than 32 bits can count.
        if random.below(4_000) == 0 {
            let packets = 3_000_000 + u64::from(random.below(4_000_000));
            return Traffic {
                request: Counters {
                    packets: packets / 9,
                    bytes: packets / 9 * 52 + u64::from(random.below(4_096)),
                },
                answer: Counters {
                    packets,
                    bytes: packets * 1_448 + u64::from(random.below(1_448)),
                },
            };
        }
        let class = pick(
            &[1, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 7, 8, 11],
            random.below(16),
            3,
        );
        let packets = (1 << class) + u64::from(random.below(1 << class));
        let random_bit = random.below(2);
        let request_size = 52 + u64::from(random.below(pick(&[120, 800], random_bit, 120)));
        let answer_size = 60 + u64::from(random.below(1_380));
        let answered = packets + u64::from(random.below(1 + (1 << class)));
        Traffic {
            request: Counters {
                packets,
                bytes: packets * request_size + 2 * (packets - 1),
            },
            answer: Counters {
                packets: answered,
                bytes: answered * answer_size + 3 * (answered - 1),
            },
        }
    }
}

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
        source: if v6 {
            Address::FarV6(scanner % FAR_IPV6)
        } else {
            Address::Far(scanner)
        },
        destination: own,
        packet_source: if v6 {
            Address::FarV6(scanner % FAR_IPV6)
        } else {
            Address::Far(scanner)
        },
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

// ---- The estate ----

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Instance,
    Node,
    Task,
    LoadBalancer,
    Endpoint,
    Nat,
    Transit,
    RegionalNat,
}

impl Role {
    fn interface_type(self) -> &'static str {
        match self {
            Role::Instance | Role::Node | Role::Task => "-",
            Role::LoadBalancer => "network_load_balancer",
            Role::Endpoint => "vpc_endpoint",
            Role::Nat => "nat_gateway",
            Role::Transit => "transit_gateway",
            Role::RegionalNat => "regional_nat_gateway",
        }
    }
}

/// A network interface, with the parts of its rows that never change already written.
#[derive(Debug)]
struct Interface {
    index: u32,
    role: Role,
    vpc: u32,
    zone_index: u32,
    public: bool,
    port: u16,
    serves_percent: u32,
    v4: Text<15>,
    v6: Text<39>,
    /// `version account-id interface-id `
    head: Box<[u8]>,
    /// The same for rows without data, where some accounts are `unknown`.
    idle_head: Box<[u8]>,
    /// ` vpc-id subnet-id instance-id `
    owner: Box<[u8]>,
    /// ` region az-id sublocation-type sublocation-id `
    zone: Box<[u8]>,
    /// The ten ECS fields, with a space before each.
    container: Box<[u8]>,
    /// ` resource-id `
    resource: Box<[u8]>,
    /// The six tags and the interface type, with a space before each and one after.
    tags: Box<[u8]>,
    /// The fields of versions 7 to 11 in rows without data.
    idle_tail: Box<[u8]>,
    /// The five next-hop fields when this interface is the next hop.
    as_hop: Box<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Interface,
    OnPremises,
    Public,
}

/// A far address: what an interface talks to.
#[derive(Debug, Clone, Copy)]
struct Far {
    v4: Text<15>,
    place: Place,
    service: u8,
    port: u16,
    /// The interface behind it, or some interface when it is none of ours.
    interface: u32,
}

#[derive(Debug)]
struct World {
    interfaces: Vec<Interface>,
    fallback: Interface,
    fars: Vec<Far>,
    far_v6: Vec<Text<39>>,
    pods: Vec<Text<15>>,
    on_premises: Vec<Text<15>>,
    /// For each source and destination site (one more for "lost"), the row's head on the source's
    /// and on the destination's attachment.
    transit_heads: Vec<[Box<[u8]>; 2]>,
    by_interface: Zipf,
    by_far: Zipf,
}

impl World {
    fn new(format: LogFormat) -> World {
        let interfaces: Vec<Interface> = (0..INTERFACES)
            .map(|index| Interface::new(index, format))
            .collect();
        let fars = (0..FAR_ADDRESSES)
            .map(|index| Far::new(index, &interfaces))
            .collect();
        let far_v6 = (0..FAR_IPV6)
            .map(|index| {
                let mixed = mix(u64::from(index) ^ 0x6_0000);
                Text::new(&format!(
                    "2001:db8:{:x}:{:x}::{:x}",
                    0x8000 + index,
                    0x100 | (mixed & 0xff),
                    0x10 + (mixed >> 52)
                ))
            })
            .collect();
        let pods = (0..INTERFACES * PODS_PER_NODE)
            .map(|index| Text::v4(100, 64 + (index >> 16), (index >> 8) & 255, index & 255))
            .collect();
        let on_premises = (0..4_096)
            .map(|index: u32| Text::v4(10, 200, index >> 8, index & 255))
            .collect();
        let transit_heads = if format == LogFormat::TransitGateway {
            (0..SITES * (SITES + 1))
                .map(|pair| {
                    let (source, destination) = (pair / (SITES + 1), pair % (SITES + 1));
                    [
                        transit_head(source, destination, false),
                        transit_head(source, destination, true),
                    ]
                })
                .collect()
        } else {
            Vec::new()
        };
        World {
            interfaces,
            fallback: Interface::new(0, format),
            fars,
            far_v6,
            pods,
            on_premises,
            transit_heads,
            by_interface: Zipf::new(INTERFACES, Exponent::OneAndATwentieth),
            by_far: Zipf::new(FAR_ADDRESSES, Exponent::NineteenTwentieths),
        }
    }

    fn interface(&self, index: u32) -> &Interface {
        self.interfaces
            .get(index as usize)
            .unwrap_or(&self.fallback)
    }

    fn far(&self, index: u32) -> &Far {
        const NOWHERE: Far = Far {
            v4: Text {
                length: 0,
                bytes: [0; 15],
            },
            place: Place::Public,
            service: 0,
            port: 443,
            interface: 0,
        };
        self.fars.get(index as usize).unwrap_or(&NOWHERE)
    }

    fn address(&self, address: Address) -> &[u8] {
        match address {
            Address::Interface(index) => self.interface(index).v4.as_bytes(),
            Address::InterfaceV6(index) => self.interface(index).v6.as_bytes(),
            Address::Far(index) => self.far(index).v4.as_bytes(),
            Address::FarV6(index) => text_at(&self.far_v6, index),
            Address::Pod(index) => text_at(&self.pods, index),
            Address::OnPremises(index) => text_at(&self.on_premises, index & 4_095),
        }
    }

    /// The first rank from `index` on whose far address is wanted.
    fn far_where(&self, index: u32, wanted: impl Fn(&Far) -> bool) -> u32 {
        (0..200)
            .map(|step| (index + step) % FAR_ADDRESSES)
            .find(|&rank| wanted(self.far(rank)))
            .unwrap_or(index)
    }

    /// A plain interface in the same VPC as a gateway.
    fn neighbour(&self, interface: &Interface, random: &mut Random) -> u32 {
        let mut index = self.by_interface.draw(random);
        for _ in 0..64 {
            let candidate = self.interface(index);
            if candidate.vpc == interface.vpc
                && !candidate.public
                && matches!(candidate.role, Role::Instance | Role::Node | Role::Task)
            {
                return index;
            }
            index = (index + 1) % INTERFACES;
        }
        index
    }

    /// The traffic path out, the next hop out, and the next hop in.
    fn route(&self, interface: &Interface, far: &Far, v6: bool) -> (u8, Hop, Hop) {
        let peer = self.interface(far.interface);
        let nat = Hop::Interface(gateway_index(interface.vpc, interface.zone_index, 3));
        let transit = Hop::Interface(gateway_index(interface.vpc, interface.zone_index, 5));
        match far.place {
            _ if v6 => (b'8', Hop::None, Hop::None),
            Place::Interface if peer.vpc == interface.vpc => {
                let hop = Hop::Interface(far.interface);
                (b'1', hop, hop)
            }
            // The first two VPCs are peered; the third is reached by the transit gateway.
            Place::Interface if peer.vpc < 2 && interface.vpc < 2 => {
                let hop = Hop::Interface(far.interface);
                (b'4', hop, hop)
            }
            Place::Interface => (b'1', transit, Hop::None),
            Place::OnPremises => (b'3', Hop::None, Hop::None),
            Place::Public if matches!(far.service, SERVICE_S3 | SERVICE_DYNAMODB) => {
                (b'7', Hop::None, Hop::None)
            }
            Place::Public
                if interface.public || matches!(interface.role, Role::Nat | Role::RegionalNat) =>
            {
                (b'8', Hop::None, Hop::None)
            }
            Place::Public => (b'1', nat, nat),
        }
    }

    fn transit_head(&self, flow: &TransitFlow) -> &[u8] {
        let pair = flow.source_site * (SITES + 1) + flow.destination_site;
        match self.transit_heads.get(pair as usize) {
            Some([at_source, at_destination]) => {
                if flow.egress {
                    at_destination
                } else {
                    at_source
                }
            }
            None => &[],
        }
    }
}

/// The index of a gateway's interface: every seventh of the first 126 is one.
fn gateway_index(vpc: u32, zone: u32, offset: u32) -> u32 {
    (vpc * ZONES + zone) * 7 + offset
}

impl Interface {
    fn new(index: u32, format: LogFormat) -> Interface {
        let mixed = mix(u64::from(index));
        let dice = u32::try_from(mixed % 100).unwrap_or(0);
        let group = index / 7;
        let gateway = group < VPCS * ZONES;
        let role = match index % 7 {
            3 if gateway => Role::Nat,
            5 if gateway => Role::Transit,
            6 if index < 21 && format == LogFormat::VpcV11 => Role::RegionalNat,
            _ => match dice {
                0..=3 => Role::LoadBalancer,
                4..=8 => Role::Endpoint,
                9..=24 => Role::Task,
                25..=57 => Role::Node,
                _ => Role::Instance,
            },
        };
        let (vpc, zone_index, tier) = match role {
            Role::Nat => (group / ZONES, group % ZONES, 0),
            Role::Transit => (group / ZONES, group % ZONES, 2),
            Role::LoadBalancer => (
                u32::try_from((mixed >> 16) % 3).unwrap_or(0),
                index % ZONES,
                0,
            ),
            Role::RegionalNat => (group, 0, 0),
            _ => {
                let subnet = u32::try_from((mixed >> 16) % 54).unwrap_or(0);
                (subnet / SUBNETS_PER_VPC, subnet % ZONES, subnet / ZONES % 3)
            }
        };
        let subnet = tier * ZONES + zone_index;
        let public = tier == 0;
        let (port, serves_percent) = match role {
            Role::LoadBalancer | Role::Endpoint => (443, 95),
            Role::Nat | Role::Transit | Role::RegionalNat => (443, 0),
            Role::Node => (pick(&[8080, 8443, 9090, 30_443], dice % 4, 8080), 50),
            Role::Task => (pick(&[8080, 3000, 8000], dice % 3, 8080), 50),
            Role::Instance if public => (pick(&[443, 443, 80, 22], dice % 4, 443), 85),
            Role::Instance if tier == 2 => (pick(&[5432, 3306, 6379, 9092], dice % 4, 5432), 90),
            Role::Instance => (pick(&[8080, 443, 8443, 9200], dice % 4, 8080), 40),
        };

        // 2,048 addresses a subnet: the first four are reserved.
        let host = 4 + index % 2_040;
        let third = subnet * 8 + (host >> 8);
        let v4 = match vpc {
            0 => Text::v4(10, 20, third, host & 255),
            1 => Text::v4(10, 40, third, host & 255),
            _ => Text::v4(172, 20, third, host & 255),
        };
        let v6 = Text::new(&format!(
            "2001:db8:{:x}:{:x}::{:x}",
            vpc + 1,
            0x10 + subnet,
            0x100 + index
        ));

        let vpc_id = pick(&VPC_IDS, vpc, "-");
        let zone_id = pick(&ZONE_IDS, zone_index, "-");
        let subnet_id = format!(
            "subnet-0{:016x}",
            mix(0x5_0000 + u64::from(vpc * 18 + subnet))
        );
        let interface_id = format!("eni-0{:016x}", mix(0xe_0000 + u64::from(index)));
        let regional = role == Role::RegionalNat;
        let (interface_id, subnet_id) = if regional {
            ("-".to_owned(), "-".to_owned())
        } else {
            (interface_id, subnet_id)
        };
        let instance_id = match role {
            Role::Instance | Role::Node => {
                format!("i-0{:016x}", mix(0x1_0000 + u64::from(index)))
            }
            _ => "-".to_owned(),
        };
        let version = format.version();
        let idle_account = match role {
            Role::LoadBalancer | Role::Endpoint => "unknown",
            _ => ACCOUNT,
        };
        let resource = if regional {
            format!("nat-1{:016x}", mix(0x7_0000 + u64::from(index)))
        } else {
            "-".to_owned()
        };
        let kind = role.interface_type();
        Interface {
            index,
            role,
            vpc,
            zone_index,
            public,
            port,
            serves_percent,
            v4,
            v6,
            head: boxed(format!("{version} {ACCOUNT} {interface_id} ")),
            idle_head: boxed(format!("{version} {idle_account} {interface_id} ")),
            owner: boxed(format!(" {vpc_id} {subnet_id} {instance_id} ")),
            zone: boxed(format!(" {REGION} {zone_id} - - ")),
            container: boxed(container_fields(index, role, mixed)),
            resource: boxed(format!(" {resource} ")),
            tags: boxed(format!(" {} {kind} ", tag_fields(role, mixed))),
            idle_tail: boxed(format!(
                " - - - - - - - - - - - {resource} - - - - - - - {kind} - - - - -"
            )),
            as_hop: if regional {
                boxed(format!("- - {zone_id} {vpc_id} {kind}"))
            } else {
                boxed(format!(
                    "{interface_id} {subnet_id} {zone_id} {vpc_id} {kind}"
                ))
            },
        }
    }
}

/// The ten ECS fields, with a space before each.
fn container_fields(index: u32, role: Role, mixed: u64) -> String {
    if role != Role::Task {
        return " -".repeat(10);
    }
    let number = u32::try_from((mixed >> 24) % 12).unwrap_or(0);
    let service = pick(&ECS_SERVICES, number, "checkout");
    let cluster = pick(&CLUSTERS, number / 4, "shop");
    let task = format!(
        "{:016x}{:016x}",
        mix(0x2_0000 + u64::from(index)),
        mix(0x3_0000 + u64::from(index))
    );
    let base = format!("arn:aws:ecs:{REGION}:{ACCOUNT}");
    let fargate = mixed & 1 == 0;
    let (host, host_id) = if fargate {
        ("-".to_owned(), "-".to_owned())
    } else {
        let id = format!("{:016x}{:016x}", mix(mixed % 64), mix(mixed % 64 + 64));
        (format!("{base}:container-instance/{cluster}/{id}"), id)
    };
    let container = |number: u64| {
        if fargate {
            format!("{task}-{:010}", (mixed >> 32) + number)
        } else {
            let seed = u64::from(index) * 8 + number;
            format!(
                "{:016x}{:016x}{:016x}{:016x}",
                mix(seed),
                mix(seed ^ 0x10_0000),
                mix(seed ^ 0x20_0000),
                mix(seed ^ 0x30_0000)
            )
        }
    };
    let second = if mixed & 2 == 0 {
        "-".to_owned()
    } else {
        container(1)
    };
    // A task started by hand has no service.
    let service_name = if mixed & 0xf0 == 0 { "-" } else { service };
    format!(
        " {base}:cluster/{cluster} {cluster} {host} {host_id} {} {second} {service_name} \
         {base}:task-definition/{service}:{} {base}:task/{cluster}/{task} {task}",
        container(0),
        1 + (mixed >> 40) % 40,
    )
}

/// The six tag fields, with single spaces between them.
fn tag_fields(role: Role, mixed: u64) -> String {
    let team = pick(&TEAMS, u32::try_from((mixed >> 8) % 6).unwrap_or(0), "sre");
    let stage = pick(
        &STAGES,
        u32::try_from((mixed >> 12) % 3).unwrap_or(0),
        "prod",
    );
    match role {
        Role::Instance => format!("{team} {stage} {team} - - -"),
        Role::Node => format!("{team} {stage} - - eks%2Fnodes-{stage} {stage}"),
        Role::Task => format!("- - {team} {stage} - -"),
        _ => "- - - - - -".to_owned(),
    }
}

impl Far {
    fn new(index: u32, interfaces: &[Interface]) -> Far {
        let mixed = mix(0xf_0000 + u64::from(index));
        let other = u32::try_from((mixed >> 20) % u64::from(INTERFACES)).unwrap_or(0);
        let port = pick(
            &[443, 443, 443, 443, 443, 443, 80, 8080, 22, 5671, 8443, 993],
            u32::try_from((mixed >> 44) % 12).unwrap_or(0),
            443,
        );
        match mixed % 100 {
            0..=34 => {
                let own = interfaces.get(other as usize);
                Far {
                    v4: own.map_or(Text::v4(10, 20, 0, 4), |interface| interface.v4),
                    place: Place::Interface,
                    service: 0,
                    port: own.map_or(443, |interface| interface.port),
                    interface: other,
                }
            }
            35..=41 => Far {
                v4: Text::v4(10, 200, (index >> 8) & 15, index & 255),
                place: Place::OnPremises,
                service: 0,
                port,
                interface: other,
            },
            _ => Far {
                v4: public_address(index, mixed),
                place: Place::Public,
                service: match (mixed >> 8) % 100 {
                    0..=9 => 1,
                    10..=15 => 2,
                    16..=21 => SERVICE_S3,
                    22..=24 => 4,
                    25 => SERVICE_DYNAMODB,
                    26 => 6,
                    27 => 7,
                    _ => 0,
                },
                port,
                interface: other,
            },
        }
    }
}

fn public_address(index: u32, mixed: u64) -> Text<15> {
    let last = u32::try_from((mixed >> 28) & 255).unwrap_or(1).max(1);
    match (mixed >> 36) % 60 {
        0 => Text::v4(192, 0, 2, last),
        1 => Text::v4(198, 51, 100, last),
        2 => Text::v4(203, 0, 113, last),
        _ => {
            // An odd factor visits all of 198.18.0.0/15 before it repeats.
            let spread = (index + 77).wrapping_mul(75_035) & 0x1_ffff;
            Text::v4(198, 18 + (spread >> 16), (spread >> 8) & 255, spread & 255)
        }
    }
}

/// The start of a Transit Gateway row, up to the source address.
fn transit_head(source: u32, destination: u32, at_destination: bool) -> Box<[u8]> {
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
            subnet: format!("subnet-0{:016x}", mix(0x8_0000 + u64::from(number))),
            interface: format!("eni-0{:016x}", mix(0x9_0000 + u64::from(number))),
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
        "6 TransitGateway {ACCOUNT} tgw-0abc12345def67890 {here} {} {} {} {} {} {} {} {} {} {} \
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

/// A stateful rule that raises alerts.
#[derive(Debug, Clone, Copy)]
struct Rule {
    alert: &'static str,
    verdict: &'static str,
    protocol: &'static str,
    application: &'static str,
    port: u16,
    web_category: bool,
}

const RULES: [Rule; 10] = [
    Rule {
        alert: r#"{"action":"blocked","signature_id":1000012,"rev":2,"gid":1,"signature":"deny rdp to internet","category":"","severity":3}"#,
        verdict: "drop",
        protocol: "TCP",
        application: "",
        port: 3389,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"blocked","signature_id":1000014,"rev":1,"gid":1,"signature":"deny ssh to internet","category":"Attempted Administrator Privilege Gain","severity":1}"#,
        verdict: "reject",
        protocol: "TCP",
        application: "ssh",
        port: 22,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"allowed","signature_id":2029000,"rev":4,"gid":1,"signature":"ET MALWARE example C2 domain in TLS SNI","category":"A Network Trojan was detected","severity":1,"metadata":{"created_at":["2025_06_11"],"signature_severity":["Major"]}}"#,
        verdict: "alert",
        protocol: "TCP",
        application: "tls",
        port: 443,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"blocked","signature_id":4,"rev":1,"gid":1,"signature":"not matching any TLS allowlisted FQDNs","category":"","severity":1}"#,
        verdict: "drop",
        protocol: "TCP",
        application: "tls",
        port: 443,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"blocked","signature_id":6,"rev":0,"gid":1,"signature":"","category":"","severity":3}"#,
        verdict: "drop",
        protocol: "TCP",
        application: "http",
        port: 80,
        web_category: true,
    },
    Rule {
        alert: r#"{"action":"allowed","signature_id":1000031,"rev":1,"gid":1,"signature":"watch plain http out","category":"Potential Corporate Privacy Violation","severity":2}"#,
        verdict: "pass",
        protocol: "TCP",
        application: "http",
        port: 80,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"allowed","signature_id":2013028,"rev":7,"gid":1,"signature":"ET POLICY curl User-Agent Outbound","category":"Attempted Information Leak","severity":2,"metadata":{"created_at":["2011_06_14"],"updated_at":["2024_03_04"]}}"#,
        verdict: "alert",
        protocol: "TCP",
        application: "http",
        port: 8080,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"blocked","signature_id":1000040,"rev":3,"gid":1,"signature":"dns to resolvers outside","category":"","severity":2}"#,
        verdict: "drop",
        protocol: "UDP",
        application: "dns",
        port: 53,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"allowed","signature_id":1000050,"rev":1,"gid":1,"signature":"aws:alert_established action","category":"","severity":3}"#,
        verdict: "alert",
        protocol: "TCP",
        application: "tls",
        port: 8443,
        web_category: false,
    },
    Rule {
        alert: r#"{"action":"blocked","signature_id":1000051,"rev":1,"gid":1,"signature":"aws:drop_established action","category":"","severity":3}"#,
        verdict: "drop",
        protocol: "TCP",
        application: "",
        port: 5060,
        web_category: false,
    },
];

// ---- Small parts ----

/// A short text held in place, so that a table of them is one block of memory.
#[derive(Debug, Clone, Copy)]
struct Text<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    fn new(text: &str) -> Text<N> {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Text {
            length: u8::try_from(text.len().min(N)).unwrap_or(0),
            bytes,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl Text<15> {
    fn v4(a: u32, b: u32, c: u32, d: u32) -> Text<15> {
        Text::new(&format!("{a}.{b}.{c}.{d}"))
    }
}

fn text_at<const N: usize>(texts: &[Text<N>], index: u32) -> &[u8] {
    texts
        .get(index as usize)
        .map_or(MISSING, |text| text.as_bytes())
}

fn boxed(text: String) -> Box<[u8]> {
    text.into_bytes().into_boxed_slice()
}

fn pick<T: Copy>(items: &[T], index: u32, otherwise: T) -> T {
    items.get(index as usize).copied().unwrap_or(otherwise)
}

fn service(code: u8) -> &'static [u8] {
    pick(&SERVICES, u32::from(code), "-").as_bytes()
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

fn application(protocol: u8, port: u16) -> &'static str {
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

/// A client port of the range Linux takes them from.
fn client_port(random: &mut Random) -> u16 {
    32_768 + u16::try_from(random.below(28_232)).unwrap_or(0)
}

/// Connections of a burst after the first: geometric in shape, so that a burst has about 14 rows.
fn burst_length(random: &mut Random) -> u32 {
    let mut length = 0;
    while length < 200 && random.below(BURST_STOP) != 0 {
        length += 1;
    }
    length
}

/// One in so many connections ends a burst; a connection makes 1.8 rows.
const BURST_STOP: u32 = 8;

fn integer(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut unused = digits.len();
    for digit in digits.iter_mut().rev() {
        // The remainder is below ten.
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        unused -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(unused..).unwrap_or(&[]));
}

/// A number of a fixed count of digits.
fn padded(out: &mut Vec<u8>, value: u64, unit: u64) {
    let mut unit = unit;
    while unit > 0 {
        // The remainder is below ten.
        out.push(b'0' + (value / unit % 10) as u8);
        unit /= 10;
    }
}

fn hexadecimal(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        let nibble = u32::try_from((value >> (4 * place)) & 15).unwrap_or(0);
        out.push(pick(b"0123456789abcdef", nibble, b'0'));
    }
}

/// `2026-11-20T16:25:31.006481` and a suffix.
fn timestamp(out: &mut Vec<u8>, moment: Moment, suffix: &[u8]) {
    // Days to a civil date, with years that start in March.
    let days = moment.seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let second_of_day = moment.seconds % 86_400;
    padded(out, year, 1_000);
    out.push(b'-');
    padded(out, month, 10);
    out.push(b'-');
    padded(out, day, 10);
    out.push(b'T');
    padded(out, second_of_day / 3_600, 10);
    out.push(b':');
    padded(out, second_of_day / 60 % 60, 10);
    out.push(b':');
    padded(out, second_of_day % 60, 10);
    out.push(b'.');
    padded(out, moment.micros, 100_000);
    out.extend_from_slice(suffix);
}

// ---- Chance ----

/// The finisher of splitmix64: a number that looks random for each input.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// xoshiro256++, seeded by splitmix64.
#[derive(Debug)]
struct Random {
    state: [u64; 4],
}

impl Random {
    fn new(seed: u64) -> Random {
        let golden: u64 = 0x9e37_79b9_7f4a_7c15;
        Random {
            state: [
                mix(seed),
                mix(seed.wrapping_add(golden)),
                mix(seed.wrapping_add(golden.wrapping_mul(2))),
                mix(seed.wrapping_add(golden.wrapping_mul(3))),
            ],
        }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        let (b_next, a_next) = (b ^ c, a ^ d);
        self.state = [a_next, b_next, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u32) -> u32 {
        // The product of two 32-bit numbers, shifted by 32, fits in 32 bits.
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }
}

/// The exponents in use; both are a step of one twentieth from one.
#[derive(Debug, Clone, Copy)]
enum Exponent {
    OneAndATwentieth,
    NineteenTwentieths,
}

/// Draws ranks by Zipf's law in constant time (the alias method).
#[derive(Debug)]
struct Zipf {
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The part of 2^32 in which the cell's own rank is drawn.
    keep: u32,
    /// The rank drawn otherwise.
    other: u32,
}

impl Zipf {
    fn new(ranks: u32, exponent: Exponent) -> Zipf {
        // Only operations that IEEE 754 defines to the last bit: `powf` differs by platform.
        let mut weights = Vec::with_capacity(ranks as usize);
        let mut sum = 0.0;
        let mut fifth_root = 1.0_f64;
        for rank in 1..=ranks {
            let rank = f64::from(rank);
            for _ in 0..4 {
                let square = fifth_root * fifth_root;
                fifth_root = (4.0 * fifth_root + rank / (square * square)) / 5.0;
            }
            let twentieth_root = fifth_root.sqrt().sqrt();
            let weight = match exponent {
                Exponent::OneAndATwentieth => 1.0 / (rank * twentieth_root),
                Exponent::NineteenTwentieths => twentieth_root / rank,
            };
            sum += weight;
            weights.push(weight);
        }
        let scale = f64::from(ranks) / sum;
        let mut cells = vec![
            Cell {
                keep: u32::MAX,
                other: 0,
            };
            ranks as usize
        ];
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (rank, weight) in (0..ranks).zip(&weights) {
            let scaled = weight * scale;
            if scaled < 1.0 {
                small.push((rank, scaled));
            } else {
                large.push((rank, scaled));
            }
        }
        while let (Some(&(rank, part)), Some(&(other, rest))) = (small.last(), large.last()) {
            small.pop();
            large.pop();
            if let Some(cell) = cells.get_mut(rank as usize) {
                // A float turns into an integer the same way everywhere: cut and clamped.
                cell.keep = (part * 4_294_967_296.0) as u32;
                cell.other = other;
            }
            let left = rest + part - 1.0;
            if left < 1.0 {
                small.push((other, left));
            } else {
                large.push((other, left));
            }
        }
        Zipf { cells }
    }

    fn draw(&self, random: &mut Random) -> u32 {
        let bits = random.next();
        let ranks = self.cells.len() as u64;
        // Below the count of ranks, which is a 32-bit number.
        let rank = (((bits >> 32) * ranks) >> 32) as u32;
        match self.cells.get(rank as usize) {
            // The lower half of the same number decides within the cell.
            Some(cell) if bits as u32 > cell.keep => cell.other,
            _ => rank,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_795_190_400;

    fn rows(format: LogFormat, seed: u64, count: usize) -> Vec<String> {
        let mut generator = Generator::new(format, seed, START);
        let mut out = Vec::new();
        for _ in 0..count {
            generator.row(&mut out);
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    fn is_firewall(format: LogFormat) -> bool {
        matches!(
            format,
            LogFormat::FirewallAlert | LogFormat::FirewallFlow | LogFormat::FirewallTls
        )
    }

    #[test]
    fn the_first_row_of_each_format_never_changes() {
        let golden = [
            r#"2 123456789012 eni-09aac97a13662bdb6 10.40.108.141 172.20.48.43 48496 6379 6 1 40 1795190416 1795190417 REJECT OK"#,
            r#"5 123456789012 eni-09aac97a13662bdb6 10.40.108.141 172.20.48.43 48496 6379 6 1 40 1795190416 1795190417 REJECT OK vpc-0c3d4e5f607180003 subnet-0c72b582de525fd73 i-06812b8c922374cfd 2 IPv4 10.40.108.141 172.20.48.43 us-east-1 use1-az1 - - - - ingress -"#,
            r#"11 123456789012 eni-09aac97a13662bdb6 10.40.108.141 172.20.48.43 48496 6379 6 1 40 1795190416 1795190417 REJECT OK vpc-0c3d4e5f607180003 subnet-0c72b582de525fd73 i-06812b8c922374cfd 2 IPv4 10.40.108.141 172.20.48.43 us-east-1 use1-az1 - - - - ingress - - - - - - - - - - - - - - web%20platform staging - - eks%2Fnodes-staging staging - - - - - -"#,
            r#"6 TransitGateway 123456789012 tgw-0abc12345def67890 tgw-attach-0c3d4e5f607181003 - - - - - - - - - - - - - - - - - - 1795190400 1795190459 NODATA - - - - - - us-east-1 - - -"#,
            r#"{"firewall_name":"inspect-use1","availability_zone":"us-east-1c","event_timestamp":"1795190400","event":{"src_ip":"172.20.64.26","src_port":42465,"event_type":"alert","alert":{"action":"blocked","signature_id":1000012,"rev":2,"gid":1,"signature":"deny rdp to internet","category":"","severity":3},"flow_id":1408248189977877,"dest_ip":"198.18.179.44","dest_port":3389,"proto":"TCP","verdict":{"action":"drop"},"pkt_src":"geneve encapsulation","timestamp":"2026-11-20T16:00:00.005352+0000","direction":"to_server"}}"#,
            r#"{"firewall_name":"inspect-use1","availability_zone":"us-east-1c","event_timestamp":"1795190400","event":{"app_proto":"dns","src_ip":"172.20.64.26","src_port":43907,"netflow":{"pkts":1,"bytes":76,"start":"2026-11-20T15:56:28.158724+0000","end":"2026-11-20T15:59:41.793940+0000","age":193,"min_ttl":126,"max_ttl":126},"event_type":"netflow","flow_id":2140948909963796,"dest_ip":"198.18.41.31","proto":"UDP","dest_port":53,"timestamp":"2026-11-20T16:00:00.005352+0000"}}"#,
            r#"{"firewall_name":"inspect-use1","availability_zone":"us-east-1c","event_timestamp":1795190400,"event":{"src_ip":"172.20.64.26","src_port":"42465","revocation_check":{"leaf_cert_fpr":"16e9453ed54a88ba28065aa8f428a8bb00000000000007f7","status":"REVOKED","action":"REJECT"},"dest_ip":"198.18.179.44","dest_port":"443","timestamp":"2026-11-20T16:00:00.005352Z","sni":"api.example.com"}}"#,
        ];
        for (&format, golden) in LogFormat::ALL.iter().zip(golden) {
            assert_eq!(rows(format, 1, 1)[0], golden, "{}", format.name());
        }
    }

    #[test]
    fn later_rows_never_change_either() {
        let sums = [
            0x3724_d18f_2b54_aafc,
            0xe579_87b4_244b_796c,
            0xcbbc_2820_5f28_a304,
            0x0ad8_7527_b03e_c235,
            0xc35a_50c6_120d_139e,
            0x139f_fbd2_f85d_a53c,
            0x56ae_47be_8de1_63ca,
        ];
        for (&format, expected) in LogFormat::ALL.iter().zip(sums) {
            let mut sum = 0xcbf2_9ce4_8422_2325_u64;
            for row in rows(format, 7, 3_000) {
                for byte in row.bytes() {
                    sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
            }
            assert_eq!(sum, expected, "{}: {sum:#018x}", format.name());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_and_another_seed_others() {
        for &format in LogFormat::ALL {
            let first = rows(format, 3, 500);
            assert_eq!(first, rows(format, 3, 500));
            assert_ne!(first, rows(format, 4, 500));
        }
    }

    #[test]
    fn names_lead_back_to_formats() {
        for &format in LogFormat::ALL {
            assert_eq!(LogFormat::from_name(format.name()), Some(format));
        }
        assert_eq!(LogFormat::from_name("vpc-v3"), None);
    }

    #[test]
    fn every_row_has_the_columns_of_the_header() {
        let counts = [14, 29, 54, 36];
        for (&format, count) in LogFormat::ALL.iter().zip(counts) {
            let header = Generator::new(format, 1, START).header().unwrap();
            assert_eq!(header.split(' ').count(), count);
            for row in rows(format, 1, 20_000) {
                assert_eq!(row.split(' ').count(), count, "{row}");
                assert!(row.split(' ').all(|value| !value.is_empty()), "{row}");
            }
        }
        for &format in LogFormat::ALL.iter().filter(|format| is_firewall(**format)) {
            assert_eq!(Generator::new(format, 1, START).header(), None);
        }
    }

    #[test]
    fn vpc_rows_have_the_shares_promised() {
        let mut generator = Generator::new(LogFormat::VpcV2, 1, START);
        let (mut nodata, mut skipdata) = (0, 0);
        let mut out = Vec::new();
        let count = 100_000;
        for _ in 0..count {
            match generator.row(&mut out) {
                RowKind::Flow => {}
                RowKind::NoData => nodata += 1,
                RowKind::SkipData => skipdata += 1,
            }
        }
        let text = String::from_utf8(out).unwrap();
        let share = |part: usize| part as f64 / f64::from(count);
        assert_eq!(text.matches(" NODATA\n").count(), nodata);
        assert_eq!(text.matches(" SKIPDATA\n").count(), skipdata);
        assert!((0.007..0.013).contains(&share(nodata + skipdata)));
        assert!((0.04..0.06).contains(&share(text.matches(" REJECT ").count())));
        assert!((0.02..0.04).contains(&share(
            text.lines().filter(|row| row.contains("2001:db8:")).count()
        )));
        let mut large = 0;
        let mut last_start = 0;
        for row in text.lines().filter(|row| row.ends_with(" OK")) {
            let values: Vec<&str> = row.split(' ').collect();
            let [packets, bytes, start, end] =
                [8, 9, 10, 11].map(|column| values[column].parse::<u64>().unwrap());
            assert!(end >= start && end < start + 60, "{row}");
            assert!(packets > 0 && bytes / packets <= 1_500, "{row}");
            large += usize::from(bytes > u64::from(u32::MAX));
            last_start = last_start.max(start);
        }
        assert!(large > 0);
        assert!(last_start >= START + 4 * WINDOW);
    }

    #[test]
    fn addresses_are_private_or_set_aside_for_documentation() {
        for format in [LogFormat::VpcV5, LogFormat::TransitGateway] {
            let header = Generator::new(format, 1, START).header().unwrap();
            let columns: Vec<usize> = header
                .split(' ')
                .enumerate()
                .filter(|(_, name)| name.ends_with("srcaddr") || name.ends_with("dstaddr"))
                .map(|(column, _)| column)
                .collect();
            for row in rows(format, 2, 20_000) {
                let values: Vec<&str> = row.split(' ').collect();
                for &column in &columns {
                    let value = values[column];
                    if value == "-" {
                        continue;
                    }
                    let known = match value.parse::<std::net::IpAddr>().unwrap() {
                        std::net::IpAddr::V4(address) => match address.octets() {
                            [10, ..] | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
                                true
                            }
                            [172, second, ..] => (16..32).contains(&second),
                            [100, second, ..] => (64..128).contains(&second),
                            [198, second, ..] => (18..20).contains(&second),
                            _ => false,
                        },
                        std::net::IpAddr::V6(address) => {
                            assert_eq!(address.to_string(), value);
                            address.segments()[..2] == [0x2001, 0xdb8]
                        }
                    };
                    assert!(known, "{row}");
                }
            }
        }
    }

    #[test]
    fn firewall_rows_are_json_of_the_documented_types() {
        for &format in LogFormat::ALL.iter().filter(|format| is_firewall(**format)) {
            for row in rows(format, 1, 3_000) {
                let value: serde_json::Value = serde_json::from_str(&row).unwrap();
                let event = &value["event"];
                assert!(event["src_ip"].is_string() && event["dest_ip"].is_string());
                assert_eq!(
                    value["event_timestamp"].is_u64(),
                    format == LogFormat::FirewallTls
                );
                let stamp = event["timestamp"].as_str().unwrap();
                match format {
                    LogFormat::FirewallTls => {
                        assert!(event["src_port"].is_string() && event["dest_port"].is_string());
                        assert!(stamp.ends_with('Z'));
                        assert_ne!(
                            event.get("tls_error").is_some(),
                            event.get("revocation_check").is_some()
                        );
                    }
                    LogFormat::FirewallAlert => {
                        assert!(stamp.ends_with("+0000"));
                        assert!(event["alert"]["signature_id"].is_u64());
                        assert!(event["verdict"]["action"].is_string());
                    }
                    _ => {
                        assert!(stamp.ends_with("+0000"));
                        assert!(event["netflow"]["bytes"].is_u64());
                        let has_ports = matches!(event["proto"].as_str(), Some("TCP" | "UDP"));
                        assert_eq!(event.get("src_port").is_some(), has_ports, "{row}");
                        assert_eq!(
                            event["tcp"]["tcp_flags"].is_string(),
                            event["proto"] == "TCP"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn timestamps_know_leap_years_and_year_ends() {
        for (seconds, expected) in [
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_795_191_931, "2026-11-20T16:25:31.000007Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000007Z"),
        ] {
            let mut out = Vec::new();
            timestamp(&mut out, Moment { seconds, micros: 7 }, b"Z");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
