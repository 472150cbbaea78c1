//! Which executors this node has, by the names that jobs use.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ports::{
    ExecutorPort, Executors, OutputWriter, RunContext, RunEnd, RunFuture, RunOutcome,
};

/// Output of an attempt whose job names no executor. Dkron's text.
const NO_EXECUTOR: &str = "grpc: Error on execution streaming, agent connection was abruptly \
     terminated: rpc error: code = Unknown desc = grpc_agent: No executor defined, nothing to do";

/// Output of an attempt whose executor this node does not have. Dkron's text.
const UNKNOWN_EXECUTOR: &str = "grpc_agent: Specified executor is not present";

/// The executors of a node.
#[derive(Clone, Default)]
pub(crate) struct ExecutorSet {
    executors: BTreeMap<String, Arc<dyn ExecutorPort>>,
}

impl ExecutorSet {
    /// Makes a set without any.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds `executor` under `name`, in place of what stood there.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, executor: Arc<dyn ExecutorPort>) -> Self {
        self.executors.insert(name.to_owned(), executor);
        self
    }

    /// Returns the executor of this name, if the node has it.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn ExecutorPort>> {
        self.executors.get(name).cloned()
    }

    /// Ends an attempt for which [`Self::get`] found no executor: failed, with Dkron's output.
    pub(crate) fn refuse(name: &str, output: &OutputWriter) -> RunEnd {
        let text = if name.is_empty() { NO_EXECUTOR } else { UNKNOWN_EXECUTOR };
        output.write(text.as_bytes());
        RunEnd { outcome: RunOutcome::Failed, error: None }
    }
}

impl Executors for ExecutorSet {
    fn run(&self, executor: &str, context: RunContext) -> RunFuture {
        match self.get(executor) {
            Some(port) => port.run(context),
            None => {
                let end = Self::refuse(executor, &context.output);
                Box::pin(async move { end })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::OutputCapture;

    struct Nothing;

    impl ExecutorPort for Nothing {
        fn run(&self, _: RunContext) -> RunFuture {
            Box::pin(async { RunEnd { outcome: RunOutcome::Succeeded, error: None } })
        }
    }

    #[test]
    fn executors_are_found_by_name() {
        let set = ExecutorSet::new().with("shell", Arc::new(Nothing)).with("b", Arc::new(Nothing));

        assert!(set.get("shell").is_some());
        assert!(set.get("Shell").is_none());
    }

    #[test]
    fn a_missing_or_unknown_executor_is_a_failed_run_with_dkrons_output() {
        let check = |name: &str, want: &str| {
            let capture = OutputCapture::new();
            let end = ExecutorSet::refuse(name, &capture.writer());
            assert_eq!(end, RunEnd { outcome: RunOutcome::Failed, error: None });
            assert_eq!(capture.finish(end.error.as_deref()).bytes, want.as_bytes());
        };

        check("kafka", "grpc_agent: Specified executor is not present");
        check(
            "",
            "grpc: Error on execution streaming, agent connection was abruptly terminated: rpc \
             error: code = Unknown desc = grpc_agent: No executor defined, nothing to do",
        );
    }
}
