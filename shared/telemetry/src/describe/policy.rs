//! The IAM policies that the catalogue takes: the least that lets every call through.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::catalogue::CATALOGUE;
use crate::metrics::{discovery, reading};

/// The actions of the catalogue, sorted.
pub fn actions() -> BTreeSet<String> {
    CATALOGUE.iter().map(|endpoint| endpoint.action()).collect()
}

/// The policy of a role that reads an account. Most of these calls take no narrower resource than `*`. Those that do, of
/// Direct Connect, Network Firewall, Network Manager, prefix lists and route tables of transit gateways, take single ones,
/// which are what is to be found out ("Actions, resources, and condition keys for AWS services", *Service Authorization
/// Reference*).
pub fn reader() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "ReadNetworkMetadata",
            "Effect": "Allow",
            "Action": actions().into_iter().collect::<Vec<_>>(),
            "Resource": "*",
        }],
    })
}

/// The policy of a role that reads an account's metrics too. Neither call takes a narrower resource than `*`.
pub fn reader_of_metrics() -> Value {
    let mut policy = reader();
    let statements = policy.get_mut("Statement").and_then(Value::as_array_mut);
    if let Some(statements) = statements {
        let operations = [discovery::OPERATION, reading::OPERATION];
        let mut actions = operations.map(|operation| format!("cloudwatch:{operation}"));
        actions.sort();
        statements.push(json!({
            "Sid": "ReadMetrics",
            "Effect": "Allow",
            "Action": actions,
            "Resource": "*",
        }));
    }
    policy
}

/// The policy of a role that assumes these roles, beside what else it may do. `roles` are ARNs, and
/// may hold `*` for the account.
pub fn assuming(roles: &[String]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "AssumeReaders",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": roles,
        }],
    })
}

/// The trust policy of a role that an account's role may assume.
///
/// The principal is the account, narrowed to the role by a condition: naming the role itself would
/// break the trust when it is deleted and made again ("AWS JSON policy elements: Principal", *IAM
/// User Guide*).
pub fn trust(partition: &str, account: &str, role: &str, external_id: Option<&str>) -> Value {
    let mut condition = json!({"ArnEquals": {"aws:PrincipalArn": role}});
    if let (Some(id), Some(conditions)) = (external_id, condition.as_object_mut()) {
        conditions.insert("StringEquals".into(), json!({"sts:ExternalId": id}));
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:{partition}:iam::{account}:root")},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_take_two_actions_more() {
        let policy = reader_of_metrics();
        let statement = &policy["Statement"][1];
        let actions = json!(["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]);
        assert_eq!(
            (&statement["Sid"], &statement["Action"]),
            (&json!("ReadMetrics"), &actions)
        );
        assert_eq!(policy["Statement"][0], reader()["Statement"][0]);
    }

    #[test]
    fn the_policy_allows_every_call_and_nothing_else() {
        let actions = actions();
        // Both load balancer APIs share an action.
        assert_eq!(actions.len(), CATALOGUE.len() - 1);
        assert!(
            actions
                .iter()
                .all(|action| !action.contains('*') && action.contains(':'))
        );
        for action in [
            "ec2:DescribeVpcs",
            "networkmanager:GetNetworkRoutes",
            "iam:ListAccountAliases",
        ] {
            assert!(actions.contains(action), "{action}");
        }
        let changing = |action: &str| {
            let name = action.split(':').nth(1).unwrap();
            !["Describe", "List", "Get", "Search"]
                .iter()
                .any(|verb| name.starts_with(verb))
        };
        assert!(!actions.iter().any(|action| changing(action)));
        // A managed policy holds 6,144 characters, spaces not counted.
        assert!(
            reader().to_string().len() < 6144,
            "{}",
            reader().to_string().len()
        );
    }

    #[test]
    fn trust_is_narrowed_to_a_role_and_an_external_id() {
        let trust = trust(
            "aws",
            "111111111111",
            "arn:aws:iam::111111111111:role/x",
            Some("id-1"),
        );
        let statement = &trust["Statement"][0];
        assert_eq!(
            statement["Principal"]["AWS"],
            "arn:aws:iam::111111111111:root"
        );
        assert_eq!(
            statement["Condition"],
            json!({
                "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/x"},
                "StringEquals": {"sts:ExternalId": "id-1"},
            })
        );
    }
}
