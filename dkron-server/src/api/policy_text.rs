//! How the policies of a job that Dkron does not have are written in JSON: as short texts.
//!
//! Each is accepted in a body and shown in an answer only where it is not the default, so that the
//! jobs of Dkron's users keep the keys they always had.

use std::time::Duration;

use dkron_core::schedule::DstPolicy;
use dkron_core::{CatchUpPolicy, LostRunPolicy, PlacementPolicy, RetryBackoff, parse_go_duration};

use super::duration_text::GoDuration;

/// Reads `dst`.
pub(super) fn parse_dst(text: &str) -> Result<DstPolicy, String> {
    match text {
        "" | "once" => Ok(DstPolicy::Once),
        "wall" => Ok(DstPolicy::Wall),
        _ => Err(format!("dst must be \"once\" or \"wall\", found \"{text}\"")),
    }
}

/// Writes `dst`.
pub(super) const fn dst_text(policy: DstPolicy) -> &'static str {
    match policy {
        DstPolicy::Once => "once",
        DstPolicy::Wall => "wall",
    }
}

/// Reads `placement`.
pub(super) fn parse_placement(text: &str) -> Result<PlacementPolicy, String> {
    match text {
        "" | "every" => Ok(PlacementPolicy::Every),
        "one" => Ok(PlacementPolicy::One),
        _ => Err(format!("placement must be \"every\" or \"one\", found \"{text}\"")),
    }
}

/// Writes `placement`.
pub(super) const fn placement_text(policy: PlacementPolicy) -> &'static str {
    match policy {
        PlacementPolicy::Every => "every",
        PlacementPolicy::One => "one",
    }
}

/// Reads `lost_run`.
pub(super) fn parse_lost_run(text: &str) -> Result<LostRunPolicy, String> {
    match text {
        "" | "fail" => Ok(LostRunPolicy::Fail),
        "rerun" => Ok(LostRunPolicy::Rerun),
        "never" => Ok(LostRunPolicy::Never),
        _ => Err(format!("lost_run must be \"fail\", \"rerun\" or \"never\", found \"{text}\"")),
    }
}

/// Writes `lost_run`.
pub(super) const fn lost_run_text(policy: LostRunPolicy) -> &'static str {
    match policy {
        LostRunPolicy::Fail => "fail",
        LostRunPolicy::Rerun => "rerun",
        LostRunPolicy::Never => "never",
    }
}

/// Reads `catch_up`: `none`, `latest`, or `all:` and how many at most.
pub(super) fn parse_catch_up(text: &str) -> Result<CatchUpPolicy, String> {
    let all = |count: &str| count.parse().ok().map(|fires_max| CatchUpPolicy::All { fires_max });
    let policy = match text.split_once(':') {
        Some(("all", count)) => all(count),
        _ => match text {
            "" | "none" => Some(CatchUpPolicy::None),
            "latest" => Some(CatchUpPolicy::Latest),
            _ => None,
        },
    };
    policy.ok_or_else(|| {
        let accepted = "\"none\", \"latest\" or \"all:\" and a number such as \"all:10\"";
        format!("catch_up must be {accepted}, found \"{text}\"")
    })
}

/// Writes `catch_up`.
pub(super) fn catch_up_text(policy: CatchUpPolicy) -> String {
    match policy {
        CatchUpPolicy::None => "none".to_owned(),
        CatchUpPolicy::Latest => "latest".to_owned(),
        CatchUpPolicy::All { fires_max } => format!("all:{fires_max}"),
    }
}

/// Reads `retry_backoff`: `dkron`, `fixed:5s`, or `exponential:1s:1m`.
pub(super) fn parse_retry_backoff(text: &str) -> Result<RetryBackoff, String> {
    let mut parts = text.split(':');
    let backoff = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("" | "dkron"), None, ..) => Some(RetryBackoff::Dkron),
        (Some("fixed"), Some(delay), None, _) => {
            duration(delay).map(|delay| RetryBackoff::Fixed { delay })
        }
        (Some("exponential"), Some(initial), Some(max), None) => duration(initial)
            .zip(duration(max))
            .map(|(initial, max)| RetryBackoff::Exponential { initial, max }),
        _ => None,
    };
    backoff.ok_or_else(|| {
        let accepted = "\"dkron\", \"fixed:<wait>\" or \"exponential:<first>:<longest>\"";
        format!("retry_backoff must be {accepted} such as \"fixed:5s\", found \"{text}\"")
    })
}

/// Writes `retry_backoff`.
pub(super) fn retry_backoff_text(backoff: RetryBackoff) -> String {
    match backoff {
        RetryBackoff::Dkron => "dkron".to_owned(),
        RetryBackoff::Fixed { delay } => format!("fixed:{}", GoDuration(delay)),
        RetryBackoff::Exponential { initial, max } => {
            format!("exponential:{}:{}", GoDuration(initial), GoDuration(max))
        }
    }
}

/// Reads a span that may be missing; a negative one is refused. `field` is for the error.
pub(super) fn parse_span(field: &str, text: &str) -> Result<Option<Duration>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused =
        || format!("{field} must be a duration such as \"90s\", not negative, found \"{text}\"");
    duration(text).map(Some).ok_or_else(refused)
}

fn duration(text: &str) -> Option<Duration> {
    let nanoseconds = parse_go_duration(text).ok()?;
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_read_as_it_is_written() {
        for policy in
            [CatchUpPolicy::None, CatchUpPolicy::Latest, CatchUpPolicy::All { fires_max: 12 }]
        {
            assert_eq!(parse_catch_up(&catch_up_text(policy)), Ok(policy));
        }
        let s = Duration::from_millis;
        for backoff in [
            RetryBackoff::Dkron,
            RetryBackoff::Fixed { delay: s(1_500) },
            RetryBackoff::Exponential { initial: s(200), max: s(90_000) },
        ] {
            assert_eq!(parse_retry_backoff(&retry_backoff_text(backoff)), Ok(backoff));
        }
        for policy in [LostRunPolicy::Fail, LostRunPolicy::Rerun, LostRunPolicy::Never] {
            assert_eq!(parse_lost_run(lost_run_text(policy)), Ok(policy));
        }
        for policy in [DstPolicy::Once, DstPolicy::Wall] {
            assert_eq!(parse_dst(dst_text(policy)), Ok(policy));
        }
        for policy in [PlacementPolicy::Every, PlacementPolicy::One] {
            assert_eq!(parse_placement(placement_text(policy)), Ok(policy));
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_is_accepted() {
        for text in ["all", "all:", "all:x", "all:-1", "Latest", "newest"] {
            assert!(parse_catch_up(text).unwrap_err().contains("latest"), "{text}");
        }
        for text in ["fixed", "fixed:5", "fixed:1s:2s", "exponential:1s", "exponential:1s:2s:3s"] {
            assert!(parse_retry_backoff(text).unwrap_err().contains("fixed:5s"), "{text}");
        }
        assert!(parse_span("timeout", "-1s").unwrap_err().starts_with("timeout must be"));
        assert_eq!(parse_span("timeout", ""), Ok(None));
    }
}
