//! Settings of metrics.

use delivery::DestinationUrl;
use delivery::destination::BATCH_BYTES;
use delivery::encoding::Content;
use invocation::{SettingError, Variable};
use telemetry::metrics::choice::Choice;
use telemetry::metrics::cost::Usd;
use telemetry::target;

/// Where datapoints go.
pub const METRIC_DESTINATIONS: Variable = Variable {
    name: "CLOUD_EXPORT_METRIC_DESTINATIONS",
    default: Some(""),
    example: "s3://records-use1/metrics",
    meaning: "Where datapoints of CloudWatch's metrics go: URLs as of CLOUD_EXPORT_DESTINATIONS, several separated by spaces; no metrics are read when empty",
};

/// What is asked.
pub const METRIC_SELECT: Variable = Variable {
    name: "CLOUD_EXPORT_METRIC_SELECT",
    default: Some(""),
    example: "exclude namespace=AWS/EC2; include metric=TargetResponseTime statistic=p99",
    meaning: "Which metrics are read: rules that add to and take from the default choice (docs/metrics.md)",
};

/// The time between runs.
pub const METRIC_INTERVAL: Variable = Variable {
    name: "CLOUD_EXPORT_METRIC_INTERVAL",
    default: Some("300"),
    example: "900",
    meaning: "Seconds between the runs that read metrics, from 60 to 86400: as the schedule has it; costs are reckoned with it",
};

/// The bound of costs.
pub const METRIC_BUDGET: Variable = Variable {
    name: "CLOUD_EXPORT_METRIC_BUDGET",
    default: Some("100"),
    example: "25",
    meaning: "US dollars a month that the metrics of one account and region may cost, from 0 to 1000000; what is above is left out, the least important first, and told. 0 sets no bound",
};

/// How much is made up for.
pub const METRIC_CATCH_UP_HOURS: Variable = Variable {
    name: "CLOUD_EXPORT_METRIC_CATCH_UP_HOURS",
    default: Some("3"),
    example: "24",
    meaning: "Hours of metrics that are made up for after an outage, from 1 to 336",
};

/// Monitoring accounts.
pub const METRIC_MONITORING_ACCOUNTS: Variable = Variable {
    name: "CLOUD_EXPORT_METRIC_MONITORING_ACCOUNTS",
    default: Some(""),
    example: "111111111111",
    meaning: "Accounts, ids separated by commas, that are monitoring accounts of CloudWatch: the metrics of accounts linked to them are read there, but for those that are collected themselves",
};

/// The validated settings of metrics.
#[derive(Debug, Clone)]
pub struct MetricConfig {
    /// Where datapoints go; nothing is read when there is none.
    pub destinations: Vec<DestinationUrl>,
    /// What is asked.
    pub choice: Choice,
    /// Seconds between runs.
    pub interval: u32,
    /// US dollars a month for one account and region; `None` for no bound.
    pub budget: Option<Usd>,
    /// Seconds that are made up for after an outage.
    pub catch_up: u32,
    /// From when on is read, Unix seconds, however far that is; of the command line.
    pub since: Option<i64>,
    /// The labels of the namespaces that are read; `None` for all. Of the command line.
    pub namespaces: Option<Vec<String>>,
    /// Accounts whose linked accounts are read too.
    pub monitoring_accounts: Vec<String>,
}

impl MetricConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable whose value cannot be used, with the problem and a valid example.
    pub fn from_lookup(
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<MetricConfig, SettingError> {
        let destinations = METRIC_DESTINATIONS.value(lookup)?;
        let destinations = DestinationUrl::list(&destinations, BATCH_BYTES, Content::Datapoints)
            .map_err(|error| METRIC_DESTINATIONS.error(error))?;
        let choice = METRIC_SELECT.value(lookup)?;
        let budget = METRIC_BUDGET.value(lookup)?;
        let dollars = budget.trim().parse::<f64>().ok();
        let dollars = dollars
            .filter(|dollars| (0.0..=1e6).contains(dollars))
            .ok_or_else(|| {
                METRIC_BUDGET.error(format!("{budget:?} is no sum from 0 to 1000000"))
            })?;
        let accounts = METRIC_MONITORING_ACCOUNTS.value(lookup)?;
        let accounts = match accounts.trim() {
            "" => Vec::new(),
            ids => {
                target::account_ids(ids).map_err(|error| METRIC_MONITORING_ACCOUNTS.error(error))?
            }
        };
        let hours = METRIC_CATCH_UP_HOURS.number(lookup, 1..=336)?;
        Ok(MetricConfig {
            destinations,
            choice: Choice::parse(&choice).map_err(|error| METRIC_SELECT.error(error))?,
            interval: METRIC_INTERVAL.number(lookup, 60..=86_400)? as u32,
            budget: (dollars > 0.0).then(|| Usd::dollars(dollars)),
            catch_up: hours as u32 * 3_600,
            since: None,
            namespaces: None,
            monitoring_accounts: accounts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<MetricConfig, String> {
        let lookup = |name: &str| {
            let mut values = values.iter();
            Some(values.find(|(n, _)| *n == name)?.1.to_owned())
        };
        MetricConfig::from_lookup(&lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let plain = config(&[]).unwrap();
        assert_eq!(
            (plain.interval, plain.catch_up, plain.budget),
            (300, 10_800, Some(Usd::dollars(100.0)))
        );
        assert!(plain.destinations.is_empty());
        assert_eq!(config(&[(METRIC_BUDGET.name, "0")]).unwrap().budget, None);
    }

    #[test]
    fn errors_name_the_setting_and_what_to_do() {
        for (variable, value, expected) in [
            (
                METRIC_DESTINATIONS,
                "s3://b/p?format=ocsf",
                "CLOUD_EXPORT_METRIC_DESTINATIONS: ",
            ),
            (
                METRIC_SELECT,
                "include namespace=AWS/Nope",
                "CLOUD_EXPORT_METRIC_SELECT: ",
            ),
            (
                METRIC_INTERVAL,
                "1",
                "CLOUD_EXPORT_METRIC_INTERVAL: 1 is not between 60 and 86400",
            ),
            (
                METRIC_BUDGET,
                "-1",
                "CLOUD_EXPORT_METRIC_BUDGET: \"-1\" is no sum",
            ),
            (
                METRIC_MONITORING_ACCOUNTS,
                "12",
                "CLOUD_EXPORT_METRIC_MONITORING_ACCOUNTS: \"12\" is not an account id",
            ),
        ] {
            let error = config(&[(variable.name, value)]).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
