use proptest::prelude::*;

use super::super::transfer::classify;
use super::super::transfer::tests::*;
use super::super::transfer::{End, HopSource, RouteTarget};
use super::*;

const TENTH_OF_GB: u64 = 107_374_182;
const TEN_GB: u64 = 10 * 1_073_741_824;

fn per_gb(sighting: Sighting<'_>) -> Option<f64> {
    PriceTable::shipped().per_gb(&sighting, &classify(&sighting))
}

fn cost(sighting: Sighting<'_>, bytes: u64) -> f64 {
    let transfer = classify(&sighting);
    PriceTable::shipped()
        .cost(&sighting, &transfer, bytes)
        .unwrap()
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-6
}

/// The NAT gateway in the other zone than `a`.
fn nat() -> End<'static> {
    of_kind(b(), InterfaceKind::NatGateway)
}

#[test]
fn the_shipped_table_is_valid_and_dated() {
    let table = PriceTable::shipped();
    assert_eq!(table.date(), "2026-11-21");
    assert_eq!(table.default_region(), "us-east-1");
    assert!(table.source().contains("list prices"));
    assert_eq!(PriceTable::from_slice(SHIPPED.as_bytes()), Ok(table));
}

#[test]
fn the_worked_example_adds_up_over_its_six_records() {
    let up = TENTH_OF_GB;
    let down = TEN_GB;
    let via_nat = |s: Sighting<'static>| {
        s.route(RouteTarget::NatGateway)
            .hop(nat(), HopSource::Route)
    };
    let to_internet = |s: Sighting<'static>| s.route(RouteTarget::InternetGateway);
    let records = [
        // The request: workload, the gateway's private side, its public side.
        cost(via_nat(egress(a(), public()).path(1)), up),
        cost(
            Sighting {
                destination: public(),
                ..ingress(nat(), a())
            },
            up,
        ),
        cost(to_internet(egress(nat(), public())).path(8), up),
        // The answer, the other way.
        cost(to_internet(ingress(nat(), public())), down),
        cost(
            Sighting {
                source: public(),
                ..egress(nat(), a())
            }
            .path(1),
            down,
        ),
        cost(via_nat(ingress(a(), public())), down),
    ];
    let processing = 10.1 * 0.045;
    let internet = 0.1 * 0.09;
    let zones = 10.1 * 0.02;
    let bill: f64 = records.iter().sum();
    assert!(close(bill, processing + internet + zones), "{records:?}");
    assert!(close(processing, 0.4545) && close(zones, 0.202));
    let each = [0.001, 0.0055, 0.009, 0.45, 0.1, 0.1];
    for (found, expected) in records.iter().zip(each) {
        assert!(close(*found, expected), "{records:?}");
    }
}

#[test]
fn the_same_through_a_gateway_endpoint_of_s3_is_free() {
    let s3 = service("S3", Some("us-east-1"));
    let out = egress(a(), s3).path(7).route(RouteTarget::GatewayEndpoint);
    let back = ingress(a(), s3).route(RouteTarget::GatewayEndpoint);
    assert_eq!(cost(out, TENTH_OF_GB) + cost(back, TEN_GB), 0.0);
}

#[test]
fn each_class_has_the_price_of_its_row() {
    use InterfaceKind as Kind;
    use RouteTarget as Route;
    let nat_of_zone = of_kind(a(), Kind::NatGateway);
    let regional = of_kind(End { zone: None, ..a() }, Kind::RegionalNatGateway);
    let endpoint = of_kind(b(), Kind::VpcEndpoint);
    let appliances = of_kind(a(), Kind::GatewayLoadBalancerEndpoint);
    let firewall = of_kind(a(), Kind::FirewallEndpoint);
    let gateway = of_kind(b(), Kind::TransitGateway);
    let vpn = outside_of_aws(Hybrid::Vpn);
    let direct = outside_of_aws(Hybrid::DirectConnect);
    let either = outside_of_aws(Hybrid::Either);
    let peers = tgw(Attachment::Vpc, Attachment::Vpc);
    let cloudfront = service("CLOUDFRONT", Some("GLOBAL"));
    let sqs = service("AMAZON", Some("us-east-1"));
    let through = |far| {
        egress(a(), far)
            .path(1)
            .hop(of_kind(b(), Kind::TransitGateway), HopSource::Record)
    };
    let rows: &[(&str, Sighting<'static>, Option<f64>)] = &[
        ("intra-AZ", egress(a(), a()).path(1), Some(0.0)),
        ("inter-AZ, sender", egress(a(), b()).path(1), Some(0.01)),
        ("inter-AZ, receiver", ingress(b(), a()), Some(0.01)),
        (
            "public addresses of one region, sender",
            egress(a(), elastic("us-east-1")).path(8),
            Some(0.01),
        ),
        (
            "public addresses of one region, receiver",
            ingress(a(), elastic("us-east-1")).route(Route::InternetGateway),
            Some(0.01),
        ),
        ("peering within a zone", egress(b(), c()).path(4), Some(0.0)),
        (
            "peering between zones, sender",
            egress(a(), c()).path(4),
            Some(0.01),
        ),
        (
            "peering between zones, receiver",
            ingress(a(), c()).route(Route::Peering),
            Some(0.01),
        ),
        (
            "peering, zones not known",
            egress(a(), End::default()).path(4),
            None,
        ),
        (
            "inter-region, the pair that is cheaper",
            egress(a(), d()).path(5),
            Some(0.01),
        ),
        (
            "inter-region",
            egress(a(), at("vpc-4", "eu-west-1", "euw1-az1")).path(5),
            Some(0.02),
        ),
        (
            "inter-region, region not known",
            egress(a(), End::default()).path(5),
            Some(0.02),
        ),
        (
            "inter-region, receiver",
            ingress(a(), d()).route(Route::Peering),
            Some(0.0),
        ),
        (
            "inter-region, public",
            egress(a(), elastic("eu-west-1")).path(8),
            Some(0.02),
        ),
        (
            "transit gateway with a log, at the workload",
            through(c()),
            Some(0.0),
        ),
        (
            "transit gateway with a log, its ingress",
            ingress(c(), a()).log(peers),
            Some(0.02),
        ),
        (
            "transit gateway with a log, its egress",
            egress(a(), c()).log(peers),
            Some(0.0),
        ),
        (
            "transit gateway without a log, at the sender",
            through(c()).unlogged(),
            Some(0.02),
        ),
        (
            "transit gateway without a log, at the receiver",
            ingress(a(), c()).hop(gateway, HopSource::Record).unlogged(),
            Some(0.0),
        ),
        (
            "transit gateway without a log, its own interface",
            Sighting {
                source: c(),
                ..egress(gateway, a())
            }
            .path(1)
            .unlogged(),
            Some(0.0),
        ),
        (
            "transit gateway without a log, to VPN",
            through(vpn).unlogged(),
            Some(0.02 + 0.09),
        ),
        (
            "transit gateway without a log, to Direct Connect",
            through(direct).unlogged(),
            Some(0.02 + 0.02),
        ),
        (
            "transit gateway without a log, out of AWS",
            through(either).unlogged(),
            None,
        ),
        (
            "transit gateway without a log, to the internet",
            through(public()).unlogged(),
            Some(0.02),
        ),
        (
            "transit gateway peering, at the first gateway",
            ingress(d(), a()).log(tgw(Attachment::Vpc, Attachment::Peering)),
            Some(0.02),
        ),
        (
            "transit gateway peering, out of the first gateway",
            egress(a(), d()).log(tgw(Attachment::Vpc, Attachment::Peering)),
            Some(0.01),
        ),
        (
            "transit gateway peering, at the second gateway",
            ingress(d(), a()).log(tgw(Attachment::Peering, Attachment::Vpc)),
            Some(0.0),
        ),
        (
            "transit gateway peering without a log",
            through(d()).unlogged(),
            Some(0.02 + 0.01),
        ),
        (
            "transit gateway log, out by VPN",
            egress(a(), vpn).log(tgw(Attachment::Vpc, Attachment::Vpn)),
            Some(0.09),
        ),
        (
            "transit gateway log, out by Direct Connect",
            egress(a(), direct).log(tgw(Attachment::Vpc, Attachment::DirectConnect)),
            Some(0.02),
        ),
        (
            "transit gateway log, in by VPN",
            ingress(a(), vpn).log(tgw(Attachment::Vpn, Attachment::Vpc)),
            Some(0.02),
        ),
        (
            "transit gateway log, attachment not known",
            egress(a(), c()).log(tgw(Attachment::Vpc, Attachment::Unknown)),
            None,
        ),
        (
            "PrivateLink, at the workload of another zone",
            egress(a(), endpoint).path(1),
            Some(0.0),
        ),
        (
            "PrivateLink, at the endpoint, in",
            ingress(endpoint, a()),
            Some(0.01),
        ),
        (
            "PrivateLink, at the endpoint, out",
            egress(endpoint, a()).path(1),
            Some(0.01),
        ),
        (
            "gateway endpoint",
            egress(a(), service("DYNAMODB", None)).path(7),
            Some(0.0),
        ),
        (
            "NAT gateway of the zone, in",
            Sighting {
                destination: public(),
                ..ingress(nat_of_zone, a())
            },
            Some(0.045),
        ),
        (
            "NAT gateway of another zone, in",
            Sighting {
                destination: public(),
                ..ingress(nat(), a())
            },
            Some(0.045 + 0.01),
        ),
        (
            "NAT gateway, from the internet",
            ingress(nat(), public()),
            Some(0.045),
        ),
        (
            "NAT gateway, to the internet",
            egress(nat(), public()).path(8),
            Some(0.09),
        ),
        (
            "NAT gateway, to a service here",
            egress(nat(), sqs).path(8),
            Some(0.0),
        ),
        (
            "regional NAT gateway, in",
            Sighting {
                destination: public(),
                ..ingress(regional, b())
            },
            Some(0.045),
        ),
        (
            "regional NAT gateway, out",
            egress(regional, public()).path(8),
            Some(0.09),
        ),
        (
            "NAT gateway of unknown zone, at the workload",
            egress(a(), public()).path(1).route(Route::NatGateway),
            None,
        ),
        (
            "Gateway Load Balancer endpoint, in",
            Sighting {
                destination: public(),
                ..ingress(appliances, a())
            },
            Some(0.0035),
        ),
        (
            "Gateway Load Balancer endpoint, out",
            Sighting {
                source: public(),
                ..egress(appliances, a())
            }
            .path(1),
            Some(0.0),
        ),
        (
            "Network Firewall, in",
            Sighting {
                destination: public(),
                ..ingress(firewall, a())
            },
            Some(0.065),
        ),
        (
            "Network Firewall, out to the internet",
            Sighting {
                source: a(),
                ..egress(firewall, public())
            }
            .path(8),
            Some(0.09),
        ),
        (
            "Network Firewall, at a workload on the way to the internet",
            egress(b(), public())
                .path(1)
                .hop(firewall, HopSource::Record),
            Some(0.01),
        ),
        (
            "Network Firewall log",
            egress(a(), public()).log(Log::Firewall),
            Some(0.0),
        ),
        ("internet egress", egress(a(), public()).path(8), Some(0.09)),
        (
            "internet egress (IPv6)",
            egress(a(), public()).path(8).route(Route::EgressOnly),
            Some(0.09),
        ),
        (
            "internet ingress",
            ingress(a(), public()).route(Route::InternetGateway),
            Some(0.0),
        ),
        (
            "AWS service by public endpoint",
            egress(a(), sqs).path(8),
            Some(0.0),
        ),
        (
            "CloudFront origin",
            egress(a(), cloudfront).path(8),
            Some(0.0),
        ),
        (
            "site-to-site VPN, out",
            egress(a(), vpn).path(3),
            Some(0.09),
        ),
        (
            "site-to-site VPN, in",
            ingress(a(), vpn).route(Route::VirtualPrivateGateway(Hybrid::Vpn)),
            Some(0.0),
        ),
        (
            "Direct Connect, out",
            egress(a(), direct).path(3),
            Some(0.02),
        ),
        (
            "Direct Connect, in",
            ingress(a(), direct).route(Route::VirtualPrivateGateway(Hybrid::DirectConnect)),
            Some(0.0),
        ),
        ("VPN or Direct Connect", egress(a(), either).path(3), None),
        ("Local Zone", egress(a(), public()).path(6), None),
        (
            "Outpost",
            egress(a(), either).path(1).route(Route::LocalGateway),
            None,
        ),
        (
            "core network",
            egress(a(), d()).path(1).route(Route::CoreNetwork),
            None,
        ),
        ("unknown", egress(a(), public()), None),
    ];
    for (name, sighting, expected) in rows {
        let found = per_gb(*sighting);
        let same = match (found, expected) {
            (Some(found), Some(expected)) => close(found, *expected),
            (found, expected) => found == *expected,
        };
        assert!(same, "{name}: {found:?} and not {expected:?}");
    }
}

#[test]
fn what_is_rejected_costs_nothing() {
    let rejected = Sighting {
        rejected: true,
        ..egress(a(), public()).path(8)
    };
    assert_eq!(per_gb(rejected), Some(0.0));
}

#[test]
fn a_users_table_goes_over_the_shipped_one() {
    let table = PriceTable::from_slice(
        br#"{"date": "2027-01-31", "currency": "USD", "default": "eu-west-1",
             "regions": {"eu-west-1": {"inter-az": 0.5}, "us-east-1": {"internet-egress": 2, "core-network": 0.02}}}"#,
    )
    .unwrap();
    let price = |sighting: Sighting<'_>| table.per_gb(&sighting, &classify(&sighting)).unwrap();
    // Its own price, its default region's, and the shipped one.
    assert_eq!(price(egress(a(), public()).path(8)), 2.0);
    assert_eq!(price(egress(a(), b()).path(1)), 0.5);
    assert_eq!(
        price(egress(a(), at("vpc-4", "eu-west-1", "euw1-az1")).path(5)),
        0.02
    );
    assert_eq!(price(egress(a(), d()).path(5)), 0.01);
    // Elsewhere, the default region's.
    let elsewhere = at("vpc-5", "ap-south-2", "aps2-az1");
    let beside = at("vpc-5", "ap-south-2", "aps2-az2");
    assert_eq!(price(egress(elsewhere, beside).path(1)), 0.5);
    assert_eq!(price(egress(elsewhere, public()).path(8)), 0.09);
    // What is not shipped can be given.
    assert_eq!(
        price(egress(a(), c()).route(RouteTarget::CoreNetwork)),
        0.02
    );
}

#[test]
fn pairs_of_a_users_table_replace_the_shipped_ones() {
    let table = PriceTable::from_slice(
        br#"{"date": "2027-01-31", "currency": "USD", "regions": {},
             "pairs": {"us-east-1>eu-west-1": {"inter-region": 0.03}}}"#,
    )
    .unwrap();
    let price = |sighting: Sighting<'_>| table.per_gb(&sighting, &classify(&sighting)).unwrap();
    assert_eq!(
        price(egress(a(), at("vpc-4", "eu-west-1", "euw1-az1")).path(5)),
        0.03
    );
    assert_eq!(price(egress(a(), d()).path(5)), 0.02);
}

#[test]
fn what_is_wrong_with_a_table_is_said() {
    let good = r#""date": "2027-01-31", "currency": "USD""#;
    for (json, said) in [
        ("[", "it is not JSON: EOF while parsing a list at line 1 column 1".to_owned()),
        ("[]", "it is not a JSON object".to_owned()),
        (r#"{"currency": "USD"}"#, "it has no date".to_owned()),
        (
            r#"{"date": "yesterday"}"#,
            "date is \"yesterday\", which is not a day as in 2026-11-21".to_owned(),
        ),
        (
            r#"{"date": "2027-01-31", "currency": "EUR"}"#,
            "currency is \"EUR\"; costs are delivered in USD, so prices must be in USD".to_owned(),
        ),
        (&format!("{{{good}}}"), "it has no regions".to_owned()),
        (
            &format!(r#"{{{good}, "regions": {{}}, "default": "eu-west-1"}}"#),
            "default names the region \"eu-west-1\", which is not among its regions".to_owned(),
        ),
        (
            &format!(r#"{{{good}, "regions": {{"eu-west-1": {{"nat": 1}}}}}}"#),
            format!("the region \"eu-west-1\" has the key \"nat\"; the keys known here are {}", KEYS.join(", ")),
        ),
        (
            &format!(r#"{{{good}, "regions": {{"eu-west-1": {{"inter-az": -1}}}}}}"#),
            "inter-az of the region \"eu-west-1\" is -1, which is not a price in USD per GB: a number from 0 on".to_owned(),
        ),
        (
            &format!(r#"{{{good}, "regions": {{}}, "pairs": {{"us-east-1": {{}}}}}}"#),
            "the pair \"us-east-1\" does not name two regions as in \"us-east-1>us-east-2\"".to_owned(),
        ),
    ] {
        let error = PriceTable::from_slice(json.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("the price table cannot be used: {said}"), "{json}");
    }
}

proptest! {
    #[test]
    fn a_cost_is_never_negative_and_grows_with_the_bytes(sighting in any_sighting(), bytes in 0_u64..1 << 50) {
        let table = PriceTable::shipped();
        let transfer = classify(&sighting);
        let one = table.cost(&sighting, &transfer, bytes);
        let two = table.cost(&sighting, &transfer, 2 * bytes);
        prop_assert_eq!(one.is_some(), two.is_some());
        if let (Some(one), Some(two)) = (one, two) {
            prop_assert!(one >= 0.0 && two >= one);
        }
    }

    #[test]
    fn a_record_of_unknown_way_has_no_price(sighting in any_sighting()) {
        let transfer = classify(&sighting);
        if transfer.leg.over == Via::Unknown && !sighting.rejected {
            prop_assert_eq!(PriceTable::shipped().per_gb(&sighting, &transfer), None);
        }
    }
}
