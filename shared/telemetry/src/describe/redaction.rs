//! Secrets are replaced before a row is kept, sent on or logged.
//!
//! Which members hold one, the catalogue says ([`Endpoint::secrets`]).

use serde_json::Value;

use super::catalogue::Endpoint;

/// What stands where a secret was.
pub const REDACTED: &str = "REDACTED";

/// Replaces the secrets of a row of the endpoint by [`REDACTED`], whatever their type. Members that
/// are absent or null stay so. Doing it again changes nothing.
pub fn redact(endpoint: &Endpoint, row: &mut Value) {
    for path in endpoint.secrets {
        redact_path(row, Some(path));
    }
}

/// Lists are gone through wherever they stand, with or without `[]` in the path: a secret that moves
/// into a list stays one.
fn redact_path(value: &mut Value, path: Option<&str>) {
    if let Value::Array(elements) = value {
        for element in elements {
            redact_path(element, path);
        }
        return;
    }
    let Some(path) = path else {
        if !value.is_null() {
            *value = Value::from(REDACTED);
        }
        return;
    };
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let name = name.strip_suffix("[]").unwrap_or(name);
    if let Some(member) = value.get_mut(name) {
        redact_path(member, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{self, CATALOGUE};
    use super::*;
    use serde_json::json;

    fn redacted(section: &str, mut row: Value) -> Value {
        let endpoint = catalogue::of_section(section).unwrap();
        redact(endpoint, &mut row);
        let once = row.clone();
        redact(endpoint, &mut row);
        assert_eq!(row, once);
        row
    }

    #[test]
    fn vpn_connections_lose_their_keys_and_nothing_else() {
        assert_eq!(
            redacted(
                "VpnConnections",
                json!({
                    "VpnConnectionId": "vpn-1",
                    "CustomerGatewayConfiguration": "<pre_shared_key>k1</pre_shared_key>",
                    "Options": {"EnableAcceleration": false, "TunnelOptions": [
                        {"OutsideIpAddress": "192.0.2.1", "PreSharedKey": "k1"},
                        {"OutsideIpAddress": "192.0.2.2", "PreSharedKey": {"Arn": "k2"}},
                        {"OutsideIpAddress": "192.0.2.3", "PreSharedKey": null},
                        {"OutsideIpAddress": "192.0.2.4"}]},
                })
            ),
            json!({
                "VpnConnectionId": "vpn-1",
                "CustomerGatewayConfiguration": "REDACTED",
                "Options": {"EnableAcceleration": false, "TunnelOptions": [
                    {"OutsideIpAddress": "192.0.2.1", "PreSharedKey": "REDACTED"},
                    {"OutsideIpAddress": "192.0.2.2", "PreSharedKey": "REDACTED"},
                    {"OutsideIpAddress": "192.0.2.3", "PreSharedKey": null},
                    {"OutsideIpAddress": "192.0.2.4"}]},
            })
        );
        let bare = json!({"VpnConnectionId": "vpn-1", "Options": null});
        assert_eq!(redacted("VpnConnections", bare.clone()), bare);
    }

    #[test]
    fn virtual_interfaces_lose_theirs_of_every_peer() {
        assert_eq!(
            redacted(
                "virtualInterfaces",
                json!({
                    "virtualInterfaceId": "dxvif-1", "authKey": "k", "customerRouterConfig": "<xml>k</xml>",
                    "bgpPeers": [{"bgpPeerId": "p1", "authKey": "k"}, {"bgpPeerId": "p2", "authKey": 7}],
                })
            ),
            json!({
                "virtualInterfaceId": "dxvif-1", "authKey": "REDACTED", "customerRouterConfig": "REDACTED",
                "bgpPeers": [{"bgpPeerId": "p1", "authKey": "REDACTED"}, {"bgpPeerId": "p2", "authKey": "REDACTED"}],
            })
        );
    }

    #[test]
    fn every_path_of_the_catalogue_is_followed() {
        for endpoint in CATALOGUE {
            for path in endpoint.secrets {
                let row = |secret: Value| {
                    path.rsplit('.')
                        .fold(secret, |value, name| match name.strip_suffix("[]") {
                            Some(name) => json!({name: [value]}),
                            None => json!({name: value}),
                        })
                };
                assert_eq!(
                    redacted(endpoint.section, row(json!("k"))),
                    row(json!(REDACTED))
                );
            }
        }
    }
}
