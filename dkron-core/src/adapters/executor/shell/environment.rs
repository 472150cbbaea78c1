//! The environment of a command.

use std::ffi::OsString;

use super::super::process::{RUN_VARIABLE, instance_mark};
use crate::ports::RunContext;

/// Variables of this process that begin so configure dkron, and hold its secrets.
const PRIVATE_PREFIX: &str = "DKRON_";

/// Returns the `NAME=value` that the processes of this run have, and no other on the machine.
///
/// The execution id will not do: jobs due at one instant share it.
pub(super) fn marker(context: &RunContext) -> String {
    format!("{RUN_VARIABLE}={}", run_mark(context))
}

/// Returns the value of [`RUN_VARIABLE`] for this run.
fn run_mark(context: &RunContext) -> String {
    format!("{}{}", instance_mark(context.instance), context.token)
}

/// Returns the variables of a command: `inherited` without dkron's own, those of the run, then the
/// job's `own`. Of equal names the last counts.
pub(super) fn variables(
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    context: &RunContext,
    own: &[(String, String)],
) -> Vec<(OsString, OsString)> {
    let is_public =
        |name: &OsString| !name.as_encoded_bytes().starts_with(PRIVATE_PREFIX.as_bytes());
    let of_the_run = [
        ("ENV_JOB_NAME", context.job.to_string()),
        ("DKRON_JOB", context.job.to_string()),
        ("DKRON_EXECUTION_ID", context.execution.to_string()),
        ("DKRON_FIRE_TIME", context.fire_time.to_string()),
        ("DKRON_ATTEMPT", context.attempt.to_string()),
        ("DKRON_TOKEN", context.token.to_string()),
        (RUN_VARIABLE, run_mark(context)),
    ];
    let own = own.iter().map(|(name, value)| (name.as_str(), value.clone()));
    inherited
        .into_iter()
        .filter(|(name, _)| is_public(name))
        .chain(of_the_run.into_iter().chain(own).map(|(name, value)| (name.into(), value.into())))
        .collect()
}

/// Reads `env`: `NAME=value` separated by commas, so a value holds none.
///
/// Blanks around a name do not belong to it. What has no `=`, or no name, sets nothing.
pub(super) fn parse_variables(text: &str) -> Vec<(String, String)> {
    text.split(',')
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_is_split_at_commas_and_the_first_equals_sign() {
        let check = |text: &str, want: &[(&str, &str)]| {
            let want: Vec<_> =
                want.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            assert_eq!(parse_variables(text), want, "{text:?}");
        };

        check("", &[]);
        check("A=1", &[("A", "1")]);
        check("A=1,B=x=y, C = 3 ", &[("A", "1"), ("B", "x=y"), ("C", " 3 ")]);
        check("A=,B,=x,,D=4", &[("A", ""), ("D", "4")]);
    }
}
