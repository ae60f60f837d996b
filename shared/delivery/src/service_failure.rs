//! What errors of AWS services mean for those who call them; S3's have a table of their own in
//! [`crate::s3`].

use invocation::service_call::CallError;
use telemetry::FailureClass;
use telemetry::describe::state::State;

/// A call that failed, explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ServiceFailure {
    /// What has to happen before the call can succeed.
    pub class: FailureClass,
    /// AWS's error code, or what kept the call from being answered.
    pub code: String,
    /// What happened, and what to do.
    pub reason: String,
}

/// The use of a service that failed, for the explanation.
#[derive(Debug, Clone, Copy)]
pub struct ServiceUse<'u> {
    /// The IAM action, such as `firehose:PutRecordBatch`.
    pub action: &'u str,
    /// What it is done to, for people: `the stream flows in us-east-1`.
    pub what: &'u str,
    /// The resource that the action has to be allowed on, as an IAM policy writes it.
    pub resource: &'u str,
}

/// What a row of the table below asks of the operator.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Denied,
    Missing,
    Key,
    Credentials,
    Refused,
    Again,
}

/// Error codes whose status does not say what to do ("Common errors" and the errors of each operation, in the API
/// references of Firehose, Secrets Manager and Systems Manager).
const MEANINGS: &[(&str, FailureClass, Meaning)] = &[
    (
        "AccessDeniedException",
        FailureClass::Config,
        Meaning::Denied,
    ),
    ("AccessDenied", FailureClass::Config, Meaning::Denied),
    ("NotAuthorized", FailureClass::Config, Meaning::Denied),
    (
        "ResourceNotFoundException",
        FailureClass::Config,
        Meaning::Missing,
    ),
    ("ParameterNotFound", FailureClass::Config, Meaning::Missing),
    (
        "ParameterVersionNotFound",
        FailureClass::Config,
        Meaning::Missing,
    ),
    ("DecryptionFailure", FailureClass::Config, Meaning::Key),
    ("InvalidKeyId", FailureClass::Config, Meaning::Key),
    (
        "InvalidKMSResourceException",
        FailureClass::Config,
        Meaning::Key,
    ),
    (
        "UnrecognizedClientException",
        FailureClass::Config,
        Meaning::Credentials,
    ),
    (
        "InvalidClientTokenId",
        FailureClass::Config,
        Meaning::Credentials,
    ),
    (
        "InvalidSignatureException",
        FailureClass::Config,
        Meaning::Credentials,
    ),
    (
        "SignatureDoesNotMatch",
        FailureClass::Config,
        Meaning::Credentials,
    ),
    (
        "IncompleteSignature",
        FailureClass::Config,
        Meaning::Credentials,
    ),
    (
        "MissingAuthenticationTokenException",
        FailureClass::Config,
        Meaning::Credentials,
    ),
    // Fresh ones come by themselves.
    (
        "ExpiredTokenException",
        FailureClass::Retry,
        Meaning::Credentials,
    ),
    (
        "InvalidArgumentException",
        FailureClass::Config,
        Meaning::Refused,
    ),
    (
        "InvalidParameterException",
        FailureClass::Config,
        Meaning::Refused,
    ),
    (
        "InvalidRequestException",
        FailureClass::Config,
        Meaning::Refused,
    ),
    (
        "InvalidSourceException",
        FailureClass::Config,
        Meaning::Refused,
    ),
    (
        "ValidationException",
        FailureClass::Config,
        Meaning::Refused,
    ),
    // Whatever their status.
    (
        "ServiceUnavailableException",
        FailureClass::Retry,
        Meaning::Again,
    ),
    ("InternalFailure", FailureClass::Retry, Meaning::Again),
    ("InternalServerError", FailureClass::Retry, Meaning::Again),
    ("InternalServiceError", FailureClass::Retry, Meaning::Again),
    ("Unreachable", FailureClass::Retry, Meaning::Again),
    ("Timeout", FailureClass::Retry, Meaning::Again),
    ("CutAnswer", FailureClass::Retry, Meaning::Again),
    ("UnreadableAnswer", FailureClass::Retry, Meaning::Again),
];

/// How much of AWS's message is repeated, in characters.
const MESSAGE_KEPT: usize = 300;

impl ServiceUse<'_> {
    /// Explains an error of this use.
    pub fn failure(&self, error: &CallError) -> ServiceFailure {
        let code = &*error.failure.code;
        let message = &*error.failure.message;
        let known = MEANINGS.iter().find(|(name, ..)| *name == code);
        let passes = error.failure.state == State::Throttled
            || error
                .status
                .is_some_and(|s| s >= 500 || matches!(s, 408 | 429));
        let (class, meaning) = match known {
            Some((_, class, meaning)) => (*class, *meaning),
            None if passes => (FailureClass::Retry, Meaning::Again),
            None if code.starts_with("KMS") => (FailureClass::Config, Meaning::Key),
            None => (FailureClass::Config, Meaning::Refused),
        };
        // Secrets Manager says only in words which permission is missing.
        let meaning = match meaning {
            Meaning::Denied if message.contains("kms:") || message.contains("KMS") => Meaning::Key,
            meaning => meaning,
        };
        let ServiceUse {
            action,
            what,
            resource,
        } = self;
        let answered = match error.status {
            Some(status) => format!("{action} on {what} was answered {status} {code}"),
            None => format!("{action} on {what} got no answer ({code})"),
        };
        let advice = match meaning {
            Meaning::Denied => format!("allow {action} on {resource} in the function's role"),
            Meaning::Missing => format!("there is no {what}: check its name, region and account"),
            Meaning::Key => format!(
                "the KMS key of {what} cannot be used: allow kms:Decrypt on it in the function's role and in the key policy, and check that the key is enabled"
            ),
            Meaning::Credentials => "AWS does not accept the credentials: check the function's role, the clock, and that the region is enabled in the account".to_owned(),
            Meaning::Again => printable(message),
            Meaning::Refused => format!("{}; see {code} in the service's API Reference", printable(message)),
        };
        ServiceFailure {
            class,
            code: code.to_owned(),
            reason: format!("{answered}: {advice}"),
        }
    }
}

/// A message as one line, cut where it is long.
pub(crate) fn printable(message: &str) -> String {
    let words = message.trim().trim_end_matches('.');
    let words = words.chars().take(MESSAGE_KEPT);
    let plain = words.map(|c| if c.is_control() { ' ' } else { c });
    match plain.collect::<String>() {
        said if said.is_empty() => "the service does not say why".to_owned(),
        said => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry::describe::state::CallFailure;

    fn failure(code: &str, message: &str, status: u16) -> ServiceFailure {
        let call = CallError {
            failure: CallFailure::of_code(code, message, None),
            status: Some(status),
            attempts: 1,
        };
        let put = ServiceUse {
            action: "firehose:PutRecordBatch",
            what: "stream flows in us-east-1",
            resource: "arn:aws:firehose:us-east-1:*:deliverystream/flows",
        };
        put.failure(&call)
    }

    #[test]
    fn each_error_says_what_has_to_happen() {
        use FailureClass::{Config, Retry};
        for (code, message, status, class, said) in [
            (
                "AccessDeniedException",
                "User is not authorized",
                400,
                Config,
                "allow firehose:PutRecordBatch on arn:aws:firehose:us-east-1:*:deliverystream/flows",
            ),
            (
                "AccessDeniedException",
                "Access to KMS is not allowed",
                400,
                Config,
                "allow kms:Decrypt",
            ),
            (
                "KMSAccessDeniedException",
                "",
                400,
                Config,
                "allow kms:Decrypt",
            ),
            (
                "ResourceNotFoundException",
                "Firehose flows not found",
                400,
                Config,
                "there is no stream flows in us-east-1",
            ),
            (
                "UnrecognizedClientException",
                "",
                400,
                Config,
                "credentials",
            ),
            ("ExpiredTokenException", "", 400, Retry, "credentials"),
            (
                "ThrottlingException",
                "Rate exceeded",
                400,
                Retry,
                "Rate exceeded",
            ),
            (
                "ServiceUnavailableException",
                "Slow down.",
                503,
                Retry,
                ": Slow down",
            ),
            ("InternalFailure", "", 500, Retry, "does not say why"),
            ("SomethingNew", "later", 500, Retry, "later"),
            (
                "SomethingNew",
                "line\nbreak",
                400,
                Config,
                "line break; see SomethingNew",
            ),
            (
                "InvalidSourceException",
                "CloudWatch only",
                400,
                Config,
                "CloudWatch only",
            ),
        ] {
            let failure = failure(code, message, status);
            assert_eq!((failure.class, &*failure.code), (class, code), "{failure}");
            assert!(failure.reason.contains(said), "{failure}");
            let at = format!("on stream flows in us-east-1 was answered {status} {code}: ");
            assert!(failure.reason.contains(&at), "{failure}");
        }
    }

    #[test]
    fn no_table_row_stands_twice_and_long_messages_are_cut() {
        for (at, (code, ..)) in MEANINGS.iter().enumerate() {
            assert!(
                MEANINGS
                    .iter()
                    .skip(at + 1)
                    .all(|(other, ..)| other != code)
            );
        }
        let failure = failure("SomethingNew", &"é".repeat(5000), 400);
        assert!(failure.reason.chars().count() < 600);
    }
}
