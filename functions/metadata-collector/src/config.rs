//! Configuration from environment variables: one table, read once, into validated values.

mod metrics;

use std::time::Duration;

pub use metrics::{
    METRIC_BUDGET, METRIC_CATCH_UP_HOURS, METRIC_DESTINATIONS, METRIC_INTERVAL,
    METRIC_MONITORING_ACCOUNTS, METRIC_SELECT, MetricConfig,
};

use delivery::destination::BATCH_BYTES;
use delivery::encoding::Content;
use delivery::{DestinationUrl, StoreUrl, StoreUrlError};
use invocation::{SettingError, Variable};
use telemetry::target::{
    self, Accounts, Hop, Regions, RoleArn, RoleTemplate, Target, check_external_id,
    check_session_name,
};

/// Where snapshots are kept.
pub const METADATA: Variable = Variable {
    name: "CLOUD_EXPORT_METADATA",
    default: None,
    example: "s3://metadata-use1/network",
    meaning: "Where snapshots are kept: `file:///dir` or `s3://bucket/prefix`",
};

/// Where changes go.
pub const DESTINATIONS: Variable = Variable {
    name: "CLOUD_EXPORT_DESTINATIONS",
    default: Some(""),
    example: "s3://records-use1/changes",
    meaning: "Where change events go: `stdout:`, `file:///dir` or `s3://bucket/prefix`, several separated by spaces; nowhere when empty",
};

/// The role that all others are reached through.
pub const PRIMARY_ROLE: Variable = Variable {
    name: "CLOUD_EXPORT_PRIMARY_ROLE",
    default: Some(""),
    example: "arn:aws:iam::111111111111:role/cloud-export-primary",
    meaning: "ARN of the role that is assumed first; the roles of the accounts are assumed from it",
};

/// The external id of the primary role.
pub const PRIMARY_EXTERNAL_ID: Variable = Variable {
    name: "CLOUD_EXPORT_PRIMARY_EXTERNAL_ID",
    default: Some(""),
    example: "cloud-export-1f0c",
    meaning: "External id that the primary role's trust policy asks for",
};

/// The accounts.
pub const ACCOUNTS: Variable = Variable {
    name: "CLOUD_EXPORT_ACCOUNTS",
    default: Some(""),
    example: "222222222222,333333333333",
    meaning: "Accounts beside the primary role's: ids separated by commas, or `organization` for every active account of it; empty for the own account alone",
};

/// Accounts that are left out.
pub const BLOCKED_ACCOUNTS: Variable = Variable {
    name: "CLOUD_EXPORT_BLOCKED_ACCOUNTS",
    default: Some(""),
    example: "444444444444",
    meaning: "Accounts that are left out, ids separated by commas",
};

/// The role in each account.
pub const ROLE: Variable = Variable {
    name: "CLOUD_EXPORT_ROLE",
    default: Some(""),
    example: "cloud-export-reader",
    meaning: "Role to assume in each account: its name, with its path if it has one, or an ARN with `{partition}` and `{account}`",
};

/// The external id of the role in each account.
pub const EXTERNAL_ID: Variable = Variable {
    name: "CLOUD_EXPORT_EXTERNAL_ID",
    default: Some(""),
    example: "cloud-export-1f0c",
    meaning: "External id that the trust policies of the accounts' roles ask for",
};

/// The regions.
pub const REGIONS: Variable = Variable {
    name: "CLOUD_EXPORT_REGIONS",
    default: Some("enabled"),
    example: "us-east-1,eu-west-1",
    meaning: "Regions, separated by commas, or `enabled` for those that each account has enabled",
};

/// The session name.
pub const SESSION_NAME: Variable = Variable {
    name: "CLOUD_EXPORT_SESSION_NAME",
    default: Some("cloud-export"),
    example: "cloud-export-network",
    meaning: "Name of the sessions of assumed roles, which the accounts' CloudTrail shows",
};

/// Targets in full.
pub const TARGETS: Variable = Variable {
    name: "CLOUD_EXPORT_TARGETS",
    default: Some(""),
    example: r#"[{"regions":["eu-west-1"],"chain":[{"role":"arn:aws:iam::111111111111:role/hub"},{"role":"arn:aws:iam::222222222222:role/reader","external_id":"x1"}]}]"#,
    meaning: "Accounts, regions and role chains of any length as a JSON list, instead of the settings for roles, accounts and regions",
};

/// Attempts of a call.
pub const ATTEMPTS: Variable = Variable {
    name: "AWS_MAX_ATTEMPTS",
    default: Some("6"),
    example: "3",
    meaning: "Attempts of one call, the first included, from 1 to 20; throttled and failed ones are repeated after growing pauses",
};

/// Units at once.
pub const UNITS_AT_ONCE: Variable = Variable {
    name: "CLOUD_EXPORT_UNITS_AT_ONCE",
    default: Some("0"),
    example: "8",
    meaning: "Accounts and regions asked at once, from 1 to 256; each holds its answers in memory, and 0 chooses by the function's memory, 16 at most",
};

/// The queue.
pub const FAN_OUT_QUEUE: Variable = Variable {
    name: "CLOUD_EXPORT_FAN_OUT_QUEUE",
    default: Some(""),
    example: "https://sqs.us-east-1.amazonaws.com/111111111111/cloud-export-units",
    meaning: "URL of the SQS queue that carries work to further invocations; without one everything runs in the invocation that planned it",
};

/// The size above which work is handed on.
pub const FAN_OUT_ABOVE: Variable = Variable {
    name: "CLOUD_EXPORT_FAN_OUT_ABOVE",
    default: Some("4"),
    example: "10",
    meaning: "Accounts up to which a run does everything itself, from 1 to 100000; for more, each account is a message of the queue",
};

/// The reserve before the deadline.
pub const DEADLINE_RESERVE_MS: Variable = Variable {
    name: "CLOUD_EXPORT_DEADLINE_RESERVE_MS",
    default: Some("15000"),
    example: "30000",
    meaning: "Milliseconds before the invocation's deadline at which asking ends, what was answered is written, and the rest is handed on",
};

/// Whether the index is written.
pub const INDEX: Variable = Variable {
    name: "CLOUD_EXPORT_INDEX",
    default: Some("true"),
    example: "false",
    meaning: "Whether to write the index that flows are enriched from, below `index/` beside the snapshots: `true` or `false`",
};

/// How long the index remembers.
pub const INDEX_KEEP_HOURS: Variable = Variable {
    name: "CLOUD_EXPORT_INDEX_KEEP_HOURS",
    default: Some("72"),
    example: "24",
    meaning: "Hours that interfaces which vanished stay in the index, from 0 to 8760: at least as long as logs may be late",
};

/// The namespace of metrics.
pub const METRICS_NAMESPACE: Variable = Variable {
    name: "CLOUD_EXPORT_METRICS_NAMESPACE",
    default: Some("CloudExport"),
    example: "Network/CloudExport",
    meaning: "CloudWatch namespace of the function's own metrics",
};

/// The function's memory, set by Lambda.
const MEMORY_SIZE: Variable = Variable {
    name: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    default: Some("1088"),
    example: "512",
    meaning: "Set by Lambda: the function's memory in MiB",
};

/// Memory for the program itself, in MiB: code, clients, connections.
const BASE_MIB: u64 = 64;

/// Memory for one unit, in MiB: what a region with a thousand interfaces answers, and what it answered
/// before, as values; 2,000 interfaces with 400 instances were seen to take 100.
const UNIT_MIB: u64 = 64;

/// The most units at once unless more is asked for.
const MAX_CHOSEN_UNITS: u64 = 16;

/// Every variable, in the order of the README.
pub const VARIABLES: &[Variable] = &[
    METADATA,
    DESTINATIONS,
    PRIMARY_ROLE,
    PRIMARY_EXTERNAL_ID,
    ACCOUNTS,
    BLOCKED_ACCOUNTS,
    ROLE,
    EXTERNAL_ID,
    REGIONS,
    SESSION_NAME,
    TARGETS,
    ATTEMPTS,
    UNITS_AT_ONCE,
    FAN_OUT_QUEUE,
    FAN_OUT_ABOVE,
    DEADLINE_RESERVE_MS,
    INDEX,
    INDEX_KEEP_HOURS,
    METRIC_DESTINATIONS,
    METRIC_SELECT,
    METRIC_INTERVAL,
    METRIC_BUDGET,
    METRIC_CATCH_UP_HOURS,
    METRIC_MONITORING_ACCOUNTS,
    METRICS_NAMESPACE,
];

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Estate {
    /// These targets.
    Targets(Vec<Target>),
    /// A primary account and what belongs to it.
    Accounts(Box<Reach>),
}

/// A primary account and the accounts that are reached from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The role that is assumed first; `None` for the credentials at hand.
    pub primary: Option<Hop>,
    /// Which accounts.
    pub accounts: Accounts,
    /// Accounts that are left out.
    pub blocked: Vec<String>,
    /// The role in each account; `None` where only the primary account is asked.
    pub role: Option<RoleTemplate>,
    /// The external id of that role.
    pub external_id: Option<String>,
    /// The regions of each account.
    pub regions: Regions,
    /// The name of sessions.
    pub session_name: String,
}

/// The validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where snapshots are kept: a directory or a bucket.
    pub metadata: StoreUrl,
    /// Where changes go; may be empty.
    pub destinations: Vec<DestinationUrl>,
    /// Who is asked.
    pub estate: Estate,
    /// Attempts of one call, the first included.
    pub attempts: u32,
    /// Units at once.
    pub units_at_once: usize,
    /// The queue for work that is handed on.
    pub fan_out_queue: Option<String>,
    /// Accounts up to which a run does everything itself.
    pub fan_out_above: usize,
    /// Time kept for writing, handing on and answering.
    pub deadline_reserve: Duration,
    /// How long interfaces that vanished stay in the index; `None` when no index is written.
    pub index_keep: Option<Duration>,
    /// The settings of metrics.
    pub metrics: MetricConfig,
    /// Namespace of the function's metrics.
    pub metrics_namespace: String,
}

impl Config {
    /// Reads the configuration. `lookup` gives a variable's value; nothing else is asked.
    ///
    /// # Errors
    /// The first variable whose value cannot be used, with the problem and a valid example.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Config, SettingError> {
        let lookup = &lookup;
        let metadata: StoreUrl = METADATA
            .value(lookup)?
            .trim()
            .parse()
            .map_err(|error: StoreUrlError| METADATA.error(error))?;
        let destinations =
            DestinationUrl::list(&DESTINATIONS.value(lookup)?, BATCH_BYTES, Content::Changes)
                .map_err(|error| DESTINATIONS.error(error))?;
        for url in &destinations {
            if !url.packing.partitioning.is_none() {
                let problem =
                    "names of changes have their account, region and day: leave out partition";
                return Err(DESTINATIONS.error(format!("{url}: {problem}")));
            }
        }
        let queue = FAN_OUT_QUEUE.value(lookup)?.trim().to_owned();
        let schemes = ["https://", "http://"];
        if !queue.is_empty() && !schemes.iter().any(|scheme| queue.starts_with(scheme)) {
            return Err(FAN_OUT_QUEUE.error("it is not the URL of a queue"));
        }
        Ok(Config {
            metadata,
            destinations,
            estate: estate(lookup)?,
            attempts: ATTEMPTS.number(lookup, 1..=20)? as u32,
            units_at_once: units_at_once(lookup)?,
            fan_out_queue: (!queue.is_empty()).then_some(queue),
            fan_out_above: FAN_OUT_ABOVE.number(lookup, 1..=100_000)? as usize,
            deadline_reserve: Duration::from_millis(
                DEADLINE_RESERVE_MS.number(lookup, 0..=600_000)?,
            ),
            index_keep: index_keep(lookup)?,
            metrics: MetricConfig::from_lookup(lookup)?,
            metrics_namespace: METRICS_NAMESPACE.value(lookup)?.trim().to_owned(),
        })
    }
}

fn index_keep(lookup: &impl Fn(&str) -> Option<String>) -> Result<Option<Duration>, SettingError> {
    let hours = INDEX_KEEP_HOURS.number(lookup, 0..=8760)?;
    match INDEX.value(lookup)?.trim() {
        "true" => Ok(Some(Duration::from_secs(hours * 3600))),
        "false" => Ok(None),
        other => Err(INDEX.error(format!("{other:?} is neither true nor false"))),
    }
}

fn units_at_once(lookup: &impl Fn(&str) -> Option<String>) -> Result<usize, SettingError> {
    let memory = MEMORY_SIZE.number(lookup, 128..=1 << 20)?;
    let units = match UNITS_AT_ONCE.number(lookup, 0..=256)? {
        0 => (memory.saturating_sub(BASE_MIB) / UNIT_MIB).clamp(1, MAX_CHOSEN_UNITS),
        units => units,
    };
    Ok(units as usize)
}

fn estate(lookup: &impl Fn(&str) -> Option<String>) -> Result<Estate, SettingError> {
    let session_name = SESSION_NAME.value(lookup)?.trim().to_owned();
    check_session_name(&session_name).map_err(|error| SESSION_NAME.error(error))?;
    let given = |variable: &Variable| -> Result<Option<String>, SettingError> {
        let value = variable.value(lookup)?.trim().to_owned();
        Ok((!value.is_empty()).then_some(value))
    };
    if let Some(text) = given(&TARGETS)? {
        for other in [&PRIMARY_ROLE, &ACCOUNTS, &ROLE, &BLOCKED_ACCOUNTS] {
            if given(other)?.is_some() {
                return Err(TARGETS.error(format!(
                    "{} is set too; the list says everything about accounts and roles by itself",
                    other.name
                )));
            }
        }
        let targets =
            target::targets(&text, &session_name).map_err(|error| TARGETS.error(error))?;
        return Ok(Estate::Targets(targets));
    }
    let external_id = |variable: &Variable| -> Result<Option<String>, SettingError> {
        let id = given(variable)?;
        if let Some(id) = &id {
            check_external_id(id).map_err(|error| variable.error(error))?;
        }
        Ok(id)
    };
    let primary_external_id = external_id(&PRIMARY_EXTERNAL_ID)?;
    let primary = match given(&PRIMARY_ROLE)? {
        Some(arn) => {
            let role: RoleArn = arn.parse().map_err(|error| PRIMARY_ROLE.error(error))?;
            let hop = Hop::new(role, primary_external_id, session_name.clone());
            Some(hop.map_err(|error| PRIMARY_ROLE.error(error))?)
        }
        None if primary_external_id.is_some() => {
            return Err(
                PRIMARY_EXTERNAL_ID.error(format!("it is set without {}", PRIMARY_ROLE.name))
            );
        }
        None => None,
    };
    let accounts: Accounts = ACCOUNTS
        .value(lookup)?
        .parse()
        .map_err(|error| ACCOUNTS.error(error))?;
    let role = match given(&ROLE)? {
        Some(role) => Some(role.parse().map_err(|error| ROLE.error(error))?),
        None if accounts != Accounts::Own => {
            return Err(ROLE.error(format!(
                "it is not set, and {} names accounts that are entered by a role",
                ACCOUNTS.name
            )));
        }
        None => None,
    };
    Ok(Estate::Accounts(Box::new(Reach {
        primary,
        accounts,
        blocked: match given(&BLOCKED_ACCOUNTS)? {
            Some(ids) => {
                target::account_ids(&ids).map_err(|error| BLOCKED_ACCOUNTS.error(error))?
            }
            None => Vec::new(),
        },
        role,
        external_id: external_id(&EXTERNAL_ID)?,
        regions: REGIONS
            .value(lookup)?
            .parse()
            .map_err(|error| REGIONS.error(error))?,
        session_name,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            values
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::from_lookup(lookup).map_err(|error| error.to_string())
    }

    const PLACE: (&str, &str) = ("CLOUD_EXPORT_METADATA", "file:///metadata");

    #[test]
    fn defaults_are_those_of_the_table_and_examples_are_valid() {
        let plain = config(&[PLACE]).unwrap();
        assert_eq!((plain.units_at_once, plain.fan_out_above), (16, 4));
        assert_eq!(plain.index_keep, Some(Duration::from_secs(259_200)));
        let Estate::Accounts(reach) = plain.estate else {
            panic!("{:?}", plain.estate);
        };
        assert_eq!(
            (reach.accounts, reach.regions),
            (Accounts::Own, Regions::Enabled)
        );
        let role = (ROLE.name, ROLE.example);
        let primary = (PRIMARY_ROLE.name, PRIMARY_ROLE.example);
        for variable in VARIABLES {
            let mut values = vec![(variable.name, variable.example), PLACE];
            if variable.name != TARGETS.name {
                values.extend([role, primary]);
            }
            config(&values).unwrap();
        }
    }

    #[test]
    fn without_an_index_nothing_is_kept_in_it() {
        let config = config(&[PLACE, (INDEX.name, "false")]).unwrap();
        assert_eq!(config.index_keep, None);
    }

    #[test]
    fn units_at_once_follow_memory() {
        let at = |memory: &str| {
            let values = [PLACE, (MEMORY_SIZE.name, memory)];
            config(&values).unwrap().units_at_once
        };
        assert_eq!(
            (at("128"), at("512"), at("1088"), at("10240")),
            (1, 7, 16, 16)
        );
    }

    #[test]
    fn errors_name_the_setting_and_what_to_do() {
        for (values, expected) in [
            (
                vec![("CLOUD_EXPORT_METADATA", "stdout:")],
                "CLOUD_EXPORT_METADATA: \"stdout:\" is no place for objects",
            ),
            (
                vec![("CLOUD_EXPORT_PRIMARY_ROLE", "reader")],
                "CLOUD_EXPORT_PRIMARY_ROLE: \"reader\" is not the ARN",
            ),
            (
                vec![("CLOUD_EXPORT_PRIMARY_EXTERNAL_ID", "x1")],
                "CLOUD_EXPORT_PRIMARY_EXTERNAL_ID: it is set without CLOUD_EXPORT_PRIMARY_ROLE",
            ),
            (
                vec![("CLOUD_EXPORT_ACCOUNTS", "organization")],
                "CLOUD_EXPORT_ROLE: it is not set, and CLOUD_EXPORT_ACCOUNTS names",
            ),
            (
                vec![("CLOUD_EXPORT_ACCOUNTS", "12")],
                "CLOUD_EXPORT_ACCOUNTS: \"12\" is not an account id",
            ),
            (
                vec![("CLOUD_EXPORT_REGIONS", "mars")],
                "CLOUD_EXPORT_REGIONS: \"mars\" is not a region",
            ),
            (
                vec![("CLOUD_EXPORT_TARGETS", "[{\"x\": 1}]")],
                "CLOUD_EXPORT_TARGETS: targets[0].x: it is not known",
            ),
            (
                vec![("CLOUD_EXPORT_TARGETS", "[{}]"), ("CLOUD_EXPORT_ROLE", "r")],
                "CLOUD_EXPORT_TARGETS: CLOUD_EXPORT_ROLE is set too",
            ),
            (
                vec![("CLOUD_EXPORT_FAN_OUT_QUEUE", "units")],
                "CLOUD_EXPORT_FAN_OUT_QUEUE: it is not the URL",
            ),
            (
                vec![("CLOUD_EXPORT_UNITS_AT_ONCE", "300")],
                "CLOUD_EXPORT_UNITS_AT_ONCE: 300 is not between 0 and 256",
            ),
            (
                vec![("CLOUD_EXPORT_INDEX", "yes")],
                "CLOUD_EXPORT_INDEX: \"yes\" is neither true nor false",
            ),
        ] {
            let mut all = values.clone();
            all.push(PLACE);
            let error = config(&all).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(
            config(&[])
                .unwrap_err()
                .contains("CLOUD_EXPORT_METADATA: it is not set")
        );
    }
}
