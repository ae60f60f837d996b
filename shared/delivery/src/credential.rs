//! Credentials of destinations that are not AWS's: where they are kept, and how they are read.
//!
//! | text | read from |
//! | --- | --- |
//! | `env:NAME` | an environment variable |
//! | `secretsmanager:NAME-or-ARN` | AWS Secrets Manager, the current version, as it is |
//! | `secretsmanager:NAME-or-ARN#KEY` | the same: the member `KEY` of the JSON object that it is |
//! | `ssm:/NAME` or `ssm:ARN` | a parameter of AWS Systems Manager, decrypted |
//!
//! They are read once, at start. Line ends at the end of a value are left out: editors add them, and no header holds
//! them.

use std::fmt;
use std::str::FromStr;

use aws_config::SdkConfig;
use aws_smithy_types::base64;
use invocation::{JsonClient, JsonService};
use serde_json::{Value, json};
use telemetry::FailureClass;
use telemetry::describe::partition;

use crate::secret::Secret;
use crate::service_failure::ServiceUse;

/// Where a credential is kept. It prints as it is written, which holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An environment variable of that name.
    Environment(String),
    /// A secret of Secrets Manager.
    SecretsManager {
        /// Its name or ARN.
        id: String,
        /// The member of it that is meant; `None` for all of it.
        key: Option<String>,
    },
    /// A parameter of Systems Manager: its name or ARN, with `:version` or `:label` where one is wanted.
    Parameter(String),
}

/// Why a text names no credential. The text is not repeated: it may be the credential itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the text is no place of a credential: {0}; write env:NAME, secretsmanager:NAME or ssm:/NAME, and never the credential itself"
)]
pub struct CredentialTextError(&'static str);

/// Why a credential could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the credential {credential} cannot be read: {reason}")]
pub struct CredentialError {
    /// What has to happen before it can be.
    pub class: FailureClass,
    /// Where it is kept.
    pub credential: Credential,
    /// What happened, and what to do.
    pub reason: String,
}

impl FromStr for Credential {
    type Err = CredentialTextError;

    fn from_str(text: &str) -> Result<Credential, CredentialTextError> {
        let error = |reason| Err(CredentialTextError(reason));
        let Some((kind, place)) = text.split_once(':') else {
            return error("it does not say where the credential is kept");
        };
        if place.is_empty() {
            return error("nothing stands after the colon");
        }
        match kind {
            "env" if is_variable_name(place) => Ok(Credential::Environment(place.to_owned())),
            "env" => error("the name of the environment variable is not one"),
            "secretsmanager" => {
                let (id, key) = match place.split_once('#') {
                    Some((id, key)) => (id, Some(key)),
                    None => (place, None),
                };
                if key == Some("") {
                    return error("nothing stands after #");
                }
                match is_name(id, "secretsmanager", "/_+=.@-") {
                    true => Ok(Credential::SecretsManager {
                        id: id.to_owned(),
                        key: key.map(str::to_owned),
                    }),
                    false => error("the name or ARN of the secret is not one"),
                }
            }
            "ssm" if is_name(place, "ssm", "/_.-:") => Ok(Credential::Parameter(place.to_owned())),
            "ssm" => error("the name or ARN of the parameter is not one"),
            _ => error("credentials are kept in env, secretsmanager or ssm"),
        }
    }
}

/// The rule of POSIX for portable names ("Environment variables", *Base Definitions*).
fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a text is an ARN of a service, or a name of letters, digits and `others`.
fn is_name(text: &str, service: &str, others: &str) -> bool {
    match text.starts_with("arn:") {
        true => region_of_arn(text, service).is_some(),
        false => text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c)),
    }
}

/// The region in an ARN of a service: `arn:aws:ssm:eu-west-1:123456789012:parameter/name`.
fn region_of_arn<'a>(arn: &'a str, service: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let _arn = parts.next().filter(|part| *part == "arn")?;
    let _partition = parts.next()?;
    let _service = parts.next().filter(|part| *part == service)?;
    let region = parts.next()?;
    let _account = parts.next()?;
    let _resource = parts.next().filter(|part| !part.is_empty())?;
    partition::of_region(region).map(|_| region)
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Environment(name) => write!(f, "env:{name}"),
            Credential::SecretsManager { id, key: None } => write!(f, "secretsmanager:{id}"),
            Credential::SecretsManager { id, key: Some(key) } => {
                write!(f, "secretsmanager:{id}#{key}")
            }
            Credential::Parameter(name) => write!(f, "ssm:{name}"),
        }
    }
}

/// What a service is asked for, and where in its answer the value is.
struct Question<'c> {
    service: JsonService,
    operation: &'static str,
    action: &'static str,
    id: &'c str,
    kind: &'static str,
    input: Value,
}

impl Credential {
    /// Reads the credential. `variable` gives an environment variable's value, and `sdk` says how AWS is reached; an
    /// ARN is read in its own region.
    ///
    /// # Errors
    /// It is not there, may not be read, or is empty.
    pub async fn read(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        sdk: &SdkConfig,
    ) -> Result<Secret, CredentialError> {
        let value = match self {
            Credential::Environment(name) => variable(name)
                .ok_or_else(|| self.error(format!("the environment variable {name} is not set")))?,
            Credential::SecretsManager { id, key } => {
                let question = Question {
                    service: JsonService::SecretsManager,
                    operation: "GetSecretValue",
                    action: "secretsmanager:GetSecretValue",
                    id,
                    kind: "secret",
                    input: json!({"SecretId": id}),
                };
                let value = secret_text(&self.ask(&question, sdk).await?);
                let value = value.ok_or_else(|| self.error("it is neither text nor UTF-8"))?;
                match key {
                    None => value,
                    Some(key) => self.member(&value, key)?,
                }
            }
            Credential::Parameter(name) => {
                let question = Question {
                    service: JsonService::Ssm,
                    operation: "GetParameter",
                    action: "ssm:GetParameter",
                    id: name,
                    kind: "parameter",
                    input: json!({"Name": name, "WithDecryption": true}),
                };
                let answer = self.ask(&question, sdk).await?;
                let value = answer.pointer("/Parameter/Value").and_then(Value::as_str);
                let value = value.map(str::to_owned);
                value.ok_or_else(|| self.error("Systems Manager answered without a value"))?
            }
        };
        match value.trim_end_matches(['\r', '\n']) {
            "" => Err(self.error("it is empty")),
            value => Ok(Secret::new(value)),
        }
    }

    async fn ask(
        &self,
        question: &Question<'_>,
        sdk: &SdkConfig,
    ) -> Result<Value, CredentialError> {
        let Question {
            service, id, kind, ..
        } = *question;
        let name = service.name();
        let client = JsonClient::new(sdk, service, region_of_arn(id, name));
        let client = client.map_err(|error| self.error(error.to_string()))?;
        let answered = client
            .call(question.operation, question.input.to_string().into_bytes())
            .await;
        answered.map(|answered| answered.value).map_err(|error| {
            let region = client.region();
            let partition = partition::of_region(region).map_or("aws", |p| p.name);
            let resource = match service {
                _ if id.starts_with("arn:") => id.to_owned(),
                // Secrets Manager ends the ARN of a secret with six characters of its own.
                JsonService::SecretsManager => {
                    format!("arn:{partition}:{name}:{region}:*:secret:{id}-??????")
                }
                _ => format!(
                    "arn:{partition}:{name}:{region}:*:parameter/{}",
                    id.trim_start_matches('/').split(':').next().unwrap_or(id)
                ),
            };
            let failure = ServiceUse {
                action: question.action,
                what: &format!("{kind} {id} in {region}"),
                resource: &resource,
            }
            .failure(&error);
            CredentialError {
                class: failure.class,
                credential: self.clone(),
                reason: failure.reason,
            }
        })
    }

    /// The member of a secret that is a JSON object, as Secrets Manager's console writes them.
    fn member(&self, secret: &str, key: &str) -> Result<String, CredentialError> {
        // Not the parser's words: they may quote the secret.
        let object: Value = serde_json::from_str(secret)
            .map_err(|_| self.error("it is not JSON; leave #key out to use all of it"))?;
        match object.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => Err(self.error(format!("its member {key} is not text"))),
            None => Err(self.error(format!("it has no member {key}"))),
        }
    }

    fn error(&self, reason: impl Into<String>) -> CredentialError {
        CredentialError {
            class: FailureClass::Config,
            credential: self.clone(),
            reason: reason.into(),
        }
    }
}

/// The text of a secret that was stored as text, or as bytes that are text.
fn secret_text(answer: &Value) -> Option<String> {
    let member = |name: &str| answer.get(name).and_then(Value::as_str);
    if let Some(text) = member("SecretString") {
        return Some(text.to_owned());
    }
    let bytes = base64::decode(member("SecretBinary")?).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
