//! How asking an endpoint ended: states, and the error codes that mean them.

use std::fmt;

/// How asking an endpoint in one account and region ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Answered, with rows.
    Ok,
    /// Answered: there are none.
    Empty,
    /// A permission is missing, or the account has not subscribed to the service.
    Denied,
    /// Asked too often, and no attempt got through.
    Throttled,
    /// The region is not enabled in the account.
    RegionDisabled,
    /// Anything else: the network, an error of the service, an answer that cannot be read.
    Error,
    /// Not asked: time ran out before it. The rest is handed on.
    Deferred,
}

impl State {
    /// Every state.
    pub const ALL: [State; 7] = [
        State::Ok,
        State::Empty,
        State::Denied,
        State::Throttled,
        State::RegionDisabled,
        State::Error,
        State::Deferred,
    ];

    /// The name in snapshots and reports.
    pub const fn label(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Empty => "empty",
            State::Denied => "denied",
            State::Throttled => "throttled",
            State::RegionDisabled => "region-disabled",
            State::Error => "error",
            State::Deferred => "deferred",
        }
    }

    /// The state of that name.
    pub fn named(label: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.label() == label)
    }

    /// Whether the endpoint answered.
    pub const fn is_answered(self) -> bool {
        matches!(self, State::Ok | State::Empty)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A call that was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallFailure {
    /// What it means.
    pub state: State,
    /// AWS's error code, or a name of ours where no answer came.
    pub code: String,
    /// AWS's message, or what happened.
    pub message: String,
    /// AWS's name for the request, to give to its support.
    pub request_id: Option<String>,
}

/// How no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// There was no connection.
    Unreachable,
    /// There was one, and nothing came in time.
    Timeout,
}

impl Silence {
    const ALL: [Silence; 2] = [Silence::Unreachable, Silence::Timeout];

    const fn label(self) -> &'static str {
        match self {
            Silence::Unreachable => "Unreachable",
            Silence::Timeout => "Timeout",
        }
    }
}

/// Error codes and what they mean, as AWS's services spell them. What is not listed is an error.
const CODES: &[(&str, State)] = &[
    ("UnauthorizedOperation", State::Denied),
    ("AccessDenied", State::Denied),
    ("AccessDeniedException", State::Denied),
    ("NotAuthorized", State::Denied),
    ("SubscriptionRequiredException", State::Denied),
    ("SubscriptionRequired", State::Denied),
    ("NotSubscribed", State::Denied),
    // Credentials come fresh from STS: where one region refuses them, it is because the account has
    // not enabled it.
    ("AuthFailure", State::RegionDisabled),
    ("UnrecognizedClientException", State::RegionDisabled),
    ("InvalidClientTokenId", State::RegionDisabled),
    ("OptInRequired", State::RegionDisabled),
    ("RegionDisabledException", State::RegionDisabled),
    ("RequestLimitExceeded", State::Throttled),
    ("Client.RequestLimitExceeded", State::Throttled),
    ("Throttling", State::Throttled),
    ("ThrottlingException", State::Throttled),
    ("ThrottledException", State::Throttled),
    ("RequestThrottled", State::Throttled),
    ("RequestThrottledException", State::Throttled),
    ("TooManyRequestsException", State::Throttled),
    ("BandwidthLimitExceeded", State::Throttled),
    ("SlowDown", State::Throttled),
];

/// Codes that say that a credential is no longer valid.
const EXPIRED: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "TokenRefreshRequired",
];

impl CallFailure {
    /// A failure with AWS's error code.
    pub fn of_code(code: &str, message: &str, request_id: Option<String>) -> CallFailure {
        let state = CODES
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(State::Error, |(_, state)| *state);
        CallFailure {
            state,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id,
        }
    }

    /// Whether the credentials have run out, so that the call may succeed with fresh ones.
    pub fn is_expired(&self) -> bool {
        EXPIRED.contains(&self.code.as_str())
    }

    /// A failure to be answered at all: nothing is there, or nothing came in time.
    pub fn silence(code: Silence, message: impl Into<String>) -> CallFailure {
        CallFailure {
            state: State::Error,
            code: code.label().to_owned(),
            message: message.into(),
            request_id: None,
        }
    }

    /// Whether nothing answered.
    pub fn is_silence(&self) -> bool {
        Silence::ALL
            .iter()
            .any(|silence| silence.label() == self.code)
    }

    /// Whether what was asked for does not exist (any more).
    pub fn is_not_found(&self) -> bool {
        [
            ".NotFound",
            "NotFoundException",
            "NotFound",
            "NotFoundFault",
        ]
        .iter()
        .any(|end| self.code.ends_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_service_have_their_meaning() {
        for (code, state) in [
            ("UnauthorizedOperation", State::Denied),
            ("AuthFailure", State::RegionDisabled),
            ("TooManyRequestsException", State::Throttled),
            ("InternalError", State::Error),
        ] {
            assert_eq!(CallFailure::of_code(code, "", None).state, state);
        }
        for state in State::ALL {
            assert_eq!(State::named(state.label()), Some(state));
        }
    }

    #[test]
    fn what_vanished_and_what_expired_is_told_by_the_code() {
        let failure = |code: &str| CallFailure::of_code(code, "", None);
        assert!(failure("InvalidTransitGatewayRouteTableID.NotFound").is_not_found());
        assert!(failure("ResourceNotFoundException").is_not_found());
        assert!(failure("LoadBalancerNotFound").is_not_found());
        assert!(!failure("AccessDenied").is_not_found());
        assert!(failure("ExpiredTokenException").is_expired());
    }
}
