use std::net::IpAddr;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::format::FormatError;
use super::shard::{Holder, Tenure};
use super::*;
use crate::inventory::{InventoryBuilder, Origin};

fn unit(collected: u32) -> IndexUnit<'static> {
    IndexUnit {
        account: "111111111111",
        region: "us-east-1",
        collected,
    }
}

fn interface(id: &str, address: &str) -> Value {
    json!({
        "NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "OwnerId": "111111111111",
        "Status": "in-use", "InterfaceType": "interface", "TagSet": [{"Key": "team", "Value": "checkout"}],
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}],
    })
}

fn document(interfaces: &[Value]) -> Value {
    json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "OwnerId": "111111111111",
            "Tags": [{"Key": "Name", "Value": "shop"}]}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "OwnerId": "111111111111"}],
        "NetworkInterfaces": interfaces,
    })
}

fn inventory(document: &Value) -> crate::inventory::Inventory {
    let mut builder = InventoryBuilder::new();
    let place = "aws_configs/accounts/111111111111/us-east-1/answers.json";
    builder.add(document, Origin::of_path(place));
    builder.finish()
}

fn made(interfaces: &[Value], collected: u32, previous: Option<&Shard>, keep: u32) -> Shard {
    let inventory = inventory(&document(interfaces));
    Shard::open(shard(&inventory, unit(collected), previous, keep).unwrap()).unwrap()
}

fn holder(shard: &Shard, address: &str, time: u32) -> Option<(String, Tenure)> {
    let (vpc, _) = shard.vpc("vpc-1").unwrap();
    match shard.holder(vpc, address.parse::<IpAddr>().unwrap(), time) {
        Holder::Interface(row, tenure, valid) => {
            assert!(valid.contains(time));
            let row = shard.interfaces().get(row).unwrap();
            Some((shard.file().text(row.id).unwrap().to_owned(), tenure))
        }
        Holder::Nobody | Holder::NotThen(_) => None,
    }
}

#[test]
fn an_interface_is_found_by_its_id_and_by_its_address_in_its_vpc() {
    let shard = made(&[interface("eni-1", "10.0.1.7")], 1000, None, 0);
    let (_, row) = shard.interface(b"eni-1").unwrap();
    let tags: Vec<&str> = shard.file().texts(row.tags).collect();
    assert_eq!(tags, ["team", "checkout"]);
    assert!(shard.interface(b"eni-2").is_none());
    assert_eq!(holder(&shard, "10.0.1.7", 900).unwrap().0, "eni-1");
    assert_eq!(holder(&shard, "10.0.1.8", 900), None);
    let (vpc, row) = shard.vpc("vpc-1").unwrap();
    assert_eq!(shard.file().text(row.name), Some("shop"));
    let subnet = shard.subnet_at(vpc, "10.0.1.200".parse().unwrap()).unwrap();
    assert_eq!(shard.file().text(subnet.1.id), Some("subnet-1"));
    assert!(shard.subnet_at(vpc, "10.0.2.1".parse().unwrap()).is_none());
}

#[test]
fn a_vanished_interface_stays_with_its_times_until_they_are_over() {
    let first = made(&[interface("eni-1", "10.0.1.7")], 1000, None, 0);
    let second = made(&[], 2000, Some(&first), 5000);
    let (_, tenure) = holder(&second, "10.0.1.7", 900).unwrap();
    assert_eq!((tenure.seen, tenure.gone), (1000, 2000));
    assert!(!tenure.is_doubtful_at(1000) && tenure.is_doubtful_at(1500));
    assert!(holder(&second, "10.0.1.7", 1999).is_some());
    assert_eq!(holder(&second, "10.0.1.7", 2000), None);
    assert!(second.interface(b"eni-1").is_some());
    // It does not become younger by being kept, and is dropped in the end.
    let third = made(&[], 5000, Some(&second), 5000);
    assert_eq!(holder(&third, "10.0.1.7", 900).unwrap().1, tenure);
    let last = made(&[], 6001, Some(&third), 5000);
    assert!(last.interface(b"eni-1").is_none());
    assert_eq!(holder(&last, "10.0.1.7", 900), None);
}

#[test]
fn an_address_that_changed_hands_belongs_to_who_had_it_then() {
    let first = made(&[interface("eni-1", "10.0.1.7")], 1000, None, 0);
    let second = made(&[interface("eni-2", "10.0.1.7")], 2000, Some(&first), 5000);
    assert_eq!(holder(&second, "10.0.1.7", 500).unwrap().0, "eni-1");
    assert_eq!(holder(&second, "10.0.1.7", 2500).unwrap().0, "eni-2");
    // An interface that was there all the time, and got the address later.
    let both = [
        interface("eni-1", "10.0.1.7"),
        interface("eni-2", "10.0.1.8"),
    ];
    let first = made(&both, 1000, None, 0);
    let both = [
        interface("eni-1", "10.0.1.9"),
        interface("eni-2", "10.0.1.7"),
    ];
    let second = made(&both, 2000, Some(&first), 5000);
    assert_eq!(holder(&second, "10.0.1.7", 900).unwrap().0, "eni-1");
    assert_eq!(holder(&second, "10.0.1.7", 2000).unwrap().0, "eni-2");
    assert_eq!(holder(&second, "10.0.1.9", 900), None);
}

#[test]
fn what_another_version_wrote_is_told_from_what_is_damaged() {
    let bytes = shard(&inventory(&document(&[])), unit(1000), None, 0).unwrap();
    let mut newer = bytes.to_vec();
    newer[8] = 2;
    let opened = |bytes: Vec<u8>| Shard::open(Bytes::from(bytes)).map(drop);
    assert_eq!(opened(newer), Err(FormatError::Newer(2)));
    let mut damaged = bytes.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let error = opened(damaged).unwrap_err();
    assert!(
        error.to_string().contains("its checksum differs"),
        "{error}"
    );
    assert!(matches!(
        opened(bytes[..bytes.len() - 1].to_vec()),
        Err(FormatError::Corrupt(_))
    ));
    assert!(matches!(opened(Vec::new()), Err(FormatError::Corrupt(_))));
    assert!(matches!(
        Directory::open(bytes).map(drop),
        Err(FormatError::Corrupt(_))
    ));
}

#[test]
fn a_part_replaces_its_unit_and_leaves_the_others() {
    let part = |account: &'static str, name: &str, collected| {
        let document = json!({"Vpcs": [{"VpcId": format!("vpc-{account}"), "CidrBlock": "10.0.0.0/16",
            "OwnerId": account, "Tags": [{"Key": "Name", "Value": name}]}]});
        let mut builder = InventoryBuilder::new();
        let place = format!("aws_configs/accounts/{account}/us-east-1/answers.json");
        builder.add(&document, Origin::of_path(&place));
        let unit = IndexUnit {
            account,
            region: "us-east-1",
            collected,
        };
        Directory::open(directory_part(&builder.finish(), unit, None).unwrap()).unwrap()
    };
    let names = |directory: &Directory| -> Vec<String> {
        let units: Vec<_> = directory.units().map(|(account, ..)| account).collect();
        units
            .into_iter()
            .flat_map(|account| {
                directory
                    .vpcs(&format!("vpc-{account}"))
                    .collect::<Vec<_>>()
            })
            .map(|row| directory.file().text(row.name).unwrap().to_owned())
            .collect()
    };
    let (a, b) = (part("1", "a", 1000), part("2", "b", 1000));
    let merged = Directory::open(Directory::merge(&[a.clone(), b.clone()]).unwrap()).unwrap();
    assert_eq!(names(&merged), ["a", "b"]);
    let again = part("1", "a, renamed", 2000);
    let merged = Directory::open(Directory::merge(&[merged, again]).unwrap()).unwrap();
    assert_eq!(names(&merged), ["a, renamed", "b"]);
    let (one, other) = (
        Directory::merge(&[a.clone(), b.clone()]),
        Directory::merge(&[b, a]),
    );
    assert_eq!(one.unwrap().len(), other.unwrap().len());
}

proptest! {
    /// A file that passes its checksum by ill will still is only read wrongly, never beyond its end.
    #[test]
    fn no_content_makes_lookups_fail(flips in proptest::collection::vec((28_usize..4000, any::<u8>()), 1..40)) {
        let all: Vec<Value> = (0..20).map(|n| interface(&format!("eni-{n}"), &format!("10.0.1.{n}"))).collect();
        let bytes = shard(&inventory(&document(&all)), unit(1000), None, 0).unwrap();
        let mut bytes = bytes.to_vec();
        for (at, value) in flips {
            let at = 28 + (at - 28) % (bytes.len() - 28);
            bytes[at] = value;
        }
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[28..]);
        bytes[16..20].copy_from_slice(&crc.sum().to_le_bytes());
        if let Ok(shard) = Shard::open(Bytes::from(bytes)) {
            for n in 0..25 {
                let address: IpAddr = format!("10.0.1.{n}").parse().unwrap();
                let _ = shard.interface(format!("eni-{n}").as_bytes());
                let _ = shard.holder(0, address, 900);
                let _ = shard.subnet_at(0, address);
                let _ = shard.prefix_list(address);
                let _ = shard.vpc_contains(0, address);
                for row in shard.interfaces().iter() {
                    let _ = shard.file().texts(row.tags).count();
                    let _ = shard.file().text(row.id);
                }
            }
        }
    }
}
