//! A deterministic generator of realistic flow and firewall logs, for tests, demos and benchmarks.
//!
//! The same format, seed and start time give the same bytes on every platform and for ever: there
//! is no clock, no platform mathematics library and no foreign random number generator in here.
//!
//! The estate it invents: one account, three VPCs of eighteen subnets in six Availability Zones,
//! 5,000 network interfaces drawn by Zipf 1.05 and 100,000 far addresses drawn by Zipf 0.95. Rows
//! come in bursts of one interface, both directions of a connection close together. Public
//! addresses are from the ranges set aside for documentation and benchmarks.

mod alert;
mod answers;
mod estate;
mod far;
mod interface;
mod netflow;
pub mod parquet;
mod random;
mod text;
mod tls;
mod traffic;
mod transit_gateway;
mod vpc;

pub use answers::{ANSWERS_PATH, answers};
use estate::World;
use netflow::Netflow;
use random::Random;
use traffic::{Burst, burst_length};
use transit_gateway::TransitFlow;
use vpc::{HEADER_V3_TO_V5, HEADER_V7_TO_V11, VpcFlow};

use crate::flow::layout::{TRANSIT_GATEWAY_DEFAULT, VPC_DEFAULT};

/// Seconds of one aggregation window.
const WINDOW: u64 = 60;

/// Rows of one window: each interface that talks makes a few bursts in it.
const ROWS_PER_WINDOW: u32 = 20_000;

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

/// A row that was decided on and waits to be written.
#[derive(Debug, Clone, Copy)]
enum Record {
    Vpc(VpcFlow),
    TransitGateway(TransitFlow),
    Netflow(Netflow),
}

/// Writes an endless log of one format.
#[derive(Debug)]
pub struct Generator {
    format: LogFormat,
    random: Random,
    world: &'static World,
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
            world: World::of(format),
            burst: Burst::default(),
            window: start,
            rows_in_window: 0,
            pending: Vec::new(),
        }
    }

    /// The header line without its newline; firewall logs have none.
    pub fn header(&self) -> Option<String> {
        match self.format {
            LogFormat::VpcV2 => Some(VPC_DEFAULT.to_owned()),
            LogFormat::VpcV5 => Some(format!("{VPC_DEFAULT} {HEADER_V3_TO_V5}")),
            LogFormat::VpcV11 => Some(format!(
                "{VPC_DEFAULT} {HEADER_V3_TO_V5} {HEADER_V7_TO_V11}"
            )),
            LogFormat::TransitGateway => Some(TRANSIT_GATEWAY_DEFAULT.to_owned()),
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
}
