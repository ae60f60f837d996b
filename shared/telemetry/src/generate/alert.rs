//! Alert logs of Network Firewall.

use super::estate::Address;
use super::far::Place;
use super::text::{integer, pick, timestamp};
use super::traffic::client_port;
use super::{Generator, RowKind};

pub(super) const HOSTS: [&str; 10] = [
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

impl Generator {
    pub(super) fn firewall_alert(&mut self, out: &mut Vec<u8>) -> RowKind {
        let now = self.firewall_now();
        self.next_burst();
        let random = &mut self.random;
        let world = self.world;
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
}

/// A stateful rule that raises alerts.
#[derive(Debug, Clone, Copy)]
struct Rule {
    pub(super) alert: &'static str,
    pub(super) verdict: &'static str,
    pub(super) protocol: &'static str,
    pub(super) application: &'static str,
    pub(super) port: u16,
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
