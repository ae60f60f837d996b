use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// An interface in a VPC of a region: `at("vpc-1", "us-east-1", "use1-az1")`.
pub(in crate::enrichment) fn at(
    vpc: &'static str,
    region: &'static str,
    zone: &'static str,
) -> End<'static> {
    End {
        place: Place::Vpc,
        kind: InterfaceKind::Plain,
        vpc: Some(vpc),
        region: Some(region),
        zone: Some(zone),
        service: None,
    }
}

pub(in crate::enrichment) fn public() -> End<'static> {
    End {
        place: Place::Public,
        ..End::default()
    }
}

pub(in crate::enrichment) fn elastic(region: &'static str) -> End<'static> {
    End {
        place: Place::OwnPublic,
        kind: InterfaceKind::Plain,
        region: Some(region),
        ..End::default()
    }
}

pub(in crate::enrichment) fn service(
    name: &'static str,
    region: Option<&'static str>,
) -> End<'static> {
    End {
        place: Place::AwsService,
        region,
        service: Some(name),
        ..End::default()
    }
}

pub(in crate::enrichment) fn outside_of_aws(hybrid: Hybrid) -> End<'static> {
    End {
        place: Place::OnPremises(hybrid),
        ..End::default()
    }
}

pub(in crate::enrichment) fn a() -> End<'static> {
    at("vpc-1", "us-east-1", "use1-az1")
}

pub(in crate::enrichment) fn b() -> End<'static> {
    at("vpc-1", "us-east-1", "use1-az2")
}

/// Another VPC of the region, in the zone of `b`.
pub(in crate::enrichment) fn c() -> End<'static> {
    at("vpc-2", "us-east-1", "use1-az2")
}

/// A VPC of another region.
pub(in crate::enrichment) fn d() -> End<'static> {
    at("vpc-3", "us-east-2", "use2-az1")
}

pub(in crate::enrichment) fn of_kind(end: End<'static>, kind: InterfaceKind) -> End<'static> {
    End { kind, ..end }
}

/// What leaves `here` for `far`.
pub(in crate::enrichment) fn egress(here: End<'static>, far: End<'static>) -> Sighting<'static> {
    Sighting {
        log: Log::Vpc,
        direction: FlowDirection::Egress,
        rejected: false,
        path: None,
        here,
        source: here,
        destination: far,
        hop: None,
        route: RouteTarget::Unknown,
        gateway_logged: true,
    }
}

/// What comes to `here` from `far`.
pub(in crate::enrichment) fn ingress(here: End<'static>, far: End<'static>) -> Sighting<'static> {
    Sighting {
        direction: FlowDirection::Ingress,
        source: far,
        destination: here,
        ..egress(here, far)
    }
}

impl Sighting<'static> {
    pub(in crate::enrichment) fn path(self, path: u8) -> Self {
        Sighting {
            path: Some(path),
            ..self
        }
    }

    pub(in crate::enrichment) fn route(self, route: RouteTarget) -> Self {
        Sighting { route, ..self }
    }

    pub(in crate::enrichment) fn hop(self, end: End<'static>, by: HopSource) -> Self {
        Sighting {
            hop: Some(Hop { end, by }),
            ..self
        }
    }

    pub(in crate::enrichment) fn log(self, log: Log) -> Self {
        Sighting { log, ..self }
    }

    pub(in crate::enrichment) fn unlogged(self) -> Self {
        Sighting {
            gateway_logged: false,
            ..self
        }
    }
}

pub(in crate::enrichment) const fn tgw(entered: Attachment, left: Attachment) -> Log {
    Log::TransitGateway { entered, left }
}

/// A case: what it is, its sighting, and its classes.
type Case = (&'static str, Sighting<'static>, (Via, Scope, Confidence));

fn cases() -> Vec<Case> {
    use Confidence::{High, Low, Medium};
    use InterfaceKind as Kind;
    let nat = of_kind(b(), Kind::NatGateway);
    let regional = of_kind(End { zone: None, ..b() }, Kind::RegionalNatGateway);
    let gateway = of_kind(a(), Kind::TransitGateway);
    let endpoint = of_kind(b(), Kind::VpcEndpoint);
    let appliances = of_kind(a(), Kind::GatewayLoadBalancerEndpoint);
    let firewall = of_kind(a(), Kind::FirewallEndpoint);
    let balancer = of_kind(b(), Kind::LoadBalancer);
    let zoneless = End { zone: None, ..b() };
    let s3 = service("S3", Some("us-east-1"));
    let local_zone = at("vpc-1", "us-east-1", "use1-bos1-az1");
    vec![
        // Egress, by traffic-path.
        (
            "path 1 to the same zone",
            egress(a(), a()).path(1),
            (Via::Vpc, Scope::IntraAz, High),
        ),
        (
            "path 1 to another zone",
            egress(a(), b()).path(1),
            (Via::Vpc, Scope::InterAz, High),
        ),
        (
            "path 1 to an unknown zone",
            egress(a(), zoneless).path(1),
            (Via::Vpc, Scope::IntraRegion, High),
        ),
        (
            "path 1 to a load balancer",
            egress(a(), balancer).path(1),
            (Via::Vpc, Scope::InterAz, High),
        ),
        (
            "path 1 to a Local Zone",
            egress(a(), local_zone).path(1),
            (Via::Vpc, Scope::EdgeZone, High),
        ),
        (
            "path 1 to the NAT gateway of another zone, by the route",
            egress(a(), public())
                .path(1)
                .route(RouteTarget::NatGateway)
                .hop(nat, HopSource::Route),
            (Via::NatGateway, Scope::InterAz, Medium),
        ),
        (
            "path 1 to a NAT gateway of unknown place",
            egress(a(), public()).path(1).route(RouteTarget::NatGateway),
            (Via::NatGateway, Scope::IntraRegion, Medium),
        ),
        (
            "path 1 to the NAT gateway that the record names",
            egress(a(), public()).path(1).hop(nat, HopSource::Record),
            (Via::NatGateway, Scope::InterAz, High),
        ),
        (
            "path 1 to a regional NAT gateway",
            egress(a(), public())
                .path(1)
                .route(RouteTarget::NatGateway)
                .hop(regional, HopSource::Route),
            (Via::NatGateway, Scope::IntraAz, Medium),
        ),
        (
            "path 1 to a transit gateway and another zone",
            egress(a(), c()).path(1).hop(gateway, HopSource::Address),
            (Via::TransitGateway, Scope::InterAz, High),
        ),
        (
            "path 1 to a transit gateway and another region",
            egress(a(), d()).path(1).route(RouteTarget::TransitGateway),
            (Via::TransitGatewayPeering, Scope::InterRegion, Medium),
        ),
        (
            "path 1 to a transit gateway and out of AWS",
            egress(a(), outside_of_aws(Hybrid::Vpn))
                .path(1)
                .route(RouteTarget::TransitGateway),
            (Via::TransitGateway, Scope::OnPremises, Medium),
        ),
        (
            "path 1 to a transit gateway and the internet",
            egress(a(), public())
                .path(1)
                .route(RouteTarget::TransitGateway),
            (Via::TransitGateway, Scope::Internet, Medium),
        ),
        (
            "path 1 to an interface endpoint",
            egress(a(), endpoint).path(1),
            (Via::InterfaceEndpoint, Scope::InterAz, High),
        ),
        (
            "path 1 to a Gateway Load Balancer endpoint",
            egress(a(), public())
                .path(1)
                .hop(appliances, HopSource::Record),
            (Via::GatewayLoadBalancerEndpoint, Scope::Internet, High),
        ),
        (
            "path 1 to a firewall, also between two subnets",
            egress(a(), b())
                .path(1)
                .route(RouteTarget::FirewallEndpoint)
                .hop(firewall, HopSource::Route),
            (Via::NetworkFirewall, Scope::InterAz, Medium),
        ),
        (
            "path 1 to an appliance",
            egress(a(), public()).path(1).hop(b(), HopSource::Record),
            (Via::Appliance, Scope::Internet, High),
        ),
        (
            "path 1 to a core network",
            egress(a(), d()).path(1).route(RouteTarget::CoreNetwork),
            (Via::CoreNetwork, Scope::InterRegion, Medium),
        ),
        (
            "path 1 to the local gateway of an Outpost",
            egress(a(), outside_of_aws(Hybrid::Either))
                .path(1)
                .route(RouteTarget::LocalGateway),
            (Via::LocalGateway, Scope::OnPremises, Medium),
        ),
        (
            "path 1 to an address of the VPC that nobody has",
            egress(a(), End::default())
                .path(1)
                .route(RouteTarget::Local),
            (Via::Vpc, Scope::IntraRegion, Medium),
        ),
        (
            "path 1 with a route that says otherwise",
            egress(a(), public())
                .path(1)
                .route(RouteTarget::InternetGateway),
            (Via::Unknown, Scope::Internet, Low),
        ),
        (
            "path 2 to the internet",
            egress(a(), public()).path(2),
            (Via::InternetGateway, Scope::Internet, High),
        ),
        (
            "path 2 to a gateway endpoint",
            egress(a(), s3).path(2).route(RouteTarget::GatewayEndpoint),
            (Via::GatewayEndpoint, Scope::IntraRegion, High),
        ),
        (
            "path 2 to S3 by an internet gateway",
            egress(a(), s3).path(2).route(RouteTarget::InternetGateway),
            (Via::InternetGateway, Scope::AwsServicePublic, High),
        ),
        (
            "path 2 to S3, by one or the other",
            egress(a(), s3).path(2),
            (Via::InternetGateway, Scope::AwsServicePublic, Low),
        ),
        (
            "path 3 with VPN only",
            egress(a(), outside_of_aws(Hybrid::Vpn)).path(3),
            (Via::Vpn, Scope::OnPremises, High),
        ),
        (
            "path 3 with Direct Connect only",
            egress(a(), End::default())
                .path(3)
                .route(RouteTarget::VirtualPrivateGateway(Hybrid::DirectConnect)),
            (Via::DirectConnect, Scope::OnPremises, High),
        ),
        (
            "path 3 with both",
            egress(a(), outside_of_aws(Hybrid::Either)).path(3),
            (Via::HybridVgw, Scope::OnPremises, Medium),
        ),
        (
            "path 4 to another zone",
            egress(a(), c()).path(4),
            (Via::Peering, Scope::InterAz, High),
        ),
        (
            "path 4 to the same zone",
            egress(b(), c()).path(4),
            (Via::Peering, Scope::IntraAz, High),
        ),
        (
            "path 4 to an unknown VPC",
            egress(a(), End::default()).path(4),
            (Via::Peering, Scope::IntraRegion, High),
        ),
        (
            "path 5",
            egress(a(), d()).path(5),
            (Via::Peering, Scope::InterRegion, High),
        ),
        (
            "path 5 to an unknown VPC",
            egress(a(), End::default()).path(5),
            (Via::Peering, Scope::InterRegion, High),
        ),
        (
            "path 6",
            egress(local_zone, public()).path(6),
            (Via::EdgeZone, Scope::EdgeZone, High),
        ),
        (
            "path 6 of old, with a local gateway",
            egress(a(), End::default())
                .path(6)
                .route(RouteTarget::LocalGateway),
            (Via::LocalGateway, Scope::OnPremises, Medium),
        ),
        (
            "path 7",
            egress(a(), s3).path(7),
            (Via::GatewayEndpoint, Scope::IntraRegion, High),
        ),
        (
            "path 8 to the internet",
            egress(a(), public()).path(8),
            (Via::InternetGateway, Scope::Internet, High),
        ),
        (
            "path 8 over an egress-only internet gateway",
            egress(a(), public()).path(8).route(RouteTarget::EgressOnly),
            (Via::EgressOnlyInternetGateway, Scope::Internet, High),
        ),
        (
            "path 8 to a service here",
            egress(a(), s3).path(8),
            (Via::InternetGateway, Scope::AwsServicePublic, High),
        ),
        (
            "path 8 to a service elsewhere",
            egress(a(), service("S3", Some("eu-west-1"))).path(8),
            (Via::InternetGateway, Scope::InterRegionPublic, High),
        ),
        (
            "path 8 to a service whose region is not known",
            egress(a(), service("AMAZON", None)).path(8),
            (Via::InternetGateway, Scope::AwsServicePublic, Low),
        ),
        (
            "path 8 to a service of no region",
            egress(a(), service("ROUTE53", Some("GLOBAL"))).path(8),
            (Via::InternetGateway, Scope::AwsServicePublic, Medium),
        ),
        (
            "path 8 to EC2, perhaps another's instance",
            egress(a(), service("EC2", Some("us-east-1"))).path(8),
            (Via::InternetGateway, Scope::AwsServicePublic, Medium),
        ),
        (
            "path 8 to CloudFront",
            egress(a(), service("CLOUDFRONT_ORIGIN_FACING", Some("GLOBAL"))).path(8),
            (Via::InternetGateway, Scope::CloudFrontOrigin, High),
        ),
        (
            "path 8 to an elastic address here",
            egress(a(), elastic("us-east-1")).path(8),
            (Via::InternetGateway, Scope::IntraRegionPublicIp, High),
        ),
        (
            "path 8 to an elastic address elsewhere",
            egress(a(), elastic("us-east-2")).path(8),
            (Via::InternetGateway, Scope::InterRegionPublic, High),
        ),
        (
            "path 8 to who knows",
            egress(a(), End::default()).path(8),
            (Via::InternetGateway, Scope::Internet, Medium),
        ),
        // Egress of old logs: no path.
        (
            "no path, both interfaces known",
            egress(a(), b()),
            (Via::Vpc, Scope::InterAz, Medium),
        ),
        (
            "no path, the far end's subnet known",
            egress(a(), of_kind(b(), Kind::Unknown)),
            (Via::Vpc, Scope::InterAz, Low),
        ),
        (
            "no path, a route to the internet",
            egress(a(), public()).route(RouteTarget::InternetGateway),
            (Via::InternetGateway, Scope::Internet, Low),
        ),
        (
            "no path, a route to a NAT gateway",
            egress(a(), public())
                .route(RouteTarget::NatGateway)
                .hop(nat, HopSource::Route),
            (Via::NatGateway, Scope::InterAz, Low),
        ),
        (
            "no path, a route to peering",
            egress(a(), c()).route(RouteTarget::Peering),
            (Via::Peering, Scope::InterAz, Low),
        ),
        (
            "no path, a route to S3",
            egress(a(), s3).route(RouteTarget::GatewayEndpoint),
            (Via::GatewayEndpoint, Scope::IntraRegion, Low),
        ),
        (
            "no path, a route to appliances",
            egress(a(), public()).route(RouteTarget::GatewayLoadBalancerEndpoint),
            (Via::GatewayLoadBalancerEndpoint, Scope::Internet, Low),
        ),
        (
            "no path, a route to an instance",
            egress(a(), public()).route(RouteTarget::Interface),
            (Via::Appliance, Scope::Internet, Low),
        ),
        (
            "no path, a route to a carrier gateway",
            egress(a(), public()).route(RouteTarget::CarrierGateway),
            (Via::EdgeZone, Scope::EdgeZone, Low),
        ),
        (
            "no path and no route",
            egress(a(), public()),
            (Via::Unknown, Scope::Internet, Low),
        ),
        (
            "no path and no route to another VPC",
            egress(a(), c()),
            (Via::Unknown, Scope::InterAz, Low),
        ),
        (
            "no path and no route out of AWS",
            egress(a(), outside_of_aws(Hybrid::DirectConnect)),
            (Via::DirectConnect, Scope::OnPremises, Low),
        ),
        (
            "nothing known",
            egress(End::default(), End::default()),
            (Via::Unknown, Scope::Unknown, Low),
        ),
        (
            "the far end itself, told as the next hop in its own VPC",
            egress(a(), c())
                .route(RouteTarget::Peering)
                .hop(c(), HopSource::Record),
            (Via::Peering, Scope::InterAz, Low),
        ),
        (
            "no path, and the record names the next hop",
            egress(a(), public()).hop(nat, HopSource::Record),
            (Via::NatGateway, Scope::InterAz, High),
        ),
        // Ingress: the mirror image.
        (
            "from the same VPC",
            ingress(a(), b()),
            (Via::Vpc, Scope::InterAz, Medium),
        ),
        (
            "a path on ingress is not heeded",
            ingress(a(), b()).path(8),
            (Via::Vpc, Scope::InterAz, Medium),
        ),
        (
            "from the internet",
            ingress(a(), public()).route(RouteTarget::InternetGateway),
            (Via::InternetGateway, Scope::Internet, Low),
        ),
        (
            "back from the internet through a NAT gateway",
            ingress(a(), public())
                .route(RouteTarget::NatGateway)
                .hop(nat, HopSource::Route),
            (Via::NatGateway, Scope::InterAz, Low),
        ),
        (
            "from another VPC through a transit gateway",
            ingress(a(), c()).hop(gateway, HopSource::Address),
            (Via::TransitGateway, Scope::InterAz, Medium),
        ),
        (
            "from a peer",
            ingress(a(), d()).route(RouteTarget::Peering),
            (Via::Peering, Scope::InterRegion, Low),
        ),
        (
            "from outside of AWS",
            ingress(a(), outside_of_aws(Hybrid::Vpn))
                .route(RouteTarget::VirtualPrivateGateway(Hybrid::Either)),
            (Via::Vpn, Scope::OnPremises, Low),
        ),
        // On the interfaces of gateways and endpoints.
        (
            "NAT gateway, from a workload",
            Sighting {
                destination: public(),
                ..ingress(nat, a())
            },
            (Via::NatGateway, Scope::InterAz, Medium),
        ),
        (
            "NAT gateway, to the internet",
            egress(nat, public()).path(8),
            (Via::InternetGateway, Scope::Internet, High),
        ),
        (
            "NAT gateway, from the internet",
            ingress(nat, public()).route(RouteTarget::InternetGateway),
            (Via::InternetGateway, Scope::Internet, Low),
        ),
        (
            "NAT gateway, from the internet by a route that is not known",
            ingress(nat, public()),
            (Via::InternetGateway, Scope::Internet, Low),
        ),
        (
            "NAT gateway, to a workload",
            Sighting {
                source: public(),
                ..egress(nat, a())
            }
            .path(1),
            (Via::NatGateway, Scope::InterAz, High),
        ),
        (
            "regional NAT gateway, from a workload",
            Sighting {
                destination: public(),
                ..ingress(regional, a())
            },
            (Via::NatGateway, Scope::IntraAz, Medium),
        ),
        (
            "transit gateway, from a workload to another zone",
            Sighting {
                destination: c(),
                ..ingress(gateway, a())
            },
            (Via::TransitGateway, Scope::InterAz, Medium),
        ),
        (
            "transit gateway, to a workload from another region",
            Sighting {
                source: d(),
                ..egress(gateway, a())
            }
            .path(1),
            (Via::TransitGatewayPeering, Scope::InterRegion, High),
        ),
        (
            "interface endpoint, from a workload",
            ingress(endpoint, a()),
            (Via::InterfaceEndpoint, Scope::InterAz, Medium),
        ),
        (
            "interface endpoint, to a workload",
            egress(endpoint, a()).path(1),
            (Via::InterfaceEndpoint, Scope::InterAz, High),
        ),
        (
            "firewall, from a workload to the internet",
            Sighting {
                destination: public(),
                ..ingress(firewall, b())
            },
            (Via::NetworkFirewall, Scope::Internet, Medium),
        ),
        (
            "firewall, to the internet",
            Sighting {
                source: b(),
                ..egress(firewall, public())
            }
            .path(8),
            (Via::NetworkFirewall, Scope::Internet, High),
        ),
        (
            "Gateway Load Balancer endpoint, to a workload",
            Sighting {
                source: public(),
                ..egress(appliances, b())
            }
            .path(1),
            (Via::GatewayLoadBalancerEndpoint, Scope::Internet, High),
        ),
        // Transit Gateway flow logs.
        (
            "transit gateway log, two zones",
            egress(a(), c()).log(tgw(Attachment::Vpc, Attachment::Vpc)),
            (Via::TransitGateway, Scope::InterAz, High),
        ),
        (
            "transit gateway log, one zone",
            egress(b(), c()).log(tgw(Attachment::Vpc, Attachment::Vpc)),
            (Via::TransitGateway, Scope::IntraAz, High),
        ),
        (
            "transit gateway log, VPN",
            egress(a(), End::default()).log(tgw(Attachment::Vpc, Attachment::Vpn)),
            (Via::TransitGateway, Scope::OnPremises, High),
        ),
        (
            "transit gateway log, from Direct Connect",
            Sighting {
                source: End::default(),
                ..ingress(a(), a())
            }
            .log(tgw(Attachment::DirectConnect, Attachment::Vpc)),
            (Via::TransitGateway, Scope::OnPremises, High),
        ),
        (
            "transit gateway log, peering",
            egress(a(), d()).log(tgw(Attachment::Vpc, Attachment::Peering)),
            (Via::TransitGatewayPeering, Scope::InterRegion, High),
        ),
        (
            "transit gateway log, peering to who knows",
            egress(a(), End::default()).log(tgw(Attachment::Vpc, Attachment::Peering)),
            (Via::TransitGatewayPeering, Scope::InterRegion, Medium),
        ),
        (
            "transit gateway log, attachments not known",
            egress(a(), c()).log(tgw(Attachment::Unknown, Attachment::Unknown)),
            (Via::TransitGateway, Scope::InterAz, Medium),
        ),
        // Network Firewall logs.
        (
            "firewall log, to the internet",
            egress(a(), public()).log(Log::Firewall),
            (Via::NetworkFirewall, Scope::Internet, High),
        ),
        (
            "firewall log, within the region",
            egress(a(), c()).log(Log::Firewall),
            (Via::NetworkFirewall, Scope::InterAz, High),
        ),
    ]
}

#[test]
fn each_case_is_classified_by_the_procedure() {
    for (name, sighting, (via, scope, confidence)) in cases() {
        let transfer = classify(&sighting);
        let found = (transfer.via, transfer.scope, transfer.confidence);
        assert_eq!(found, (via, scope, confidence), "{name}");
    }
}

#[test]
fn each_class_occurs() {
    let cases = cases();
    let vias: BTreeSet<_> = cases.iter().map(|(_, _, classes)| classes.0).collect();
    let scopes: BTreeSet<_> = cases.iter().map(|(_, _, classes)| classes.1).collect();
    let confidences: BTreeSet<_> = cases.iter().map(|(_, _, classes)| classes.2).collect();
    assert_eq!(vias, Via::ALL.iter().copied().collect());
    assert_eq!(scopes, Scope::ALL.iter().copied().collect());
    assert_eq!(confidences, Confidence::ALL.iter().copied().collect());
}

#[test]
fn names_are_kebab_case_and_differ() {
    let names: Vec<_> = Via::ALL.iter().map(|via| via.as_str()).collect();
    let scopes = Scope::ALL.iter().map(|scope| scope.as_str());
    for name in names.iter().copied().chain(scopes) {
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{name}"
        );
    }
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    assert_eq!(
        Via::Vpn.meaning(),
        "Site-to-site VPN at a virtual private gateway."
    );
}

#[test]
fn a_rejected_record_keeps_its_classes() {
    for (name, sighting, _) in cases() {
        let rejected = Sighting {
            rejected: true,
            ..sighting
        };
        assert_eq!(classify(&rejected), classify(&sighting), "{name}");
    }
}

fn any_end() -> impl Strategy<Value = End<'static>> {
    let place = prop::sample::select(vec![
        Place::Vpc,
        Place::OwnPublic,
        Place::AwsService,
        Place::Public,
        Place::OnPremises(Hybrid::Vpn),
        Place::OnPremises(Hybrid::Either),
        Place::Unknown,
    ]);
    let kind = prop::sample::select(vec![
        InterfaceKind::Plain,
        InterfaceKind::NatGateway,
        InterfaceKind::RegionalNatGateway,
        InterfaceKind::TransitGateway,
        InterfaceKind::VpcEndpoint,
        InterfaceKind::GatewayLoadBalancerEndpoint,
        InterfaceKind::FirewallEndpoint,
        InterfaceKind::LoadBalancer,
        InterfaceKind::Other,
        InterfaceKind::Unknown,
    ]);
    let vpc = prop::sample::select(vec![None, Some("vpc-1"), Some("vpc-2")]);
    let region = prop::sample::select(vec![None, Some("us-east-1"), Some("us-east-2")]);
    let zone = prop::sample::select(vec![None, Some("use1-az1"), Some("use1-az2")]);
    (place, kind, vpc, region, zone).prop_map(|(place, kind, vpc, region, zone)| End {
        place,
        kind,
        vpc,
        region,
        zone,
        service: (place == Place::AwsService).then_some("S3"),
    })
}

const ROUTES: &[RouteTarget] = &[
    RouteTarget::Local,
    RouteTarget::InternetGateway,
    RouteTarget::EgressOnly,
    RouteTarget::NatGateway,
    RouteTarget::VirtualPrivateGateway(Hybrid::Either),
    RouteTarget::TransitGateway,
    RouteTarget::Peering,
    RouteTarget::GatewayEndpoint,
    RouteTarget::GatewayLoadBalancerEndpoint,
    RouteTarget::FirewallEndpoint,
    RouteTarget::Interface,
    RouteTarget::CoreNetwork,
    RouteTarget::CarrierGateway,
    RouteTarget::LocalGateway,
    RouteTarget::Unknown,
];

pub(in crate::enrichment) fn any_sighting() -> impl Strategy<Value = Sighting<'static>> {
    let log = prop::sample::select(vec![
        Log::Vpc,
        Log::Vpc,
        Log::Firewall,
        tgw(Attachment::Vpc, Attachment::Vpc),
        tgw(Attachment::Vpc, Attachment::Vpn),
        tgw(Attachment::Peering, Attachment::Unknown),
    ]);
    let by = prop::sample::select(vec![
        HopSource::Record,
        HopSource::Address,
        HopSource::Route,
    ]);
    let hop = prop::option::of((any_end(), by).prop_map(|(end, by)| Hop { end, by }));
    let ends = (any_end(), any_end(), any_end());
    let told = (
        prop::option::of(0_u8..10),
        hop,
        prop::sample::select(ROUTES),
        any::<bool>(),
    );
    (log, any::<bool>(), any::<bool>(), ends, told).prop_map(
        |(log, egress, rejected, (here, source, destination), (path, hop, route, logged))| {
            Sighting {
                log,
                direction: match egress {
                    true => FlowDirection::Egress,
                    false => FlowDirection::Ingress,
                },
                rejected,
                path,
                here,
                source,
                destination,
                hop,
                route,
                gateway_logged: logged,
            }
        },
    )
}

proptest! {
    #[test]
    fn zones_are_compared_only_where_both_are_known(sighting in any_sighting()) {
        let transfer = classify(&sighting);
        let zones = [sighting.here.zone, sighting.source.zone, sighting.destination.zone, sighting.hop.and_then(|hop| hop.end.zone)];
        let regional = sighting.here.kind == InterfaceKind::RegionalNatGateway
            || sighting.far().kind == InterfaceKind::RegionalNatGateway
            || sighting.hop.is_some_and(|hop| hop.end.kind == InterfaceKind::RegionalNatGateway);
        if matches!(transfer.scope, Scope::IntraAz | Scope::InterAz) && !regional {
            prop_assert!(zones.iter().flatten().count() >= 2);
        }
    }

    #[test]
    fn what_is_told_by_ranges_and_routes_only_is_of_low_confidence(sighting in any_sighting()) {
        let by_route = Sighting { log: Log::Vpc, path: None, hop: None, ..sighting };
        let unseen = Sighting {
            here: End { kind: InterfaceKind::Plain, ..by_route.here },
            source: End { kind: InterfaceKind::Unknown, ..by_route.source },
            destination: End { kind: InterfaceKind::Unknown, ..by_route.destination },
            ..by_route
        };
        prop_assert_eq!(classify(&unseen).confidence, Confidence::Low);
    }
}
