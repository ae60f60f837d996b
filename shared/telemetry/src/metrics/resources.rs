//! Resources: what the dimensions of series name, as the inventory knows it.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalogue::{Catalogue, Join, JoinBy, Namespace};
use super::datapoint::Measured;
use super::series::Series;
use crate::inventory::{Inventory, InventoryRow, Kind};

/// The sections of snapshots that hold the resources of a kind.
const SECTIONS: &[(Kind, &[&str])] = &[
    (Kind::CoreNetwork, &["CoreNetworks"]),
    (Kind::CoreNetworkAttachment, &["Attachments"]),
    (Kind::DirectConnectConnection, &["connections"]),
    (Kind::Endpoint, &["VpcEndpoints"]),
    (Kind::EndpointService, &["ServiceConfigurations"]),
    (Kind::Firewall, &["Firewalls"]),
    (Kind::Instance, &["Reservations"]),
    (Kind::Lag, &["lags"]),
    (
        Kind::LoadBalancer,
        &["LoadBalancers", "LoadBalancerDescriptions"],
    ),
    (Kind::NatGateway, &["NatGateways"]),
    (Kind::TargetGroup, &["TargetGroups"]),
    (Kind::TransitGateway, &["TransitGateways"]),
    (
        Kind::TransitGatewayAttachment,
        &["TransitGatewayAttachments"],
    ),
    (Kind::VirtualInterface, &["virtualInterfaces"]),
    (Kind::Vpc, &["Vpcs"]),
    (Kind::VpnConnection, &["VpnConnections"]),
];

/// Whether a section of snapshots holds resources that metrics are about.
pub fn is_about(section: &str) -> bool {
    let mut kinds = SECTIONS.iter();
    kinds.any(|(_, sections)| sections.contains(&section))
}

/// States of resources that are gone and that AWS still describes for a while.
const GONE: &[&str] = &["deleted", "terminated"];

/// What a series is a metric of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The inventory has it, or does not have its kind.
    Known(Arc<Measured>),
    /// The inventory does not have it.
    Unknown {
        /// What the dimension says.
        named: Arc<Measured>,
        /// Since when, Unix seconds, it was not there when all of its kind were asked for; `None` when that is not known.
        absent: Option<i64>,
    },
    /// The dimensions name nothing.
    Nothing,
}

impl Found {
    /// What there is to say of it.
    pub fn measured(&self) -> Option<&Arc<Measured>> {
        match self {
            Found::Known(measured)
            | Found::Unknown {
                named: measured, ..
            } => Some(measured),
            Found::Nothing => None,
        }
    }

    /// Whether a series that was first listed at `first_listed` has no datapoints from `time` on, both Unix seconds: it was
    /// known before its resource was found to be gone, which was before that time.
    pub fn is_gone(&self, first_listed: i64, time: i64) -> bool {
        match self {
            Found::Unknown {
                absent: Some(absent),
                ..
            } => first_listed <= *absent && *absent <= time,
            _ => false,
        }
    }
}

/// The resources of one kind.
#[derive(Debug, Default)]
struct Shelf {
    /// By what dimensions call them.
    resources: HashMap<String, Arc<Measured>>,
    /// When all of them were last asked for and given, Unix seconds.
    observed: Option<i64>,
}

/// The resources of an account and region, by what dimensions call them.
#[derive(Debug, Default)]
pub struct Resources(HashMap<&'static str, Shelf>);

impl Resources {
    /// The resources of an inventory that metrics of the catalogue are about. `observed` says when all rows of a section of
    /// the snapshot were last given, Unix seconds; `None` when they were not all given.
    pub fn new(
        catalogue: &Catalogue,
        inventory: &Inventory,
        observed: impl Fn(&str) -> Option<i64>,
    ) -> Resources {
        let mut shelves: HashMap<&'static str, Shelf> = HashMap::new();
        let joins = catalogue.namespaces().iter().flat_map(|n| &n.joins);
        for join in joins.filter(|join| join.by != JoinBy::Itself) {
            let Some(kind) = Kind::named(join.kind) else {
                continue;
            };
            let shelf = shelves.entry(join.kind).or_insert_with(|| Shelf {
                resources: HashMap::new(),
                observed: all_observed(kind, &observed),
            });
            if join.by == JoinBy::TunnelAddress {
                shelf.add_tunnels(inventory);
                continue;
            }
            for row in inventory.rows(kind) {
                if let Some(name) = name_of(join, &row) {
                    shelf.add(name.to_owned(), &row);
                }
            }
        }
        Resources(shelves)
    }

    /// Whether a namespace can have metrics: not when all resources that they would be about were asked for, at `time` or
    /// later, Unix seconds, and there are none.
    pub fn may_have(&self, namespace: &Namespace, time: i64) -> bool {
        namespace
            .joins
            .iter()
            .any(|join| match self.0.get(join.kind) {
                Some(shelf) => {
                    !shelf.resources.is_empty() || shelf.observed.is_none_or(|at| at < time)
                }
                None => true,
            })
    }

    /// What a series of a namespace is a metric of: the first dimension of the namespace's joins that it has says it.
    pub fn find(&self, namespace: &Namespace, series: &Series) -> Found {
        let mut named: Option<(&Join, &str)> = None;
        let mut absent = Some(i64::MAX);
        for join in &namespace.joins {
            let Some(value) = series.dimension(&join.dimension) else {
                continue;
            };
            if named.is_some_and(|(first, _)| first.dimension != join.dimension) {
                break;
            }
            named.get_or_insert((join, value));
            if join.by == JoinBy::Itself {
                return Found::Known(bare(join, value));
            }
            let shelf = self.0.get(join.kind);
            if let Some(measured) = shelf.and_then(|shelf| shelf.resources.get(value)) {
                return Found::Known(Arc::clone(measured));
            }
            let observed = shelf.and_then(|shelf| shelf.observed);
            absent = absent.zip(observed).map(|(all, one)| all.min(one));
        }
        match named {
            None => Found::Nothing,
            Some((join, value)) => Found::Unknown {
                named: bare(join, value),
                // Of a linked account nothing was asked.
                absent: absent.filter(|_| series.owner.is_none()),
            },
        }
    }
}

/// When all resources of a kind were last given.
fn all_observed(kind: Kind, observed: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    let (_, sections) = SECTIONS.iter().find(|(of, _)| *of == kind)?;
    let times = sections.iter().map(|section| observed(section));
    times.collect::<Option<Vec<i64>>>()?.into_iter().min()
}

/// What dimensions call a resource.
fn name_of<'i>(join: &Join, row: &InventoryRow<'i>) -> Option<&'i str> {
    match &join.by {
        JoinBy::Id => Some(row.id),
        JoinBy::ArnEnd(end) => row.id.rsplit_once(end.as_str()).map(|(_, name)| name),
        JoinBy::TunnelAddress | JoinBy::Itself => None,
    }
}

/// A resource of which only a dimension tells.
fn bare(join: &Join, value: &str) -> Arc<Measured> {
    Arc::new(Measured {
        kind: join.kind,
        id: value.to_owned(),
        ..Measured::default()
    })
}

impl Shelf {
    fn add(&mut self, name: String, row: &InventoryRow<'_>) {
        if row.state.is_some_and(|state| GONE.contains(&state)) {
            return;
        }
        let tags = row.tags.iter();
        let measured = Measured {
            kind: row.kind.label(),
            id: row.id.to_owned(),
            name: row.name.map(str::to_owned),
            owner: row.account.map(str::to_owned),
            vpc: row.vpc.map(str::to_owned),
            tags: tags
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        };
        self.resources.insert(name, Arc::new(measured));
    }

    fn add_tunnels(&mut self, inventory: &Inventory) {
        for connection in &inventory.vpn_connections {
            let row = connection.row(Kind::VpnConnection);
            for tunnel in &connection.tunnels {
                if let Some(address) = tunnel.outside {
                    self.add(address.to_string(), &row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{InventoryBuilder, Origin};
    use serde_json::json;

    fn inventory() -> Inventory {
        let mut builder = InventoryBuilder::new();
        let origin = Origin {
            account: Some("111111111111".into()),
            region: Some("us-east-1".into()),
            ..Origin::default()
        };
        builder.add(
            &json!({
                "NatGateways": [
                    {"NatGatewayId": "nat-1", "VpcId": "vpc-1", "State": "available", "Tags": [{"Key": "Name", "Value": "egress"}, {"Key": "team", "Value": "net"}]},
                    {"NatGatewayId": "nat-2", "VpcId": "vpc-1", "State": "deleted"},
                ],
                "LoadBalancers": [{
                    "LoadBalancerArn": "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/web/0123456789abcdef",
                    "LoadBalancerName": "web", "Type": "application", "VpcId": "vpc-1",
                }],
                "VpnConnections": [{"VpnConnectionId": "vpn-1", "State": "available",
                    "Options": {"TunnelOptions": [{"OutsideIpAddress": "192.0.2.7"}]}}],
            }),
            origin,
        );
        builder.finish()
    }

    fn resources(observed: &[(&str, i64)]) -> Resources {
        let at = |section: &str| {
            let mut known = observed.iter();
            Some(known.find(|(name, _)| *name == section)?.1)
        };
        Resources::new(Catalogue::get().unwrap(), &inventory(), at)
    }

    fn find(resources: &Resources, namespace: &str, dimensions: &[(&str, &str)]) -> Found {
        let series = Series {
            owner: None,
            namespace: namespace.into(),
            metric: "x".into(),
            dimensions: dimensions
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        };
        let namespace = Catalogue::get().unwrap().of(namespace).unwrap();
        resources.find(namespace, &series)
    }

    #[test]
    fn dimensions_name_what_the_inventory_has() {
        let resources = resources(&[]);
        let found = find(&resources, "AWS/NATGateway", &[("NatGatewayId", "nat-1")]);
        let measured = found.measured().unwrap();
        assert_eq!(
            (measured.kind, measured.name.as_deref()),
            ("nat-gateway", Some("egress"))
        );
        assert_eq!(
            (measured.owner.as_deref(), measured.vpc.as_deref()),
            (Some("111111111111"), Some("vpc-1"))
        );
        assert_eq!(measured.tags[1], ("team".to_owned(), "net".to_owned()));
        for (namespace, dimension, value, id) in [
            (
                "AWS/ApplicationELB",
                "LoadBalancer",
                "app/web/0123456789abcdef",
                "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/web/0123456789abcdef",
            ),
            ("AWS/VPN", "TunnelIpAddress", "192.0.2.7", "vpn-1"),
            ("AWS/S3", "BucketName", "logs", "logs"),
        ] {
            let found = find(&resources, namespace, &[(dimension, value)]);
            assert!(
                matches!(&found, Found::Known(measured) if measured.id == id),
                "{found:?}"
            );
        }
        assert_eq!(find(&resources, "AWS/EC2", &[]), Found::Nothing);
    }

    #[test]
    fn what_is_gone_is_known_by_a_complete_answer_after_it_was_listed() {
        let nat =
            |resources: &Resources, id| find(resources, "AWS/NATGateway", &[("NatGatewayId", id)]);
        for id in ["nat-2", "nat-3"] {
            let unasked = nat(&resources(&[]), id);
            assert!(!unasked.is_gone(0, i64::MAX));
            assert_eq!(unasked.measured().unwrap().id, id);
            let found = nat(&resources(&[("NatGateways", 1_000)]), id);
            assert!(found.is_gone(900, 1_000));
            // It may have been made since it was asked for.
            assert!(!found.is_gone(1_001, 2_000));
            // It was there for part of the time.
            assert!(!found.is_gone(900, 999));
        }
        assert!(!nat(&resources(&[("NatGateways", 1_000)]), "nat-1").is_gone(0, i64::MAX));
    }

    #[test]
    fn namespaces_without_resources_have_no_metrics() {
        let catalogue = Catalogue::get().unwrap();
        let may_have = |resources: &Resources, name: &str, time: i64| {
            resources.may_have(catalogue.of(name).unwrap(), time)
        };
        let asked = resources(&[
            ("NatGateways", 1_000),
            ("TransitGateways", 1_000),
            ("TransitGatewayAttachments", 1_000),
        ]);
        assert!(may_have(&asked, "AWS/NATGateway", 0));
        assert!(!may_have(&asked, "AWS/TransitGateway", 500));
        assert!(may_have(&asked, "AWS/TransitGateway", 1_001));
        assert!(may_have(
            &resources(&[("TransitGateways", 1_000)]),
            "AWS/TransitGateway",
            0
        ));
        assert!(may_have(&asked, "AWS/S3", 0));
    }
}
