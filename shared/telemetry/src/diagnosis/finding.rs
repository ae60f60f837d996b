//! A finding: a check that holds somewhere, with what is particular to the place.

use serde_json::{Map, Value, json};

use super::check::{Check, Severity};

/// What was found in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked for.
    pub check: Check,
    /// The account; `None` where it is not known or plays no part.
    pub account: Option<String>,
    /// The regions; empty where they play no part.
    pub regions: Vec<String>,
    /// The role, bucket, flow log, VPC, firewall or call.
    pub resource: Option<String>,
    /// What is so here: a sentence without its full stop.
    pub what: String,
    /// Names in the fix, and what they stand for.
    values: Vec<(&'static str, String)>,
}

impl Finding {
    /// A finding that says what its check says.
    pub fn of(check: Check) -> Finding {
        Finding {
            check,
            account: None,
            regions: Vec::new(),
            resource: None,
            what: check.info().title.to_owned(),
            values: Vec::new(),
        }
    }

    /// In this account.
    pub fn account(mut self, account: &str) -> Finding {
        self.account = Some(account.to_owned());
        self.with("account", account)
    }

    /// In this region.
    pub fn region(mut self, region: &str) -> Finding {
        self.regions = vec![region.to_owned()];
        self.with("region", region)
    }

    /// In these regions.
    pub fn regions(mut self, regions: &[String]) -> Finding {
        self.regions = regions.to_vec();
        let names = regions.join(",");
        self.with("region", &names)
    }

    /// About this resource.
    pub fn resource(mut self, resource: &str) -> Finding {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Says this.
    pub fn what(mut self, what: impl Into<String>) -> Finding {
        self.what = what.into();
        self
    }

    /// Puts a value in the place of a name in the fix.
    pub fn with(mut self, name: &'static str, value: &str) -> Finding {
        self.values.push((name, value.to_owned()));
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.check.severity()
    }

    /// The command or policy that mends it; empty where there is nothing to mend.
    pub fn fix(&self) -> String {
        let mut fix = self.check.info().fix.to_owned();
        for (name, value) in &self.values {
            fix = fix.replace(&format!("<{name}>"), value);
        }
        fix
    }

    /// The place in a line: account, regions and resource, as far as they are known and [`Finding::what`] does not
    /// name them.
    pub fn place(&self) -> String {
        let regions = match self.regions.as_slice() {
            [] => None,
            [region] => Some(region.clone()),
            [first, rest @ ..] if rest.len() > 2 => {
                Some(format!("{first} and {} more regions", rest.len()))
            }
            some => Some(some.join(",")),
        };
        let resource = self.resource.clone();
        let resource = resource.filter(|resource| !self.what.contains(resource));
        let parts = [self.account.clone(), regions, resource];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The finding in a report.
    pub fn to_json(&self) -> Value {
        let info = self.check.info();
        let fix = Some(self.fix()).filter(|fix| !fix.is_empty());
        let members = [
            ("code", Some(json!(info.code))),
            ("severity", Some(json!(info.severity.label()))),
            ("account", self.account.as_ref().map(|id| json!(id))),
            (
                "regions",
                (!self.regions.is_empty()).then(|| json!(self.regions)),
            ),
            ("resource", self.resource.as_ref().map(|id| json!(id))),
            ("what", Some(json!(self.what))),
            ("why", Some(json!(info.why))),
            ("fix", fix.map(|fix| json!(fix))),
        ];
        let present = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(Map::from_iter(present))
    }
}
