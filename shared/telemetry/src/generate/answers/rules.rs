//! Security groups and network ACLs: what may pass.

use serde_json::{Value, json};

use super::super::estate::{ACCOUNT, SUBNETS_PER_VPC, VPCS};
use super::super::interface::Role;
use super::super::text::pick;
use super::{VPC_NAMES, id, subnet_id, vpc_id};

const ROLES: [(Role, &str, &[i64]); 5] = [
    (
        Role::Instance,
        "servers",
        &[80, 443, 3306, 5432, 6379, 9092, 9200],
    ),
    (Role::Node, "nodes", &[8080, 8443, 9090, 30_443]),
    (Role::Task, "tasks", &[3000, 8000, 8080]),
    (Role::LoadBalancer, "load balancers", &[443]),
    (Role::Endpoint, "endpoints", &[443]),
];

pub(super) fn group_id(vpc: u32, role: Role) -> String {
    id("sg", 0x6_1000, vpc * 16 + role as u32)
}

pub(super) fn security_groups() -> Vec<Value> {
    let group = |vpc: u32, (role, name, ports): (Role, &str, &[i64])| {
        let everywhere = json!([{"CidrIp": "0.0.0.0/0"}]);
        let ingress: Vec<Value> = ports
            .iter()
            .map(|port| {
                json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": everywhere,
                    "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
            })
            .collect();
        json!({
            "GroupId": group_id(vpc, role), "GroupName": name, "OwnerId": ACCOUNT, "VpcId": vpc_id(vpc),
            "Description": format!("{name} of {}", pick(&VPC_NAMES, vpc, "-")), "IpPermissions": ingress,
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": everywhere,
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}],
        })
    };
    let all = (0..VPCS).flat_map(|vpc| ROLES.iter().map(move |role| (vpc, *role)));
    all.map(|(vpc, role)| group(vpc, role)).collect()
}

pub(super) fn network_acl(vpc: u32) -> Value {
    let subnets: Vec<Value> = (0..SUBNETS_PER_VPC)
        .map(|subnet| json!({"SubnetId": subnet_id(vpc, subnet)}))
        .collect();
    let entry = |number: u32, egress: bool, action: &str, family: &str, block: &str| json!({"RuleNumber": number, "Egress": egress, "Protocol": "-1", "RuleAction": action, family: block});
    let mut entries = Vec::new();
    for egress in [false, true] {
        entries.push(entry(100, egress, "allow", "CidrBlock", "0.0.0.0/0"));
        entries.push(entry(101, egress, "allow", "Ipv6CidrBlock", "::/0"));
        entries.push(entry(32_767, egress, "deny", "CidrBlock", "0.0.0.0/0"));
        entries.push(entry(32_768, egress, "deny", "Ipv6CidrBlock", "::/0"));
    }
    json!({
        "NetworkAclId": id("acl", 0x7_1000, vpc), "VpcId": vpc_id(vpc), "OwnerId": ACCOUNT, "IsDefault": true,
        "Associations": subnets, "Entries": entries,
    })
}
