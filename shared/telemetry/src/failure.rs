//! The class of a failure, given where it arises: it decides what happens next, its text never does.

use std::fmt;

/// What has to happen before the work can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// Time: the network, throttling, an error of the service. The same work may succeed later.
    Retry,
    /// Nothing: this object or record can never be read.
    Poison,
    /// A person: a permission, a key, a setting or a bucket is missing.
    Config,
}

impl FailureClass {
    /// The name in logs, metrics and error types.
    pub fn label(self) -> &'static str {
        match self {
            FailureClass::Retry => "Retry",
            FailureClass::Poison => "Poison",
            FailureClass::Config => "Config",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
