//! Targets: which accounts are asked, where, and through which roles.
//!
//! A target is an account, its regions and a chain of hops: roles that are assumed one after the
//! other, each with the credentials of the one before. A chain of a Lambda function always starts from a
//! role, so that each hop lasts an hour at most ("Role chaining", *IAM User Guide*).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::describe::partition::{self, Partition};

/// The ARN of an IAM role: `arn:<partition>:iam::<account>:role/<path><name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleArn {
    /// The partition's name.
    pub partition: String,
    /// The account, twelve digits.
    pub account: String,
    /// The role's name, with its path if it has one.
    pub name: String,
}

/// One role to assume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    /// The role.
    pub role: RoleArn,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// The name that the other account's CloudTrail shows.
    pub session_name: String,
}

/// Which regions of an account are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// Those that the account has enabled.
    Enabled,
    /// These.
    Listed(Vec<String>),
}

/// An account to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The account; `None` for the one that the credentials belong to.
    pub account: Option<String>,
    /// Its regions.
    pub regions: Regions,
    /// The roles on the way, outermost first; empty for the credentials at hand.
    pub chain: Vec<Hop>,
}

/// A role's ARN with places for the partition and the account: `{partition}` and `{account}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleTemplate(String);

/// Which accounts are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// The one that the primary role, or without one the credentials, belong to.
    Own,
    /// These.
    Listed(Vec<String>),
    /// Every active account of the organization.
    Organization,
}

/// Why a text is no setting of a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

fn error<T>(text: impl Into<String>) -> Result<T, TargetError> {
    Err(TargetError(text.into()))
}

impl RoleArn {
    /// The partition.
    pub fn partition(&self) -> Option<&'static Partition> {
        partition::named(&self.partition)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RoleArn {
            partition,
            account,
            name,
        } = self;
        write!(f, "arn:{partition}:iam::{account}:role/{name}")
    }
}

impl FromStr for RoleArn {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<RoleArn, TargetError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, iam, region, account, resource] = *parts.as_slice() else {
            return error(format!("{text:?} is not the ARN of a role"));
        };
        let Some(name) = resource.strip_prefix("role/") else {
            return error(format!("{text:?} is not the ARN of a role"));
        };
        if (arn, iam, region) != ("arn", "iam", "") {
            return error(format!("{text:?} is not the ARN of a role"));
        }
        if partition::named(partition).is_none() {
            return error(format!(
                "{text:?} names the unknown partition {partition:?}"
            ));
        }
        if !partition::is_account_id(account) {
            return error(format!("{text:?}: an account has twelve digits"));
        }
        if !is_role_name(name) {
            return error(format!("{text:?}: {name:?} cannot be the name of a role"));
        }
        Ok(RoleArn {
            partition: partition.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// A role's path and name ("IAM identifiers", *IAM User Guide*).
fn is_role_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    (1..=64).contains(&name.len())
        && path.len() <= 512
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b))
        && !path.starts_with('/')
        && !path.contains("//")
}

impl Hop {
    /// A hop.
    ///
    /// # Errors
    /// An external id or a session name that STS would refuse (`AssumeRole`, *STS API Reference*).
    pub fn new(
        role: RoleArn,
        external_id: Option<String>,
        session_name: String,
    ) -> Result<Hop, TargetError> {
        if let Some(id) = &external_id {
            check_external_id(id)?;
        }
        check_session_name(&session_name)?;
        Ok(Hop {
            role,
            external_id,
            session_name,
        })
    }
}

/// Checks an external id.
///
/// # Errors
/// It is not 2 to 1,224 characters of those that STS takes.
pub fn check_external_id(id: &str) -> Result<(), TargetError> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if !(2..=1224).contains(&id.len()) || !id.bytes().all(valid) {
        // The id itself stays out of messages: some treat it as a secret.
        return error("an external id has 2 to 1224 letters, digits or characters of _+=,.@:/-");
    }
    Ok(())
}

/// Checks a session name.
///
/// # Errors
/// It is not 2 to 64 characters of those that STS takes.
pub fn check_session_name(name: &str) -> Result<(), TargetError> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(valid) {
        return error(format!(
            "{name:?} is not a session name: 2 to 64 letters, digits or characters of _+=,.@-"
        ));
    }
    Ok(())
}

impl FromStr for RoleTemplate {
    type Err = TargetError;

    /// A role's name, with its path if it has one; or an ARN with `{account}` and, if wanted,
    /// `{partition}`.
    fn from_str(text: &str) -> Result<RoleTemplate, TargetError> {
        let template = if text.starts_with("arn:") {
            if !text.contains("{account}") {
                return error(format!(
                    "{text:?} would be the same role in every account: write {{account}} where the account goes"
                ));
            }
            RoleTemplate(text.to_owned())
        } else {
            RoleTemplate(format!("arn:{{partition}}:iam::{{account}}:role/{text}"))
        };
        template.in_account("aws", "123456789012")?;
        Ok(template)
    }
}

impl RoleTemplate {
    /// The role in an account of a partition.
    ///
    /// # Errors
    /// The template does not make the ARN of a role.
    pub fn in_account(&self, partition: &str, account: &str) -> Result<RoleArn, TargetError> {
        self.0
            .replace("{partition}", partition)
            .replace("{account}", account)
            .parse()
    }
}

/// Reads a list of account ids separated by commas or spaces.
///
/// # Errors
/// The first part that is not an account id.
pub fn account_ids(text: &str) -> Result<Vec<String>, TargetError> {
    listed(text, |id| match partition::is_account_id(id) {
        true => Ok(()),
        false => error(format!(
            "{id:?} is not an account id: those have twelve digits"
        )),
    })
}

impl FromStr for Accounts {
    type Err = TargetError;

    /// Nothing, `organization`, or account ids.
    fn from_str(text: &str) -> Result<Accounts, TargetError> {
        match text.trim() {
            "" => Ok(Accounts::Own),
            "organization" => Ok(Accounts::Organization),
            ids => account_ids(ids).map(Accounts::Listed),
        }
    }
}

impl FromStr for Regions {
    type Err = TargetError;

    /// `enabled`, or names of regions.
    fn from_str(text: &str) -> Result<Regions, TargetError> {
        match text.trim() {
            "enabled" => Ok(Regions::Enabled),
            names => listed(names, |name| match partition::of_region(name) {
                Some(_) => Ok(()),
                None => error(format!("{name:?} is not a region such as eu-west-1")),
            })
            .map(Regions::Listed),
        }
    }
}

fn listed(
    text: &str,
    check: impl Fn(&str) -> Result<(), TargetError>,
) -> Result<Vec<String>, TargetError> {
    let mut parts = Vec::new();
    for part in text
        .split([',', ' ', '\n', '\t'])
        .filter(|part| !part.is_empty())
    {
        check(part)?;
        if !parts.iter().any(|known| known == part) {
            parts.push(part.to_owned());
        }
    }
    if parts.is_empty() {
        return error("the list is empty");
    }
    Ok(parts)
}

impl Target {
    /// The target as [`target`] reads it.
    pub fn to_json(&self) -> Value {
        let hop = |hop: &Hop| {
            let mut described = Map::from_iter([
                ("role".to_owned(), json!(hop.role.to_string())),
                ("session_name".to_owned(), json!(hop.session_name)),
            ]);
            described.extend(
                hop.external_id
                    .iter()
                    .map(|id| ("external_id".to_owned(), json!(id))),
            );
            Value::Object(described)
        };
        let account = self
            .account
            .iter()
            .map(|id| ("account".to_owned(), json!(id)));
        let rest = json!({
            "regions": match &self.regions {
                Regions::Enabled => json!("enabled"),
                Regions::Listed(names) => json!(names),
            },
            "chain": self.chain.iter().map(hop).collect::<Vec<_>>(),
        });
        let rest = rest.as_object().cloned().unwrap_or_default();
        Value::Object(account.chain(rest).collect())
    }
}

/// Reads targets written as a JSON list, for chains of any length:
///
/// ```json
/// [{"account": "222222222222", "regions": ["eu-west-1"],
///   "chain": [{"role": "arn:aws:iam::111111111111:role/hub", "external_id": "x1", "session_name": "cloud-export"},
///             {"role": "arn:aws:iam::222222222222:role/reader"}]}]
/// ```
///
/// `account` may be left out: it is the last role's. `regions` may be left out or `"enabled"`.
///
/// # Errors
/// The place in the list and what is wrong there: `targets[3].chain[1]: "x" is not the ARN of a role`.
pub fn targets(text: &str, session_name: &str) -> Result<Vec<Target>, TargetError> {
    let list: Value = serde_json::from_str(text)
        .map_err(|e| TargetError(format!("the list of targets is not JSON: {e}")))?;
    let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
        return error("the targets are not a list of at least one");
    };
    list.iter()
        .enumerate()
        .map(|(at, described)| {
            target(described, session_name)
                .map_err(|TargetError(reason)| TargetError(format!("targets[{at}]{reason}")))
        })
        .collect()
}

/// Reads one target, as [`targets`] reads the elements of its list.
///
/// # Errors
/// The place within the target and what is wrong there.
pub fn target(described: &Value, session_name: &str) -> Result<Target, TargetError> {
    known_members(described, &["account", "regions", "chain"])?;
    let chain = match described.get("chain") {
        None => Vec::new(),
        Some(Value::Array(hops)) => hops
            .iter()
            .enumerate()
            .map(|(at, described)| {
                hop(described, session_name)
                    .map_err(|TargetError(reason)| TargetError(format!(".chain[{at}]{reason}")))
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return error(".chain: it is not a list"),
    };
    let account = match described.get("account") {
        None => chain.last().map(|hop: &Hop| hop.role.account.clone()),
        Some(Value::String(id)) if partition::is_account_id(id) => Some(id.clone()),
        Some(other) => {
            return error(format!(".account: {other} is not a text of twelve digits"));
        }
    };
    if let (Some(account), Some(last)) = (&account, chain.last())
        && last.role.account != *account
    {
        return error(format!(
            ".chain: it ends in account {}, not in {account}",
            last.role.account
        ));
    }
    let regions = match described.get("regions") {
        None => Regions::Enabled,
        Some(Value::String(text)) => text
            .parse()
            .map_err(|TargetError(reason)| TargetError(format!(".regions: {reason}")))?,
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            let names = names.ok_or_else(|| TargetError(".regions: they are not texts".into()))?;
            names
                .join(",")
                .parse()
                .map_err(|TargetError(reason)| TargetError(format!(".regions: {reason}")))?
        }
        Some(_) => return error(".regions: they are neither a list nor \"enabled\""),
    };
    Ok(Target {
        account,
        regions,
        chain,
    })
}

fn hop(described: &Value, session_name: &str) -> Result<Hop, TargetError> {
    known_members(described, &["role", "external_id", "session_name"])?;
    let text = |name: &str| match described.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => error(format!(".{name}: it is not a text")),
    };
    let Some(role) = text("role")? else {
        return error(": the role is missing");
    };
    let named = |name: &str| {
        let name = name.to_owned();
        move |TargetError(reason): TargetError| TargetError(format!("{name}: {reason}"))
    };
    let session_name = text("session_name")?.unwrap_or_else(|| session_name.to_owned());
    Hop::new(
        role.parse().map_err(named(".role"))?,
        text("external_id")?,
        session_name,
    )
    .map_err(named(""))
}

fn known_members(described: &Value, known: &[&str]) -> Result<(), TargetError> {
    let Some(members) = described.as_object() else {
        return error(": it is not an object");
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => error(format!(
            ".{unknown}: it is not known; known are {}",
            known.join(", ")
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_are_read_and_written_alike() {
        for arn in [
            "arn:aws:iam::123456789012:role/reader",
            "arn:aws-cn:iam::123456789012:role/network/ops/reader",
            "arn:aws-us-gov:iam::123456789012:role/a+b=c,d.e@f-g_h",
        ] {
            assert_eq!(arn.parse::<RoleArn>().unwrap().to_string(), arn);
        }
        for (arn, reason) in [
            ("reader", "not the ARN of a role"),
            ("arn:aws:iam::123456789012:user/x", "not the ARN of a role"),
            ("arn:aws:sts::123456789012:role/x", "not the ARN of a role"),
            ("arn:aws:iam:123456789012:role/x", "not the ARN of a role"),
            (
                "arn:mars:iam::123456789012:role/x",
                "unknown partition \"mars\"",
            ),
            ("arn:aws:iam::12345:role/x", "twelve digits"),
            ("arn:aws:iam::123456789012:role/", "cannot be the name"),
            ("arn:aws:iam::123456789012:role/a b", "cannot be the name"),
            ("arn:aws:iam::123456789012:role//x", "cannot be the name"),
        ] {
            let error = arn.parse::<RoleArn>().unwrap_err().to_string();
            assert!(error.contains(reason), "{arn}: {error}");
        }
    }

    #[test]
    fn a_role_of_every_account_is_a_name_or_an_arn_with_a_place_for_the_account() {
        let role = |template: &str| -> Result<String, TargetError> {
            let template: RoleTemplate = template.parse()?;
            Ok(template.in_account("aws-cn", "210987654321")?.to_string())
        };
        assert_eq!(
            role("ops/reader").unwrap(),
            "arn:aws-cn:iam::210987654321:role/ops/reader"
        );
        assert_eq!(
            role("arn:{partition}:iam::{account}:role/r-{account}").unwrap(),
            "arn:aws-cn:iam::210987654321:role/r-210987654321"
        );
        assert!(role("arn:aws:iam::123456789012:role/x").is_err());
        assert!(role("a b").is_err());
    }

    #[test]
    fn lists_of_accounts_and_regions() {
        assert_eq!("".parse(), Ok(Accounts::Own));
        assert_eq!("organization".parse(), Ok(Accounts::Organization));
        assert_eq!(
            "111111111111, 222222222222,111111111111".parse(),
            Ok(Accounts::Listed(vec![
                "111111111111".into(),
                "222222222222".into()
            ]))
        );
        assert!(
            "1111"
                .parse::<Accounts>()
                .unwrap_err()
                .0
                .contains("\"1111\"")
        );
        assert_eq!("enabled".parse(), Ok(Regions::Enabled));
        assert_eq!(
            "eu-west-1 us-east-1".parse(),
            Ok(Regions::Listed(vec![
                "eu-west-1".into(),
                "us-east-1".into()
            ]))
        );
        for wrong in ["", "all", "eu-west", "global"] {
            assert!(wrong.parse::<Regions>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn chains_of_any_length_are_read() {
        let text = r#"[{"regions": ["eu-west-1"], "chain": [
            {"role": "arn:aws:iam::111111111111:role/hub", "external_id": "x1"},
            {"role": "arn:aws:iam::222222222222:role/mid", "session_name": "netops"},
            {"role": "arn:aws:iam::333333333333:role/leaf"}]},
            {"account": "444444444444"}]"#;
        let targets = targets(text, "cloud-export").unwrap();
        assert_eq!(targets[0].account.as_deref(), Some("333333333333"));
        let sessions: Vec<&str> = targets[0]
            .chain
            .iter()
            .map(|hop| hop.session_name.as_str())
            .collect();
        assert_eq!(sessions, ["cloud-export", "netops", "cloud-export"]);
        for described in &targets {
            assert_eq!(
                target(&described.to_json(), "other").as_ref(),
                Ok(described)
            );
        }
        assert_eq!(
            targets[1],
            Target {
                account: Some("444444444444".into()),
                regions: Regions::Enabled,
                chain: vec![]
            }
        );
    }

    #[test]
    fn errors_say_where_in_the_list_and_what() {
        for (text, expected) in [
            ("{}", "the targets are not a list of at least one"),
            ("[1]", "targets[0]: it is not an object"),
            (
                r#"[{}, {"regionz": []}]"#,
                "targets[1].regionz: it is not known; known are account, regions, chain",
            ),
            (
                r#"[{"chain": [{"external_id": "x1"}]}]"#,
                "targets[0].chain[0]: the role is missing",
            ),
            (
                r#"[{"chain": [{"role": "x"}]}]"#,
                "targets[0].chain[0].role: \"x\" is not the ARN of a role",
            ),
            (
                r#"[{"chain": [{"role": "arn:aws:iam::111111111111:role/a", "external_id": "!"}]}]"#,
                "targets[0].chain[0]: an external id has 2 to 1224 letters, digits or characters of _+=,.@:/-",
            ),
            (
                r#"[{"account": "222222222222", "chain": [{"role": "arn:aws:iam::111111111111:role/a"}]}]"#,
                "targets[0].chain: it ends in account 111111111111, not in 222222222222",
            ),
            (
                r#"[{"regions": ["mars"]}]"#,
                "targets[0].regions: \"mars\" is not a region such as eu-west-1",
            ),
        ] {
            assert_eq!(
                targets(text, "cloud-export").unwrap_err().to_string(),
                expected
            );
        }
        assert!(
            targets("nonsense", "cloud-export")
                .unwrap_err()
                .0
                .contains("not JSON")
        );
        assert!(check_session_name("a").is_err() && check_session_name("a b").is_err());
    }
}
