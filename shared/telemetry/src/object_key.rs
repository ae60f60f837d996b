//! What the key of a delivered log object tells.
//!
//! AWS's layouts ("Flow log files" in the *Amazon VPC User Guide*, "Amazon S3" under logging in the
//! *Network Firewall Developer Guide*), under any prefix:
//!
//! ```text
//! AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20[/16]/<file>
//! AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=11/day=20[/hour=16]/<file>
//! AWSLogs/123456789012/network-firewall/flow/us-east-1/<firewall>/2026/11/20/16/<file>
//! ```
//!
//! The key is a hint for names and partitions. What an object is, its content decides: Transit
//! Gateway flow logs even share the path of VPC flow logs.

use jiff::civil::DateTime;

/// The kind of log a key's path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// VPC or Transit Gateway flow logs.
    FlowLog,
    /// Network Firewall alert log.
    FirewallAlert,
    /// Network Firewall flow log.
    FirewallFlow,
    /// Network Firewall TLS log.
    FirewallTls,
}

/// What a key tells about the object, as far as it follows AWS's layouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectKey<'k> {
    /// What stands before `AWSLogs/`, without the slash; empty for none.
    pub prefix: &'k str,
    /// The account that created the log: 12 digits.
    pub account: &'k str,
    /// The region of the logged resource.
    pub region: &'k str,
    /// The kind of log.
    pub kind: KeyKind,
    /// The flow-log id (`fl-…`), or the firewall's name.
    pub source: &'k str,
    /// The start of the five minutes the file covers, in Unix seconds.
    pub time: Option<i64>,
}

impl<'k> ObjectKey<'k> {
    /// Reads a decoded key. `None` when it follows none of AWS's layouts.
    pub fn parse(key: &'k str) -> Option<ObjectKey<'k>> {
        let at = if key.starts_with("AWSLogs/") {
            0
        } else {
            key.find("/AWSLogs/")? + 1
        };
        let (prefix, path) = key.split_at_checked(at)?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let mut parts = path.split('/').skip(1);
        let mut part = parts.next()?;
        if is_organization(part) {
            part = parts.next()?;
        }
        let account = part.strip_prefix("aws-account-id=").unwrap_or(part);
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let service = parts.next()?;
        let service = service.strip_prefix("aws-").unwrap_or(service);
        let service = service.strip_prefix("service=").unwrap_or(service);
        let kind = match service {
            "vpcflowlogs" => KeyKind::FlowLog,
            "network-firewall" => match parts.next()? {
                "alert" => KeyKind::FirewallAlert,
                "flow" => KeyKind::FirewallFlow,
                "tls" => KeyKind::FirewallTls,
                _ => return None,
            },
            _ => return None,
        };
        let region = parts.next()?;
        let region = region.strip_prefix("aws-region=").unwrap_or(region);
        let folder = parts.clone().next()?;
        let file = parts.last()?;
        let source = match kind {
            KeyKind::FlowLog => file.split('_').find(|part| part.starts_with("fl-"))?,
            _ => folder,
        };
        let time = file.split('_').find_map(file_time);
        Some(ObjectKey {
            prefix,
            account,
            region,
            kind,
            source,
            time,
        })
    }
}

/// An organization id, which some set-ups insert after `AWSLogs/`.
fn is_organization(part: &str) -> bool {
    part.strip_prefix("o-")
        .is_some_and(|id| id.len() >= 10 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// `20261120T1620Z`, or `202611201620` as firewall logs have it.
fn file_time(part: &str) -> Option<i64> {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    if digits != 12 || part.len() > 14 {
        return None;
    }
    let format = match part.len() {
        12 => "%Y%m%d%H%M",
        14 => "%Y%m%dT%H%MZ",
        _ => return None,
    };
    let time = DateTime::strptime(format, part).ok()?;
    Some(
        time.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_second(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "123456789012_vpcflowlogs_us-east-1_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log.gz";

    #[test]
    fn flow_log_layouts_tell_the_same() {
        for path in [
            "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/",
            "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/16/",
            "AWSLogs/o-a1b2c3d4e5/123456789012/vpcflowlogs/us-east-1/2026/11/20/",
            "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=11/day=20/",
            "AWSLogs/aws-account-id=123456789012/service=vpcflowlogs/aws-region=us-east-1/year=2026/month=11/day=20/hour=16/",
        ] {
            for prefix in ["", "net/edge+1/", "/"] {
                let key = format!("{prefix}{path}{FILE}");
                let expected = ObjectKey {
                    prefix: prefix.strip_suffix('/').unwrap_or(prefix),
                    account: "123456789012",
                    region: "us-east-1",
                    kind: KeyKind::FlowLog,
                    source: "fl-0a1b2c3d4e5f60718",
                    time: Some(1_795_191_600),
                };
                assert_eq!(ObjectKey::parse(&key), Some(expected), "{key}");
            }
        }
    }

    #[test]
    fn firewall_names_may_look_like_anything() {
        let folder =
            "AWSLogs/123456789012/network-firewall/tls/eu-west-3/egress-2026-tls/2026/11/20/16/";
        for time in ["202611201620", "20261120T1620Z"] {
            let key = format!(
                "{folder}123456789012_network-firewall_tls_eu-west-3_egress-2026-tls_{time}_fe12.log.gz"
            );
            let parsed = ObjectKey::parse(&key).unwrap();
            assert_eq!(
                (parsed.kind, parsed.source),
                (KeyKind::FirewallTls, "egress-2026-tls")
            );
            assert_eq!(parsed.time, Some(1_795_191_600));
        }
    }

    #[test]
    fn other_keys_tell_nothing() {
        for key in [
            "",
            "AWSLogs/",
            "AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/20/x.json.gz",
            "AWSLogs/12345/vpcflowlogs/us-east-1/2026/11/20/x_fl-1_y.log.gz",
            "AWSLogs/123456789012/network-firewall/other/us-east-1/fw/x",
            "AWSLogs/123456789012/vpcflowlogs/us-east-1",
            "myAWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/x_fl-1_y.log.gz",
        ] {
            assert_eq!(ObjectKey::parse(key), None, "{key}");
        }
    }
}
