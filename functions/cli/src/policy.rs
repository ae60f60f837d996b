//! `cloud-export policy`: the IAM policies that collecting takes.

use serde_json::Value;
use telemetry::describe::policy;
use telemetry::target::{RoleArn, check_external_id};

use crate::Stop;
use crate::args::PolicyArguments;
use crate::summary::say;

/// Prints the policy that was asked for.
pub fn policy(arguments: &PolicyArguments) -> Result<(), Stop> {
    let policy: Value = match (&arguments.trust, arguments.assume.as_slice()) {
        (Some(arn), _) => {
            let role: RoleArn = arn
                .parse()
                .map_err(|error| Stop::Usage(format!("--trust: {error}")))?;
            if let Some(id) = &arguments.external_id {
                check_external_id(id)
                    .map_err(|error| Stop::Usage(format!("--external-id: {error}")))?;
            }
            let id = arguments.external_id.as_deref();
            policy::trust(&role.partition, &role.account, &role.to_string(), id)
        }
        (None, []) if arguments.metrics => policy::reader_of_metrics(),
        (None, []) => policy::reader(),
        (None, roles) => policy::assuming(roles),
    };
    say(&format!("{policy:#}"));
    Ok(())
}
