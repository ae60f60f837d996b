//! OCSF's enumerations, as far as events use them: numbers and their captions.

/// Numbers and their captions.
pub(super) type Captions = &'static [(i64, &'static str)];

pub(super) const ACTIVITIES: Captions =
    &[(0, "Unknown"), (4, "Fail"), (5, "Refuse"), (6, "Traffic")];

/// The names of `type_uid`, by activity.
pub(super) const TYPES: Captions = &[
    (0, "Network Activity: Unknown"),
    (4, "Network Activity: Fail"),
    (5, "Network Activity: Refuse"),
    (6, "Network Activity: Traffic"),
];

pub(super) const SEVERITIES: Captions =
    &[(1, "Informational"), (2, "Low"), (3, "Medium"), (4, "High")];

pub(super) const STATUSES: Captions = &[(0, "Unknown"), (1, "Success"), (2, "Failure")];

pub(super) const ACTIONS: Captions = &[(0, "Unknown"), (1, "Allowed"), (2, "Denied")];

pub(super) const DISPOSITIONS: Captions = &[
    (0, "Unknown"),
    (1, "Allowed"),
    (2, "Blocked"),
    (6, "Dropped"),
    (19, "Alert"),
];

pub(super) const DIRECTIONS: Captions = &[(0, "Unknown"), (1, "Inbound"), (2, "Outbound")];

pub(super) const BOUNDARIES: Captions = &[
    (0, "Unknown"),
    (4, "Same VPC"),
    (5, "Internet/VPC Gateway"),
    (6, "Virtual Private Gateway"),
    (7, "Intra-region VPC"),
    (8, "Inter-region VPC"),
    (9, "Local Gateway"),
    (10, "Gateway VPC"),
    (11, "Internet Gateway"),
];

/// The number and caption of accounts of AWS.
pub(super) const AWS_ACCOUNT: (i64, &str) = (10, "AWS Account");

/// The number of what an enumeration does not have; the text beside it is the source's own.
pub(super) const OTHER: i64 = 99;

/// Types of endpoints, by the type of the resource that enrichment names. All others are 99.
pub(super) const ENDPOINTS: &[(&str, (i64, &str))] = &[
    ("instance", (6, "Virtual")),
    ("eks-node", (6, "Virtual")),
    ("application-load-balancer", (15, "Load Balancer")),
    ("network-load-balancer", (15, "Load Balancer")),
    ("gateway-load-balancer", (15, "Load Balancer")),
    ("classic-load-balancer", (15, "Load Balancer")),
    ("load-balancer", (15, "Load Balancer")),
    ("firewall-endpoint", (9, "Firewall")),
    ("workspaces", (2, "Desktop")),
];

/// The caption of a number.
pub(super) fn caption(captions: Captions, number: i64) -> &'static str {
    let found = captions.iter().find(|(known, _)| *known == number);
    found.map_or("Other", |(_, caption)| caption)
}
