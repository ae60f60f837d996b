//! Secrets are replaced before a row is stored, compared or logged.

use serde_json::Value;

use super::catalogue::Endpoint;

/// What stands in the place of a secret.
pub const REDACTED: &str = "REDACTED";

/// Replaces the values of the endpoint's secret members in a row. Members that are absent or null
/// stay so.
pub fn redact(endpoint: &Endpoint, row: &mut Value) {
    for path in endpoint.secrets {
        redact_path(row, path);
    }
}

fn redact_path(value: &mut Value, path: &str) {
    let (member, rest) = path
        .split_once('.')
        .map_or((path, None), |(m, r)| (m, Some(r)));
    let (name, listed) = match member.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (member, false),
    };
    let Some(found) = value.get_mut(name).filter(|found| !found.is_null()) else {
        return;
    };
    match (rest, listed, found) {
        (Some(rest), true, Value::Array(items)) => {
            items.iter_mut().for_each(|item| redact_path(item, rest));
        }
        (Some(rest), false, found) => redact_path(found, rest),
        (_, _, found) => *found = Value::from(REDACTED),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::of_section;
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_replaced_wherever_a_row_has_them() {
        for (section, row, expected) in [
            (
                "VpnConnections",
                json!({"VpnConnectionId": "vpn-1", "CustomerGatewayConfiguration": "<psk/>",
                       "Options": {"EnableAcceleration": true, "TunnelOptions": [
                           {"OutsideIpAddress": "192.0.2.1", "PreSharedKey": "x"}, {"PreSharedKey": null}, {}]}}),
                json!({"VpnConnectionId": "vpn-1", "CustomerGatewayConfiguration": "REDACTED",
                       "Options": {"EnableAcceleration": true, "TunnelOptions": [
                           {"OutsideIpAddress": "192.0.2.1", "PreSharedKey": "REDACTED"}, {"PreSharedKey": null}, {}]}}),
            ),
            (
                "virtualInterfaces",
                json!({"authKey": "x", "bgpPeers": [{"authKey": 7, "asn": 1}], "customerRouterConfig": {"a": "x"}}),
                json!({"authKey": "REDACTED", "bgpPeers": [{"authKey": "REDACTED", "asn": 1}], "customerRouterConfig": "REDACTED"}),
            ),
            // A list that is none is not looked into, and is not let through either.
            (
                "virtualInterfaces",
                json!({"bgpPeers": "x"}),
                json!({"bgpPeers": "REDACTED"}),
            ),
        ] {
            let endpoint = of_section(section).unwrap();
            let mut redacted = row;
            redact(endpoint, &mut redacted);
            assert_eq!(redacted, expected);
            redact(endpoint, &mut redacted);
            assert_eq!(redacted, expected, "again");
        }
    }
}
