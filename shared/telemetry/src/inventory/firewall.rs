//! Network Firewall: firewalls with their endpoints and logs, policies, rule groups.

use serde_json::Value;

use super::read::{Row, entity};

entity! {
    /// A network firewall. Its id is its ARN.
    Firewall {
        /// Its name, which its logs have.
        firewall_name: Option<String> = "FirewallName",
        /// The attachment, when it is a transit gateway's.
        transit_gateway_attachment: Option<String> = "TransitGatewayAttachmentId",
        /// More, when it was told.
        details: Option<FirewallDetails> = (|_| None),
        /// Its logs, when they were told.
        logs: Option<Vec<FirewallLog>> = (|_| None),
    }

    /// A firewall as it is asked for by name.
    FirewallDetails {
        /// Its name.
        firewall_name: Option<String> = "Firewall.FirewallName",
        /// Its VPC.
        vpc: Option<String> = "Firewall.VpcId",
        /// Its transit gateway instead of a VPC.
        transit_gateway: Option<String> = "Firewall.TransitGatewayId",
        /// ARN of the policy.
        policy: Option<String> = "Firewall.FirewallPolicyArn",
        /// Its subnets.
        subnets: Vec<String> = "Firewall.SubnetMappings[].SubnetId",
        /// `READY` and others.
        state: Option<String> = "FirewallStatus.Status",
        /// Its endpoints, sorted by zone.
        endpoints: Vec<FirewallEndpoint> = (endpoints),
    }

    /// The endpoint of a firewall in a zone.
    FirewallEndpoint {
        /// The zone's name.
        zone: String = (|_| String::new()),
        /// Its subnet.
        subnet: Option<String> = "Attachment.SubnetId",
        /// The VPC endpoint that routes lead to.
        endpoint: Option<String> = "Attachment.EndpointId",
        /// `READY` and others.
        state: Option<String> = "Attachment.Status",
    }

    /// Where a firewall logs to, as it is asked for.
    FirewallLogging {
        /// The logs.
        logs: Vec<FirewallLog> = "LoggingConfiguration.LogDestinationConfigs",
    }

    /// A log of a firewall.
    FirewallLog {
        /// `ALERT`, `FLOW` or `TLS`.
        log_type: Option<String> = "LogType",
        /// `S3`, `CloudWatchLogs`, `KinesisDataFirehose`.
        destination_type: Option<String> = "LogDestinationType",
        /// The bucket, log group or stream.
        destination: Option<String> = ["LogDestination.bucketName", "LogDestination.logGroup", "LogDestination.deliveryStream"],
        /// Folder in the bucket.
        prefix: Option<String> = "LogDestination.prefix",
    }

    /// A firewall policy. Its id is its ARN.
    FirewallPolicy {
        /// Its name.
        policy_name: Option<String> = "Name",
        /// More, when it was told.
        details: Option<FirewallPolicyDetails> = (|_| None),
    }

    /// A firewall policy as it is asked for by name.
    FirewallPolicyDetails {
        /// Its name.
        policy_name: Option<String> = "FirewallPolicyResponse.FirewallPolicyName",
        /// `ACTIVE` and others.
        state: Option<String> = "FirewallPolicyResponse.FirewallPolicyStatus",
        /// Stateless rule groups.
        stateless: Vec<RuleGroupReference> = "FirewallPolicy.StatelessRuleGroupReferences",
        /// What happens to packets that no stateless rule fits.
        stateless_actions: Vec<String> = "FirewallPolicy.StatelessDefaultActions",
        /// Stateful rule groups.
        stateful: Vec<RuleGroupReference> = "FirewallPolicy.StatefulRuleGroupReferences",
        /// What happens to flows that no stateful rule fits.
        stateful_actions: Vec<String> = "FirewallPolicy.StatefulDefaultActions",
        /// `STRICT_ORDER` or `DEFAULT_ACTION_ORDER`.
        rule_order: Option<String> = "FirewallPolicy.StatefulEngineOptions.RuleOrder",
        /// ARN of how TLS is inspected.
        tls_inspection: Option<String> = "FirewallPolicy.TLSInspectionConfigurationArn",
    }

    /// A rule group that a policy names.
    RuleGroupReference {
        /// Its ARN.
        rule_group: Option<String> = "ResourceArn",
        /// Lower ones are tried first.
        priority: Option<i64> = "Priority",
        /// What its actions are replaced by: `DROP_TO_ALERT`.
        override_action: Option<String> = "Override.Action",
    }

    /// A rule group. Its id is its ARN.
    RuleGroup {
        /// Its name.
        group_name: Option<String> = ["Name", "RuleGroupResponse.RuleGroupName"],
        /// `STATELESS`, `STATEFUL` or `STATEFUL_DOMAIN`.
        group_type: Option<String> = "RuleGroupResponse.Type",
        /// `ACTIVE` and others.
        state: Option<String> = "RuleGroupResponse.RuleGroupStatus",
        /// How much of a policy's room it takes.
        capacity: Option<u32> = "RuleGroupResponse.Capacity",
    }
}

/// A map by zone becomes a list.
fn endpoints(row: Row<'_>) -> Vec<FirewallEndpoint> {
    let zones = row
        .value
        .get("FirewallStatus")
        .and_then(|s| s.get("SyncStates"));
    let mut endpoints: Vec<FirewallEndpoint> = zones
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(zone, state)| FirewallEndpoint {
            zone: zone.clone(),
            ..row.with(state).get(&[""])
        })
        .collect();
    endpoints.sort_by(|a, b| a.zone.cmp(&b.zone));
    endpoints
}
