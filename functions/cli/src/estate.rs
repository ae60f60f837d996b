//! Who is asked: the options that stand for the function's environment variables.

use invocation::Variable;
use metadata_collector::config::{
    ACCOUNTS, BLOCKED_ACCOUNTS, EXTERNAL_ID, PRIMARY_EXTERNAL_ID, PRIMARY_ROLE, REGIONS, ROLE,
    SESSION_NAME, TARGETS, UNITS_AT_ONCE,
};

use crate::args::EstateArguments;

/// The option that was given for a variable, among some.
pub fn option(options: &[(Variable, &Option<String>)], name: &str) -> Option<String> {
    let option = options.iter().find(|(variable, _)| variable.name == name);
    option.and_then(|(_, value)| (*value).clone())
}

impl EstateArguments {
    /// The option that was given for a variable.
    pub fn setting(&self, name: &str) -> Option<String> {
        let options = [
            (PRIMARY_ROLE, &self.primary_role),
            (PRIMARY_EXTERNAL_ID, &self.primary_external_id),
            (ACCOUNTS, &self.accounts),
            (BLOCKED_ACCOUNTS, &self.blocked_accounts),
            (ROLE, &self.role),
            (EXTERNAL_ID, &self.external_id),
            (REGIONS, &self.regions),
            (SESSION_NAME, &self.session_name),
            (TARGETS, &self.targets),
            (UNITS_AT_ONCE, &self.units_at_once),
        ];
        option(&options, name)
    }
}
