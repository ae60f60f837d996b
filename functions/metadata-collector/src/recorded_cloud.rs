//! A cloud that was recorded: documents of Describe answers by account and region, as snapshots are,
//! or as `aws ec2 describe-*` and Batfish write them.
//!
//! It answers as AWS would: paged, and with errors for what it does not have. So the collector is
//! tried without an account, and tested without a network.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use telemetry::describe::catalogue::{Endpoint, Paging, Per, Rows, Scope};
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::snapshot::GLOBAL;
use telemetry::target::Hop;

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

    /// With a document of sections for an account and a region, or `global`.
    #[must_use]
    pub fn with(mut self, account: &str, region: &str, document: &Value) -> RecordedCloud {
        let sections = self.sections.entry((account.to_owned(), region.to_owned()));
        let sections = sections.or_default();
        for (section, rows) in document.as_object().into_iter().flatten() {
            sections.insert(section.clone(), rows.clone());
        }
        self
    }

    /// With answers of that many rows at most.
    #[must_use]
    pub fn paged(self, page: usize) -> RecordedCloud {
        RecordedCloud { page, ..self }
    }

    fn answer(&self, place: &Place, call: &Call) -> Value {
        let Endpoint {
            scope,
            section,
            member,
            rows,
            per,
            ..
        } = *call.endpoint;
        let region = match scope {
            Scope::Regional => place.region.as_str(),
            Scope::Global => GLOBAL,
        };
        let unit = self
            .sections
            .get(&(place.account.clone(), region.to_owned()));
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
}
