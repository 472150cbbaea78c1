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
/// job's `own`, then the mark of the run. Of equal names the last counts: a job may replace all of
/// them but the mark, by which its processes are found, and no other run's.
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
    ];
    let mark = (RUN_VARIABLE, run_mark(context));
    let own = own.iter().map(|(name, value)| (name.as_str(), value.clone()));
    inherited
        .into_iter()
        .filter(|(name, _)| is_public(name))
        .chain(
            of_the_run
                .into_iter()
                .chain(own)
                .chain([mark])
                .map(|(name, value)| (name.into(), value.into())),
        )
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
    use std::sync::Arc;

    use super::*;
    use crate::adapters::executor::ShellExecutor;
    use crate::adapters::executor::kit_test::TestRun;

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

    #[test]
    fn a_job_replaces_every_variable_of_its_run_but_the_mark() {
        let run = TestRun::new(Arc::new(ShellExecutor::new()), &[]);
        let own = parse_variables("DKRON_JOB=mine,DKRON_RUN=another");
        let last = |wanted: &str| {
            let all = variables([], &run.context, &own);
            all.into_iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value)
        };
        assert_eq!(last("DKRON_JOB"), Some("mine".into()));
        assert_eq!(last(RUN_VARIABLE), Some(run_mark(&run.context).into()));
    }
}
