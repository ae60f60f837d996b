//! What identifies the elements of a list of objects.

use std::collections::HashSet;

use serde_json::Value;

/// Members that identify an element together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ElementKey {
    /// Each is one of several members; an element has the first of them that is there.
    required: Vec<Vec<&'static str>>,
    optional: &'static [&'static str],
    /// A member that no table knows.
    own: Option<String>,
}

/// What AWS's lists have, the most telling first: `|` between members of which an element has one, `.`
/// before a member of a member. The second list is of what an element may lack.
const KEYS: &[(&[&str], &[&str])] = &[
    // Tags, of EC2 and of Direct Connect.
    (&["Key|key"], &[]),
    // Entries of network ACLs.
    (&["RuleNumber", "Egress"], &[]),
    // Routes.
    (
        &["DestinationCidrBlock|DestinationIpv6CidrBlock|DestinationPrefixListId|PrefixListId"],
        &[],
    ),
    // Rules of security groups; "all protocols" has no ports.
    (&["IpProtocol"], &["FromPort", "ToPort"]),
    // Addresses and blocks, where the ids of associations say less.
    (&["CidrIp|CidrIpv6"], &[]),
    (&["CidrBlock|Ipv6CidrBlock|Cidr|cidr"], &[]),
    (&["Ipv4Prefix|Ipv6Prefix"], &[]),
    (&["Ipv6Address"], &[]),
    (&["NetworkInterfaceId"], &[]),
    (&["PrivateIpAddress|PrivateIp"], &[]),
    // Tunnels of VPN connections.
    (&["OutsideIpAddress"], &[]),
    // Associations name what they are of, which stays.
    (&["RouteTableAssociationId|NetworkAclAssociationId"], &[]),
    (&["TransitGatewayAttachmentId"], &[]),
    (&["InstanceId"], &[]),
    (&["GroupId"], &["UserId"]),
    (&["SubnetId"], &[]),
    (&["bgpPeerId"], &[]),
    // Sessions of Connect peers.
    (&["TransitGatewayAddress"], &["PeerAddress"]),
    // Load balancers: targets, zones, and of classic ones listeners, ports and policies.
    (&["Target.Id"], &["Target.Port", "Target.AvailabilityZone"]),
    (&["Listener.LoadBalancerPort"], &[]),
    (&["ZoneName"], &[]),
    (&["PolicyName"], &[]),
    (&["InstancePort"], &[]),
    // Network Firewall.
    (&["ResourceArn"], &[]),
    (&["LogType"], &["LogDestinationType"]),
    (&["Priority"], &[]),
    // Cloud WAN.
    (&["EdgeLocation"], &[]),
    (&["DeviceName|DnsName"], &[]),
    (&["Name|name"], &[]),
    // Actions of listeners.
    (&["Type"], &["Order"]),
];

impl ElementKey {
    /// What identifies the elements of both lists: all of them have it, and no two of a list the
    /// same. `None` when nothing does.
    pub(super) fn of(old: &[Value], new: &[Value]) -> Option<ElementKey> {
        let fits = |key: &ElementKey| [old, new].into_iter().all(|list| key.is_unique(list));
        let known = KEYS.iter().map(|(required, optional)| ElementKey {
            required: required.iter().map(|r| r.split('|').collect()).collect(),
            optional,
            own: None,
        });
        known
            .into_iter()
            .find(fits)
            .or_else(|| own_keys(old.first().or(new.first())?).find(fits))
    }

    fn is_unique(&self, list: &[Value]) -> bool {
        let mut seen = HashSet::with_capacity(list.len());
        list.iter()
            .all(|element| self.text(element).is_some_and(|key| seen.insert(key)))
    }

    /// The element's key; `None` when it lacks a part of it.
    pub(super) fn text(&self, element: &Value) -> Option<String> {
        let mut text = String::new();
        let mut add = |part: String| {
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(&part);
        };
        for members in &self.required {
            add(members.iter().find_map(|member| part(element, member))?);
        }
        for member in self.optional {
            if let Some(part) = part(element, member) {
                add(part);
            }
        }
        if let Some(member) = &self.own {
            add(part(element, member)?);
        }
        Some(text)
    }
}

/// Ids and ARNs that no table knows, by name. An owner does not tell what is owned.
fn own_keys(element: &Value) -> impl Iterator<Item = ElementKey> {
    let members = element.as_object();
    let mut names: Vec<&String> = members.into_iter().flat_map(|m| m.keys()).collect();
    let is_own = |name: &str| {
        ["Id", "Arn"].iter().any(|end| name.ends_with(end)) && !name.ends_with("OwnerId")
    };
    names.retain(|name| is_own(name));
    names.sort_unstable();
    names.into_iter().map(|name| ElementKey {
        required: Vec::new(),
        optional: &[],
        own: Some(name.clone()),
    })
}

fn part(element: &Value, path: &str) -> Option<String> {
    let value = path
        .split('.')
        .try_fold(element, |value, name| value.get(name))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(old: Value, new: Value) -> Vec<String> {
        let (old, new) = (old.as_array().unwrap(), new.as_array().unwrap());
        let key = ElementKey::of(old, new);
        let elements = old.iter().chain(new);
        elements
            .filter_map(|e| key.as_ref().map(|key| key.text(e).unwrap()))
            .collect()
    }

    #[test]
    fn lists_of_aws_have_the_keys_an_engineer_would_name() {
        for (elements, expected) in [
            (json!([{"Key": "Name", "Value": "a"}]), vec!["Name"]),
            (
                json!([{"RuleNumber": 100, "Egress": true}, {"RuleNumber": 100, "Egress": false}]),
                vec!["100/true", "100/false"],
            ),
            (
                json!([{"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "local"},
                    {"DestinationIpv6CidrBlock": "::/0"}, {"DestinationPrefixListId": "pl-1"}]),
                vec!["10.0.0.0/8", "::/0", "pl-1"],
            ),
            (
                json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}, {"IpProtocol": "-1"}]),
                vec!["tcp/443/443", "-1"],
            ),
            (
                json!([{"Target": {"Id": "i-1", "Port": 80}}, {"Target": {"Id": "i-1", "Port": 81}}]),
                vec!["i-1/80", "i-1/81"],
            ),
            (
                json!([{"TransitGatewayConnectThingId": "a"}, {"TransitGatewayConnectThingId": "b"}]),
                vec!["a", "b"],
            ),
            (
                json!([{"Type": "forward", "TargetGroupArn": "a", "Order": 1}, {"Type": "fixed-response"}]),
                vec!["forward/1", "fixed-response"],
            ),
            (json!([{"TransitGatewayOwnerId": "1"}]), vec![]),
            // Not unique, not everywhere, not a scalar.
            (json!([{"Key": "a"}, {"Key": "a"}]), vec![]),
            (json!([{"Key": "a"}, {"Other": "a"}]), vec![]),
            (json!([{"Key": null}]), vec![]),
            (json!([{"ThingId": ["a"]}]), vec![]),
        ] {
            assert_eq!(keys(elements.clone(), json!([])), expected, "{elements}");
            assert_eq!(keys(json!([]), elements.clone()), expected, "{elements}");
        }
    }

    #[test]
    fn a_block_that_stands_twice_falls_back_to_the_id() {
        let once = json!([{"CidrBlock": "10.0.0.0/16", "AssociationId": "a"}]);
        let twice = json!([{"CidrBlock": "10.0.0.0/16", "AssociationId": "a"},
            {"CidrBlock": "10.0.0.0/16", "AssociationId": "b"}]);
        assert_eq!(keys(once.clone(), once.clone())[0], "10.0.0.0/16");
        assert_eq!(keys(once, twice), ["a", "a", "b"]);
    }
}
