//! A cloud that was recorded: documents of Describe answers by account and region, as snapshots are,
//! or as `aws ec2 describe-*` and Batfish write them.
//!
//! It answers as AWS would, page by page; what was not recorded is not asked for. So the collector is
//! tried without an account, and tested without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use telemetry::describe::catalogue::{Endpoint, Paging, Per, Rows, Scope};
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::inventory::{DocumentError, Origin, each_document};
use telemetry::snapshot::GLOBAL;
use telemetry::target::{Hop, Regions, RoleArn, Target};

use crate::cloud::{Cloud, Granted, Place};

/// Sections by account and region.
#[derive(Debug)]
pub struct RecordedCloud {
    account: String,
    sections: BTreeMap<(String, String), Map<String, Value>>,
    /// Rows in one answer, at most; pages of AWS may be shorter than what is asked for.
    page: usize,
}

impl RecordedCloud {
    /// A cloud with nothing in it, entered through an account.
    pub fn new(account: &str) -> RecordedCloud {
        RecordedCloud {
            account: account.to_owned(),
            sections: BTreeMap::new(),
            page: usize::MAX,
        }
    }

    /// The cloud that the documents of a directory, or the one file, record, and why other files
    /// could not be read. It is entered through its first account.
    ///
    /// # Errors
    /// A sentence: nothing was found that tells whose it is.
    pub fn read(path: &Path) -> Result<(RecordedCloud, Vec<DocumentError>), String> {
        let mut cloud = RecordedCloud::new("");
        let failed = each_document(path, |path, document| {
            let place = Origin::of_path(path);
            let said = |member: &str| {
                let collection = document.get("Collection");
                let said = collection.and_then(|said| said.get(member)?.as_str());
                said.map(str::to_owned)
            };
            let account = said("Account").or(place.account);
            let region = said("Region").or(place.region);
            if let Some((account, region)) = account.zip(region) {
                cloud.add(&account, &region, &document);
            }
        });
        match cloud.sections.keys().next() {
            Some((account, _)) => {
                cloud.account = account.clone();
                Ok((cloud, failed))
            }
            None => Err(format!(
                "{} holds no document whose account and region are known: they are told by a snapshot's Collection, or by a path such as aws_configs/accounts/111111111111/us-east-1/Vpcs.json",
                path.display()
            )),
        }
    }

    /// A target for each account that is recorded, entered by a role of its own.
    pub fn targets(&self, regions: &Regions) -> Vec<Target> {
        let accounts: BTreeSet<&String> = self.sections.keys().map(|(of, _)| of).collect();
        accounts
            .into_iter()
            .map(|account| Target {
                account: Some(account.clone()),
                regions: regions.clone(),
                chain: vec![Hop {
                    role: RoleArn {
                        partition: "aws".to_owned(),
                        account: account.clone(),
                        name: "recorded".to_owned(),
                    },
                    external_id: None,
                    session_name: "cloud-export".to_owned(),
                }],
            })
            .collect()
    }

    /// The region of the first document about one.
    pub fn home_region(&self) -> String {
        let mut regions = self.sections.keys().map(|(_, region)| region);
        let first = regions.find(|region| *region != GLOBAL);
        first.map_or_else(|| "us-east-1".to_owned(), Clone::clone)
    }

    /// With a document of sections for an account and a region, or `global`.
    #[must_use]
    pub fn with(mut self, account: &str, region: &str, document: &Value) -> RecordedCloud {
        self.add(account, region, document);
        self
    }

    fn add(&mut self, account: &str, region: &str, document: &Value) {
        let sections = self.sections.entry((account.to_owned(), region.to_owned()));
        let sections = sections.or_default();
        for (section, rows) in document.as_object().into_iter().flatten() {
            sections.insert(section.clone(), rows.clone());
        }
    }

    /// With answers of that many rows at most.
    #[must_use]
    pub fn paged(self, page: usize) -> RecordedCloud {
        RecordedCloud { page, ..self }
    }

    /// What is recorded where an endpoint is asked.
    fn unit(&self, place: &Place, endpoint: &Endpoint) -> Option<&Map<String, Value>> {
        let region = match endpoint.scope {
            Scope::Regional => place.region.as_str(),
            Scope::Global => GLOBAL,
        };
        let unit = (place.account.clone(), region.to_owned());
        self.sections.get(&unit)
    }

    fn answer(&self, place: &Place, call: &Call) -> Value {
        let Endpoint {
            section,
            member,
            rows,
            per,
            ..
        } = *call.endpoint;
        let unit = self.unit(place, call.endpoint);
        let recorded = unit.and_then(|sections| sections.get(section));
        if section == "Regions" && recorded.is_none() {
            return json!({"Regions": self.regions(&place.account)});
        }
        let parameter = match per {
            None => None,
            Some(Per::Row { parameter, .. }) => Some(parameter),
            Some(Per::CoreNetworkEdge { .. }) => Some("RouteTableIdentifier"),
        };
        let wanted =
            |row: &&Value| parameter.is_none_or(|name| row.get(name) == call.parameters.get(name));
        match (rows, recorded) {
            (Rows::Whole, Some(value)) => json!({member: value}),
            (Rows::Whole, None) => json!({}),
            (Rows::Flat, recorded) => {
                let all = recorded
                    .and_then(Value::as_array)
                    .map_or(&[][..], Vec::as_slice);
                self.page_of(call, all.iter().filter(wanted).cloned().collect())
            }
            (Rows::Nested, recorded) => {
                let all = recorded
                    .and_then(Value::as_array)
                    .map_or(&[][..], Vec::as_slice);
                let row = all.iter().find(wanted).and_then(Value::as_object);
                let mut answer = row.cloned().unwrap_or_default();
                answer.retain(|name, _| !call.parameters.contains_key(name));
                match answer.get(member).and_then(Value::as_array) {
                    Some(rows) => self.page_of(call, rows.clone()),
                    None => Value::Object(answer),
                }
            }
        }
    }

    /// The regions that something is recorded of.
    fn regions(&self, account: &str) -> Vec<Value> {
        self.sections
            .keys()
            .filter(|(of, region)| of == account && region != GLOBAL)
            .map(|(_, region)| json!({"RegionName": region, "OptInStatus": "opt-in-not-required"}))
            .collect()
    }

    fn page_of(&self, call: &Call, rows: Vec<Value>) -> Value {
        let Paging::Token { input, output, .. } = call.endpoint.paging else {
            return json!({call.endpoint.member: rows});
        };
        let token = call.parameters.get(input).and_then(Value::as_str);
        let from: usize = token.and_then(|token| token.parse().ok()).unwrap_or(0);
        let left = rows.len().saturating_sub(from);
        let page: Vec<Value> = rows.into_iter().skip(from).take(self.page).collect();
        match left > page.len() {
            true => json!({output: (from + page.len()).to_string(), call.endpoint.member: page}),
            false => json!({call.endpoint.member: page}),
        }
    }
}

impl Cloud for RecordedCloud {
    /// The account.
    type Credentials = String;
    type Lane = Place;

    async fn own(&self) -> Result<Granted<String>, CallFailure> {
        Ok(Granted {
            credentials: self.account.clone(),
            expires: None,
        })
    }

    async fn account(&self, credentials: &String) -> Result<(String, String), CallFailure> {
        Ok((credentials.clone(), "aws".to_owned()))
    }

    async fn assume(&self, _: &String, hop: &Hop) -> Result<Granted<String>, CallFailure> {
        Ok(Granted {
            credentials: hop.role.account.clone(),
            expires: None,
        })
    }

    fn has(&self, place: &Place, endpoint: &Endpoint) -> bool {
        let recorded = self.unit(place, endpoint);
        endpoint.section == "Regions"
            || recorded.is_some_and(|sections| sections.contains_key(endpoint.section))
    }

    fn lane(&self, place: Place) -> Place {
        place
    }

    async fn call(
        &self,
        place: &Place,
        credentials: &String,
        call: &Call,
    ) -> Result<Value, CallFailure> {
        if *credentials != place.account {
            let message = format!("the session is of {credentials}, not of {}", place.account);
            return Err(CallFailure::of_code("AuthFailure", &message, None));
        }
        Ok(self.answer(place, call))
    }

    async fn ask(
        &self,
        place: &Place,
        _: &String,
        operation: &str,
        _: &Map<String, Value>,
    ) -> Result<Value, CallFailure> {
        let message = format!("{}:{operation} was not recorded", place.service.id());
        Err(CallFailure::of_code("NotRecorded", &message, None))
    }
}
