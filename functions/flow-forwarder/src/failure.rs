//! Why an object or a message was not forwarded.

use delivery::DeliveryError;
use delivery::encoding::EncodingError;
use delivery::s3::S3Failure;
use telemetry::{FailureClass, ReadError};

/// A failure of one object or message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What has to happen before it can succeed.
    pub class: FailureClass,
    /// Where it arose and as what: `Source.NoSuchKey`, `Read.corrupt`, `Delivery.AccessDenied`,
    /// `Deadline`, `Event`. Stable, for logs, metrics and error types.
    pub code: String,
    /// A sentence for the operator.
    pub message: String,
}

/// The code of [`Failure::deadline`].
const DEADLINE: &str = "Deadline";

impl Failure {
    /// The deadline came before the work was done.
    pub fn deadline() -> Failure {
        Failure {
            class: FailureClass::Retry,
            code: DEADLINE.to_owned(),
            message: "the invocation's time was over before the object was done; it is handed back to be tried again. If it comes back every time, raise the function's timeout or memory".to_owned(),
        }
    }

    /// Whether the deadline is what it failed at, so that nothing is known to be wrong with the work.
    pub fn is_deadline(&self) -> bool {
        self.code == DEADLINE
    }

    /// The message is no event.
    pub fn event(reason: &str) -> Failure {
        Failure {
            class: FailureClass::Poison,
            code: "Event".to_owned(),
            message: format!("the message cannot be processed: {reason}"),
        }
    }

    /// A defect of this program, met while reading an object.
    pub fn panicked() -> Failure {
        Failure {
            class: FailureClass::Poison,
            code: "Read.panicked".to_owned(),
            message: "reading the object stopped at a defect of this program; keep the object and report it".to_owned(),
        }
    }

    /// The error type for Lambda and for metrics: `Retry.Source.Timeout`.
    pub fn error_type(&self) -> String {
        format!("{}.{}", self.class, self.code)
    }
}

impl From<S3Failure> for Failure {
    fn from(
        S3Failure {
            class,
            code,
            reason,
        }: S3Failure,
    ) -> Failure {
        Failure {
            class,
            code: format!("Source.{code}"),
            message: reason,
        }
    }
}

impl From<DeliveryError> for Failure {
    fn from(error: DeliveryError) -> Failure {
        Failure {
            class: error.class,
            code: format!("Delivery.{}", error.code),
            message: error.to_string(),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        Failure {
            class: error.class(),
            code: format!("Read.{}", error.label()),
            message: error.to_string(),
        }
    }
}

impl From<EncodingError> for Failure {
    fn from(error: EncodingError) -> Failure {
        Failure {
            class: FailureClass::Poison,
            code: "Encoding".to_owned(),
            message: error.to_string(),
        }
    }
}
