//! Which nodes: those that a job's tags and handler ask for, as many as it asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::random::SplitMix64;
use crate::kernel::model::{Job, NodeName, NodeView, PlacementPolicy};
use crate::kernel::state::Target;

/// The executor whose runs are functions registered in a node.
const HANDLER_EXECUTOR: &str = "handler";
/// The key of its configuration that names the function; the job's own name if it is missing.
const HANDLER_KEY: &str = "handler";
/// The tag of a node that names its region.
const REGION_TAG: &str = "region";

/// Bytes kept of what a job asks for, in words.
const WANTED_BYTES_MAX: usize = 512;

/// Fewer nodes than this are looked at anew for every job; more are remembered by what is asked.
const REMEMBERED_NODES_MIN: usize = 16;
/// How many different questions are remembered.
const REMEMBERED_MAX: usize = 16;

/// The living nodes that may be chosen, for as many jobs as one plan has.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    region: &'a str,
    nodes: Vec<&'a NodeView>,
    remembered: Vec<Remembered>,
}

/// The answer to a question that many jobs ask: indexes of nodes by tags and handler.
#[derive(Debug)]
struct Remembered {
    tags: BTreeMap<String, String>,
    handler: Option<String>,
    capable: Vec<usize>,
}

impl<'a> Candidates<'a> {
    /// Takes the nodes of `region`.
    pub(super) fn new(nodes: &'a [NodeView], region: &'a str) -> Self {
        let is_near = |node: &&NodeView| node.tags.get(REGION_TAG).is_some_and(|tag| tag == region);
        Self { region, nodes: nodes.iter().filter(is_near).collect(), remembered: Vec::new() }
    }

    /// Chooses the nodes for a first attempt of `job`: all that can, or as many as it asks for.
    ///
    /// # Errors
    ///
    /// What was asked for, in words, if no node can or none is asked for.
    pub(super) fn choose(
        &mut self,
        job: &Job,
        random: &mut SplitMix64,
    ) -> Result<Vec<Target>, String> {
        let count = count_of(job);
        let mut capable = self.capable(job);
        if count == Some(0) || capable.is_empty() {
            return Err(self.wanted(job));
        }
        let count = count.unwrap_or(capable.len());
        if count < capable.len() {
            random.choose(&mut capable, count);
            capable.truncate(count);
        }
        Ok(self.targets(capable))
    }

    /// Chooses `node`, if it is alive and can run `job`.
    pub(super) fn choose_node(&mut self, job: &Job, node: &NodeName) -> Option<Target> {
        let capable = self.capable(job);
        self.targets(capable).into_iter().find(|target| target.node == *node)
    }

    /// Chooses one node for a further attempt that cannot run on `node`, none of `busy`.
    ///
    /// A job that runs on every node has no other node to go to: each has a share of its own.
    ///
    /// # Errors
    ///
    /// What was asked for, in words, if there is none.
    pub(super) fn choose_instead(
        &mut self,
        job: &Job,
        node: &NodeName,
        busy: &BTreeSet<NodeName>,
        random: &mut SplitMix64,
    ) -> Result<Target, String> {
        if count_of(job).is_none() {
            return Err(format!("node \"{node}\""));
        }
        let capable = self.capable(job);
        let mut free = self.targets(capable);
        free.retain(|target| !busy.contains(&target.node));
        random.choose(&mut free, 1);
        let first = free.into_iter().next();
        first.ok_or_else(|| format!("node \"{node}\" or another with {}", self.wanted(job)))
    }

    /// Returns the indexes of the nodes that can run `job`, in the order of the nodes.
    fn capable(&mut self, job: &Job) -> Vec<usize> {
        if self.nodes.len() < REMEMBERED_NODES_MIN {
            return self.look(job);
        }
        let handler = handler_of(job);
        let asked =
            |known: &&Remembered| known.handler.as_deref() == handler && known.tags == job.tags;
        if let Some(known) = self.remembered.iter().find(asked) {
            return known.capable.clone();
        }
        let capable = self.look(job);
        if self.remembered.len() == REMEMBERED_MAX {
            self.remembered.remove(0);
        }
        self.remembered.push(Remembered {
            tags: job.tags.clone(),
            handler: handler.map(str::to_owned),
            capable: capable.clone(),
        });
        capable
    }

    fn look(&self, job: &Job) -> Vec<usize> {
        let handler = handler_of(job);
        let can = |node: &NodeView| {
            let has_tag = |(key, tag): (&String, &String)| {
                node.tags.get(key).is_some_and(|value| value == TagDemand::parse(tag).value)
            };
            job.tags.iter().all(has_tag) && handler.is_none_or(|name| node.handlers.contains(name))
        };
        let capable = self.nodes.iter().enumerate().filter(|(_, node)| can(node));
        capable.map(|(index, _)| index).collect()
    }

    fn targets(&self, chosen: Vec<usize>) -> Vec<Target> {
        let nodes = chosen.into_iter().filter_map(|index| self.nodes.get(index));
        nodes.map(|node| Target { node: node.name.clone(), instance: node.instance }).collect()
    }

    /// Says what `job` asks for.
    fn wanted(&self, job: &Job) -> String {
        let mut wanted = Vec::new();
        for (key, tag) in &job.tags {
            let no_node = match TagDemand::parse(tag).count {
                Some(0) => " (a count of no node)",
                _ => "",
            };
            wanted.push(format!("tag {key}={tag}{no_node}"));
        }
        if let Some(name) = handler_of(job) {
            wanted.push(format!("handler \"{name}\""));
        }
        if wanted.is_empty() {
            wanted.push(format!("tag {REGION_TAG}={}", self.region));
        }
        cut(wanted.join(", "))
    }
}

/// Shortens what is stored with every skip: a job may have tags by the thousand.
fn cut(mut text: String) -> String {
    if text.len() > WANTED_BYTES_MAX {
        let is_boundary = |end: &usize| text.is_char_boundary(*end);
        text.truncate((0..=WANTED_BYTES_MAX).rev().find(is_boundary).unwrap_or(0));
        text.push('…');
    }
    text
}

/// What one tag of a job asks for: `value[:count]`.
#[derive(Debug, PartialEq, Eq)]
struct TagDemand<'a> {
    /// The value a node must show.
    value: &'a str,
    /// On how many nodes at most; `None` = no limit.
    count: Option<usize>,
}

impl<'a> TagDemand<'a> {
    /// Reads Dkron's syntax: exactly one colon sets a count off, with more of them the value ends
    /// at the first and there is no count. A count that is no number, or not above 0, is 0.
    fn parse(tag: &'a str) -> Self {
        let mut parts = tag.split(':');
        let value = parts.next().unwrap_or_default();
        let count = match (parts.next(), parts.next()) {
            (Some(count), None) => {
                let count = count.parse::<i64>().unwrap_or(0).max(0);
                Some(usize::try_from(count).unwrap_or(usize::MAX))
            }
            _ => None,
        };
        Self { value, count }
    }
}

/// Returns on how many nodes `job` starts at most: the least of its tags' counts; one if it is
/// placed on one; `None` = on every node.
fn count_of(job: &Job) -> Option<usize> {
    let of_tags = job.tags.values().filter_map(|tag| TagDemand::parse(tag).count).min();
    match job.placement {
        PlacementPolicy::Every => of_tags,
        PlacementPolicy::One => Some(of_tags.map_or(1, |count| count.min(1))),
    }
}

/// Returns the handler that a node must have for `job`; `None` if its executor needs none.
fn handler_of(job: &Job) -> Option<&str> {
    if job.executor != HANDLER_EXECUTOR {
        return None;
    }
    let named = job.executor_config.get(HANDLER_KEY).filter(|name| !name.is_empty());
    Some(named.map_or(job.name.as_str(), String::as_str))
}

#[cfg(test)]
#[path = "targets_test.rs"]
mod tests;
