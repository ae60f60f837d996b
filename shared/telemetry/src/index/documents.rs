//! The index of documents that are at hand: snapshots, answers as the AWS CLI prints them, Batfish's
//! aws_configs.
//!
//! ```text
//! documents ─▶ by account and region ─▶ an inventory of each ─▶ its shard, its part of the directory
//! ```
//!
//! A document's `Collection` tells its account and region, else its path. Documents that neither tells of are
//! taken together with the others of their folder, and are of the account and region that most of what they
//! show is in. Nothing is known of what was before: no interface has vanished.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use super::{Directory, IndexUnit, Shard, directory_part, shard};
use crate::inventory::{Inventory, InventoryBuilder, Origin, each_document};
use crate::snapshot::GLOBAL;

/// An index, all of it in memory.
#[derive(Debug, Clone, Default)]
pub struct DocumentIndex {
    /// Shards by account and region.
    pub shards: BTreeMap<(String, String), Shard>,
    /// What is where; `None` when there was no document.
    pub directory: Option<Directory>,
    /// What is not in it, and why: a sentence each.
    pub left_out: Vec<String>,
}

/// The index of the documents of a directory, or the one file. `now`, Unix seconds, is when AWS was asked where
/// a document does not tell.
pub fn of_documents(root: &Path, now: u32) -> DocumentIndex {
    let mut documents = Documents::new(now);
    let failed = each_document(root, |path, document| documents.add(path, document));
    let mut index = documents.finish();
    index
        .left_out
        .extend(failed.iter().map(|error| format!("not read: {error}")));
    index
}

/// What is told of one account and region.
#[derive(Default)]
struct Unit {
    inventory: InventoryBuilder,
    collected: Option<u32>,
}

/// Documents of one folder that do not tell whose they are, with as much as they do tell.
type Folder = (String, Option<String>, Option<String>);

/// Takes documents in any order, and makes the index of them.
#[derive(Default)]
pub struct Documents {
    now: u32,
    units: BTreeMap<(String, String), Unit>,
    unplaced: BTreeMap<Folder, Vec<Value>>,
}

impl Documents {
    /// None yet. `now` as in [`of_documents`].
    pub fn new(now: u32) -> Documents {
        Documents {
            now,
            ..Documents::default()
        }
    }

    /// Adds a document; `path` is what [`Origin::of_path`] reads, and may be empty.
    pub fn add(&mut self, path: &str, document: Value) {
        let told = Origin::of_path(path);
        let said = |member: &str| {
            let said = document.get("Collection")?.get(member)?.as_str();
            said.filter(|said| !said.is_empty()).map(str::to_owned)
        };
        let account = said("Account").or(told.account);
        let region = said("Region").or(told.region);
        match (account, region) {
            (Some(account), Some(region)) => self.place(account, region, &document),
            (account, region) => {
                let folder = path
                    .rsplit_once(['/', '\\'])
                    .map_or("", |(folder, _)| folder);
                let folder = (folder.to_owned(), account, region);
                self.unplaced.entry(folder).or_default().push(document);
            }
        }
    }

    fn place(&mut self, account: String, region: String, document: &Value) {
        let origin = Origin {
            account: Some(account.clone()),
            region: Some(region.clone()),
            seen: None,
        };
        let unit = self.units.entry((account, region)).or_default();
        unit.inventory.add(document, origin);
        unit.collected = unit.collected.max(collected(document));
    }

    /// The index of all that was added.
    pub fn finish(mut self) -> DocumentIndex {
        let mut index = DocumentIndex::default();
        for ((folder, account, region), documents) in std::mem::take(&mut self.unplaced) {
            match whose(account, region, &documents) {
                Some((account, region)) => documents
                    .iter()
                    .for_each(|document| self.place(account.clone(), region.clone(), document)),
                None => index.left_out.push(format!(
                    "{} documents of {folder:?} are left out: their account or region is not known, which a snapshot's Collection tells, a path such as aws_configs/accounts/111111111111/us-east-1/Vpcs.json, or interfaces and subnets among them",
                    documents.len()
                )),
            }
        }
        let mut parts = Vec::new();
        for ((account, region), unit) in self.units {
            let inventory = unit.inventory.finish();
            let unit = IndexUnit {
                account: &account,
                region: &region,
                collected: unit.collected.unwrap_or(self.now),
            };
            // What this program wrote it can read, unless it was too large.
            let part = directory_part(&inventory, unit, None).map(Directory::open);
            let made =
                (region != GLOBAL).then(|| shard(&inventory, unit, None, 0).map(Shard::open));
            let mut too_large = false;
            match part {
                Some(Ok(part)) => parts.push(part),
                _ => too_large = true,
            }
            match made {
                Some(Some(Ok(shard))) => {
                    _ = index
                        .shards
                        .insert((account.clone(), region.clone()), shard)
                }
                Some(_) => too_large = true,
                None => {}
            }
            if too_large {
                index.left_out.push(format!(
                    "{account} {region} is left out: it is larger than an index file can be"
                ));
            }
        }
        if !parts.is_empty() {
            index.directory =
                Directory::merge(&parts).and_then(|merged| Directory::open(merged).ok());
        }
        index
    }
}

/// When AWS was asked for interfaces, as a snapshot tells; Unix seconds.
fn collected(document: &Value) -> Option<u32> {
    let collection = document.get("Collection")?;
    let time = |value: &Value, member: &str| {
        let time: Timestamp = value.get(member)?.as_str()?.parse().ok()?;
        u32::try_from(time.as_second()).ok()
    };
    let mut endpoints = collection.get("Endpoints")?.as_array()?.iter();
    let interfaces = endpoints
        .find(|report| report.get("Section").and_then(Value::as_str) == Some("NetworkInterfaces"));
    let observed = interfaces.and_then(|report| time(report, "Observed"));
    observed.or_else(|| time(collection, "Started"))
}

/// The account and region that most of what documents show is in; what is told counts first.
fn whose(
    account: Option<String>,
    region: Option<String>,
    documents: &[Value],
) -> Option<(String, String)> {
    let mut builder = InventoryBuilder::new();
    for document in documents {
        let origin = Origin {
            account: account.clone(),
            region: region.clone(),
            seen: None,
        };
        builder.add(document, origin);
    }
    let inventory = builder.finish();
    let account = account.or_else(|| most(&inventory, |account, _| account));
    let region = region.or_else(|| most(&inventory, |_, region| region));
    account.zip(region)
}

/// What most interfaces, subnets and VPCs have in common.
fn most(
    inventory: &Inventory,
    choose: impl for<'i> Fn(Option<&'i str>, Option<&'i str>) -> Option<&'i str>,
) -> Option<String> {
    let interfaces = inventory.interfaces.iter().map(|i| (&i.account, &i.region));
    let subnets = inventory.subnets.iter().map(|s| (&s.account, &s.region));
    let vpcs = inventory.vpcs.iter().map(|v| (&v.account, &v.region));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (account, region) in interfaces.chain(subnets).chain(vpcs) {
        if let Some(name) = choose(account.as_deref(), region.as_deref()) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u32 = 1_795_190_400;

    fn interface(account: &str, zone: &str) -> Value {
        json!({
            "NetworkInterfaceId": format!("eni-{account}"), "OwnerId": account, "AvailabilityZone": zone,
            "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.7",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.7", "Primary": true}],
        })
    }

    fn units(index: &DocumentIndex) -> Vec<(&str, &str, u32)> {
        let directory = index.directory.as_ref().unwrap();
        let units = directory.units();
        units
            .map(|(account, region, row)| (account, region, row.collected))
            .collect()
    }

    #[test]
    fn snapshots_tell_whose_they_are_and_when_aws_was_asked() {
        let mut documents = Documents::new(NOW);
        documents.add("", json!({
            "Collection": {
                "Account": "111111111111", "Region": "us-east-1", "Started": "2026-11-20T16:20:00+00:00",
                "Endpoints": [{"Section": "NetworkInterfaces", "Observed": "2026-11-20T16:20:01+00:00"}],
            },
            "NetworkInterfaces": [interface("111111111111", "us-east-1a")],
        }));
        documents.add(
            "",
            json!({
                "Collection": {"Account": "111111111111", "Region": "global", "Endpoints": []},
                "AccountAliases": ["prod"],
            }),
        );
        let index = documents.finish();
        assert_eq!(
            units(&index),
            [
                ("111111111111", "global", NOW),
                ("111111111111", "us-east-1", 1_795_191_601)
            ]
        );
        let shards: Vec<_> = index.shards.keys().collect();
        assert_eq!(
            shards,
            [&("111111111111".to_owned(), "us-east-1".to_owned())]
        );
        let directory = index.directory.unwrap();
        let name = directory.account_name("111111111111");
        assert_eq!(directory.file().text(name), Some("prod"));
        assert_eq!(index.left_out, [""; 0]);
    }

    #[test]
    fn paths_tell_where_documents_do_not() {
        let mut documents = Documents::new(NOW);
        let rows = json!({"NetworkInterfaces": [interface("111111111111", "us-east-1a")]});
        documents.add(
            "x/aws_configs/accounts/222222222222/eu-west-1/Interfaces.json",
            rows,
        );
        assert_eq!(
            units(&documents.finish()),
            [("222222222222", "eu-west-1", NOW)]
        );
    }

    #[test]
    fn answers_of_one_folder_belong_to_the_account_and_region_of_most_of_them() {
        let mut documents = Documents::new(NOW);
        let interfaces = [
            interface("111111111111", "us-east-1a"),
            interface("222222222222", "us-east-1b"),
        ];
        documents.add(
            "cli/interfaces.json",
            json!({"NetworkInterfaces": interfaces}),
        );
        let subnet = json!({"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24",
            "OwnerId": "222222222222", "AvailabilityZone": "us-east-1b"});
        documents.add("cli/subnets.json", json!({"Subnets": [subnet]}));
        documents.add(
            "cli/tables.json",
            json!({"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1"}]}),
        );
        documents.add("other/x.json", json!({"Vpcs": []}));
        let index = documents.finish();
        assert_eq!(units(&index), [("222222222222", "us-east-1", NOW)]);
        assert_eq!(index.left_out.len(), 1);
        assert!(
            index.left_out[0].contains("\"other\" are left out"),
            "{:?}",
            index.left_out
        );
    }

    #[test]
    fn a_place_without_documents_is_no_index() {
        let empty = tempfile::tempdir().unwrap();
        std::fs::write(empty.path().join("x.json"), "{").unwrap();
        let index = of_documents(empty.path(), NOW);
        assert!(index.directory.is_none() && index.shards.is_empty());
        assert!(
            index.left_out[0].contains("x.json: not JSON"),
            "{:?}",
            index.left_out
        );
    }
}
