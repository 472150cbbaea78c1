//! Telling a listener that events are missing, why, and since when.

use dkron_core::Timestamp;

use super::filter::EventType;
use super::position::Position;
use super::ring::write_event;
use crate::go_json::{GoTime, Layout, Writer};

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GapReason {
    /// The id is of another row: the node was restarted since, or nobody listened for a while.
    NewRow,
    /// The events behind the listener are not kept any more.
    TooLate,
    /// The node itself could not follow.
    NodeBehind,
    /// Outputs were not told for a while, because nobody wanted them.
    OutputsNotTold,
    /// No event had this id.
    UnknownId,
}

/// Events that are missing for a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) reason: GapReason,
    /// How many, where that is known.
    pub(super) missed: Option<u64>,
    /// What was told before this instant is not missing; `None` = not known.
    pub(super) since: Option<Timestamp>,
}

impl GapReason {
    const fn code(self) -> &'static str {
        match self {
            Self::NewRow => "new_row",
            Self::TooLate => "too_late",
            Self::NodeBehind => "node_behind",
            Self::OutputsNotTold => "outputs_not_told",
            Self::UnknownId => "unknown_id",
        }
    }

    /// What to read again; `since` says from which instant on.
    const fn read(self) -> &'static [&'static str] {
        match self {
            Self::OutputsNotTold => &["/v1/jobs/{job}/executions/{id}/output"],
            _ => &["/v1/jobs", "/v1/busy", "/v1/jobs/{job}/executions"],
        }
    }
}

impl Gap {
    /// Returns it as the data of an event.
    pub(super) fn data(&self) -> String {
        let mut json = Writer::new(Layout::Compact);
        json.begin_object();
        json.key("reason").string(self.reason.code());
        json.key("missed");
        match self.missed {
            Some(missed) => json.display(missed),
            None => json.null(),
        };
        json.key("since");
        match self.since {
            Some(since) => json.display_string(GoTime::utc(since)),
            None => json.null(),
        };
        json.key("read").begin_array();
        for path in self.reason.read() {
            json.string(path);
        }
        json.end_array().end_object();
        json.take()
    }

    /// Returns it as an event for one listener, who goes on behind `id`.
    pub(super) fn event(&self, id: Position) -> String {
        let mut text = String::new();
        write_event(&mut text, id, EventType::Gap, &self.data());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_why_how_much_since_when_and_what_to_read() {
        let since = Some(Timestamp::UNIX_EPOCH);
        let gap = Gap { reason: GapReason::TooLate, missed: Some(3), since };
        let id = Position { row: 1, number: 9, at_ms: 5 };
        assert_eq!(
            gap.event(id),
            "id: 1-9-5\nevent: gap\ndata: {\"reason\":\"too_late\",\"missed\":3,\
             \"since\":\"1970-01-01T00:00:00Z\",\
             \"read\":[\"/v1/jobs\",\"/v1/busy\",\"/v1/jobs/{job}/executions\"]}\n\n"
        );
        let gap = Gap { reason: GapReason::OutputsNotTold, missed: None, since: None };
        assert_eq!(
            gap.data(),
            "{\"reason\":\"outputs_not_told\",\"missed\":null,\"since\":null,\
             \"read\":[\"/v1/jobs/{job}/executions/{id}/output\"]}"
        );
    }
}
