//! Diagnosis: what is wrong with a deployment, and what mends it.
//!
//! ```text
//! answers of AWS ─▶ Observations ─▶ checks ─▶ Finding: what, where, how bad, why it matters, what mends it
//!                        └────────▶ orders: the calls that switch missing flow logs on
//! ```
//!
//! Nothing here asks anybody: whoever holds credentials gathers [`Observations`], and [`diagnose`] concludes. What
//! could not be asked is a finding too. [`CHECKS`] is the table of everything that is looked for.

mod access;
pub mod arrival;
mod bucket;
mod check;
mod delivery_policy;
mod finding;
mod firewall_log;
mod flow_log;
mod observation;
mod remedy;

pub use check::{CHECKS, Check, CheckInfo, Severity};
pub use finding::Finding;
pub use flow_log::WANTED;
pub use observation::{
    AccountObservation, Answered, BucketObservation, DefaultEncryption, Deletion, Identity,
    Listing, MetadataObservation, Notifications, ObjectHead, Observations, RoleObservation, Route,
    Sample, UnitObservation,
};
pub use remedy::{FileFormat, FlowLogOrder, LogDestination, LoggedResource};

/// The sections that conclusions are drawn from: they are needed in full.
pub const SECTIONS: [&str; 8] = [
    "Regions",
    "Vpcs",
    "Subnets",
    "NetworkInterfaces",
    "FlowLogs",
    "TransitGateways",
    "Firewalls",
    "FirewallLoggingConfigurations",
];

/// What is concluded from the observations, the worst first, then in the order of [`CHECKS`]. `destination` is where
/// new flow logs would go.
pub fn diagnose(seen: &Observations, destination: &LogDestination) -> Vec<Finding> {
    let mut findings = vec![access::identity(seen)];
    findings.extend(
        seen.roles
            .iter()
            .filter_map(|role| access::role(seen, role)),
    );
    if let Some(why) = &seen.accounts_unlisted {
        findings.push(Finding::of(Check::AccountsUnlisted).what(why.clone()));
    }
    for account in &seen.accounts {
        findings.extend(access::regions(account));
        findings.extend(access::endpoints(account));
    }
    let buckets = seen.buckets.iter();
    findings.extend(buckets.flat_map(|at| bucket::findings(seen, at)));
    let metadata = seen.metadata.iter();
    findings.extend(metadata.map(|metadata| bucket::metadata(seen, metadata)));
    findings.extend(flow_log::findings(seen, destination));
    findings.extend(firewall_log::findings(seen, destination));
    findings.extend(arrival::findings(seen));
    findings.sort_by(|one, other| {
        let order = |finding: &Finding| {
            (
                std::cmp::Reverse(finding.severity()),
                finding.check,
                finding.account.clone(),
                finding.regions.clone(),
                finding.resource.clone(),
            )
        };
        order(one).cmp(&order(other))
    });
    findings
}

/// The calls that give a flow log to every VPC and transit gateway that sends none to a bucket.
pub fn missing_flow_logs(seen: &Observations, destination: &LogDestination) -> Vec<FlowLogOrder> {
    flow_log::orders(seen, destination)
}

#[cfg(test)]
mod tests;
