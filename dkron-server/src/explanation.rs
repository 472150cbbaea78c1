//! What a schedule means, as JSON: the same keys on the command line and in the API.
//!
//! May use: `dkron_core`'s public names, `go_json`.

use dkron_core::schedule::{Explanation, ScheduleError};

use crate::go_json::{GoTime, Writer};

/// Writes an explanation into an object that is open.
pub(crate) fn write_explanation(json: &mut Writer, explanation: &Explanation) {
    json.key("explanation").string(&explanation.sentence);
    json.key("expression").string(&explanation.expression);
    json.key("clock_changes").string(&explanation.clock_changes);
    json.key("zone").string(explanation.zone.name());
    let fires = explanation.next.iter();
    write_next(json, fires.map(|fire| GoTime { at: fire.at, offset_s: fire.offset_s }));
}

/// Writes fire times into an object that is open.
pub(crate) fn write_next(json: &mut Writer, times: impl Iterator<Item = GoTime>) {
    json.key("next").begin_array();
    for time in times {
        json.display_string(time);
    }
    json.end_array();
}

/// Writes why an expression is not accepted, what would be, and where the culprit begins, in bytes,
/// if one place is to blame; into an object that is open.
pub(crate) fn write_refusal(json: &mut Writer, error: &ScheduleError) {
    json.key("error").string(&error.to_string());
    json.key("hint").string(&error.hint());
    if let Some(at) = error.at() {
        json.key("at").display(at);
    }
}
