//! One test per rule of the grammar, and what its refusals tell.

use crate::kernel::time::{Timestamp, Zone};
use crate::limits::SCHEDULE_BYTES_MAX;

use super::{ClockRule, Field, Schedule, ScheduleContext, ScheduleError};

fn parse(expr: &str) -> Result<Schedule, ScheduleError> {
    Schedule::parse(expr, &ScheduleContext::default())
}

fn parse_in(timezone: &str, expr: &str) -> Schedule {
    Schedule::parse(expr, &ScheduleContext { timezone, ..ScheduleContext::default() }).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// Two expressions mean the same.
#[track_caller]
fn check_same(expr: &str, canonical: &str) {
    assert_eq!(parse(expr).unwrap(), parse(canonical).unwrap(), "{expr:?}");
}

/// An expression is refused with Dkron's text.
#[track_caller]
fn check_refused(expr: &str, want: &str) {
    assert_eq!(parse(expr).unwrap_err().to_string(), want, "{expr:?}");
}

/// The first fire times after an instant, in the schedule's zone.
#[track_caller]
fn check_next(schedule: &Schedule, after: &str, want: &[&str]) {
    let taken = schedule.upcoming(at(after)).take(want.len());
    let got: Vec<_> = taken.map(|fire| schedule.zone().to_rfc3339(fire)).collect();
    assert_eq!(got, want);
}

#[test]
fn items_are_lists_ranges_and_steps() {
    check_same("1,2,,3 0 0 * * *", "1,2,3 0 0 * * *");
    check_same(",1,2, 0 0 * * *", "1,2 0 0 * * *");
    check_same("*/70 0 0 * * *", "0 0 0 * * *");
    check_same("5/15 0 0 * * *", "5,20,35,50 0 0 * * *");
    check_same("10-20/5 0 0 * * *", "10,15,20 0 0 * * *");
    check_same("0 0 0 7/8 * *", "0 0 0 7,15,23,31 * *");
    check_same("0 0 0 1-5/2 * *", "0 0 0 1,3,5 * *");
    check_same("58/99999999999 0 0 * * *", "58 0 0 * * *");
    check_same("007 0 0 * * *", "7 0 0 * * *");
}

#[test]
fn a_question_mark_is_a_star_in_every_field() {
    check_same("? ? ? ? ? ?", "* * * * * *");
    check_same("?/20 0 0 * * *", "*/20 0 0 * * *");
}

#[test]
fn names_are_three_letters_in_any_case() {
    check_same("0 0 0 ? jan,Feb,DEC mon-FRI", "0 0 0 ? 1,2,12 1-5");
    check_same("0 0 0 ? MAR-9/2 ?", "0 0 0 ? 3,5,7,9 ?");
    check_same("0 0 0 ? * SAT/1", "0 0 0 ? * 6");
    let months =
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    for (number, name) in (1..).zip(months) {
        check_same(&format!("0 0 0 ? {name} ?"), &format!("0 0 0 ? {number} ?"));
    }
    for (number, name) in ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"].iter().enumerate() {
        check_same(&format!("0 0 0 ? * {name}"), &format!("0 0 0 ? * {number}"));
    }
}

#[test]
fn each_field_takes_its_range_and_nothing_beyond() {
    for (field, min, max) in [(0, 0, 59), (1, 0, 59), (2, 0, 23), (3, 1, 31), (4, 1, 12), (5, 0, 6)]
    {
        let with = |value: u32| {
            let mut fields = ["0", "0", "0", "?", "*", "?"].map(str::to_owned);
            fields[field] = value.to_string();
            fields.join(" ")
        };
        assert!(parse(&with(min)).is_ok() && parse(&with(max)).is_ok(), "field {field}");
        let above = max + 1;
        check_refused(
            &with(above),
            &format!("end of range ({above}) above maximum ({max}): {above}"),
        );
        if min == 1 {
            check_refused(&with(0), "beginning of range (0) below minimum (1): 0");
        }
    }
}

#[test]
fn quirks_of_dkrons_parser_are_kept() {
    // A sign before a number, and whatever follows the hyphen of a star.
    check_same("+5 0 0 * * *", "5 0 0 * * *");
    check_same("*-5 0 0 * * *", "* 0 0 * * *");
    check_same("0/+5 0 0 * * *", "0/5 0 0 * * *");
    check_refused("99/5 0 0 * * *", "beginning of range (99) beyond end of range (59): 99/5");
    check_refused("*-1/2/3 0 0 * * *", "too many slashes: *-1/2/3");
}

#[test]
fn fields_are_separated_by_any_white_space() {
    check_same(" \t0  30\t2 * * *\u{a0}", "0 30 2 * * *");
    check_same("TZ=Asia/Tokyo   0 30 2 * * *  ", "TZ=Asia/Tokyo 0 30 2 * * *");
    check_same("0\n0 0 * * *", "0 0 0 * * *");
}

#[test]
fn the_texts_of_refusals_are_dkrons() {
    check_refused("", "empty spec string");
    check_refused("* * * *", "expected exactly 6 fields, found 4: [* * * *]");
    check_refused("* * * * * * *", "expected exactly 6 fields, found 7: [* * * * * * *]");
    check_refused("@x", "unrecognized descriptor: @x");
    check_refused(
        "@every 1d",
        "failed to parse duration @every 1d: time: unknown unit \"d\" in duration \"1d\"",
    );
    check_refused("60 0 0 * * *", "end of range (60) above maximum (59): 60");
    check_refused("0 0 0 0 * *", "beginning of range (0) below minimum (1): 0");
    check_refused("5-1 0 0 * * *", "beginning of range (5) beyond end of range (1): 5-1");
    check_refused("*/0 0 0 * * *", "step of range should be a positive number: */0");
    check_refused("1-2-3 0 0 * * *", "too many hyphens: 1-2-3");
    check_refused("1/2/3 0 0 * * *", "too many slashes: 1/2/3");
    check_refused(
        "0 0 0 L * *",
        "failed to parse int from L: strconv.Atoi: parsing \"L\": invalid syntax",
    );
    check_refused(
        "99999999999999999999 0 0 * * *",
        "failed to parse int from 99999999999999999999: strconv.Atoi: parsing \
         \"99999999999999999999\": value out of range",
    );
    check_refused(
        "@at x",
        "failed to parse date @at x: parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot \
         parse \"x\" as \"2006\"",
    );
}

#[test]
fn descriptors_stand_for_their_fields() {
    check_same("@yearly", "0 0 0 1 1 *");
    check_same("@annually", "@yearly");
    check_same("@monthly", "0 0 0 1 * *");
    check_same("@weekly", "0 0 0 * * 0");
    check_same("@daily", "0 0 0 * * *");
    check_same("@midnight", "@daily");
    check_same("@hourly", "0 0 * * * *");
    check_same("@minutely", "0 * * * * *");
    assert!(parse("@manually").unwrap().is_manual());
    assert!(!parse("@daily").unwrap().is_manual());
}

#[test]
fn descriptors_are_exact() {
    for expr in ["@reboot", "@Daily", "@daily ", "@manually ", "@after", "@at", "@every", "@"] {
        check_refused(expr, &format!("unrecognized descriptor: {expr}"));
    }
    check_refused(
        "@every  5s",
        "failed to parse duration @every  5s: time: invalid duration \" 5s\"",
    );
    check_refused(" @daily", "expected exactly 6 fields, found 1: [@daily]");
}

#[test]
fn every_is_whole_seconds_and_at_least_one() {
    check_same("@every 1.5s", "@every 1s");
    check_same("@every 0", "@every 1s");
    check_same("@every -3m", "@every 1s");
    check_same("@every 999ms", "@every 1s");
    check_same("TZ=UTC @every 5s ", "@every 5s");
}

#[test]
fn a_prefix_names_the_zone_before_fields_and_most_descriptors() {
    for expr in ["TZ=Asia/Tokyo @daily", "CRON_TZ=Asia/Tokyo 0 0 0 * * *"] {
        assert_eq!(parse(expr).unwrap(), parse_in("Asia/Tokyo", "0 0 0 * * *"));
    }
    for descriptor in
        ["@minutely", "@manually", "@at 2030-01-01T00:00:00Z", "@after 2030-01-01T00:00:00Z <PT2H"]
    {
        let expr = format!("TZ=Asia/Tokyo {descriptor}");
        check_refused(&expr, &format!("unrecognized descriptor: {descriptor}"));
    }
    check_refused("TZ=X @daily", "provided bad location X: unknown time zone X");
    check_refused("TZ=../x @daily", "provided bad location ../x: time: invalid location name");
    // An empty name is UTC, whatever the server's zone.
    assert_eq!(parse_in("Asia/Tokyo", "TZ= 0 0 0 * * *").zone(), Zone::UTC);
}

#[test]
fn a_zone_with_nothing_after_it_is_refused() {
    for expr in ["TZ=UTC", "CRON_TZ=UTC", "TZ=", "TZ=UTC "] {
        check_refused(expr, "expected exactly 6 fields, found 0: []");
    }
    check_refused("TZ=Mars", "provided bad location Mars: unknown time zone Mars");
}

#[test]
fn the_jobs_zone_counts_unless_the_schedule_begins_with_its_own_or_with_a_descriptor() {
    let tokyo = Zone::parse("Asia/Tokyo", Zone::UTC).unwrap();
    assert_eq!(parse_in("Asia/Tokyo", "0 0 0 * * *").zone(), tokyo);
    assert_eq!(parse_in("Asia/Tokyo", "0 0 * * *").zone(), tokyo);
    assert_eq!(parse_in("Asia/Tokyo", "@daily").zone(), Zone::UTC);
    assert_eq!(parse_in("Asia/Tokyo", "TZ=Europe/Oslo @daily").zone().name(), "Europe/Oslo");
}

#[test]
fn the_servers_zone_stands_where_none_is_named() {
    let oslo = Zone::parse("Europe/Oslo", Zone::UTC).unwrap();
    for (timezone, expr, want) in [
        ("", "0 0 0 * * *", oslo),
        ("Local", "0 0 0 * * *", oslo),
        ("UTC", "0 0 0 * * *", Zone::UTC),
        ("Asia/Tokyo", "@daily", oslo),
        ("", "TZ=Local @daily", oslo),
    ] {
        let context = ScheduleContext { timezone, server_zone: oslo, ..ScheduleContext::default() };
        assert_eq!(Schedule::parse(expr, &context).unwrap().zone(), want, "{timezone} {expr}");
    }
}

#[test]
fn the_jobs_zone_is_checked_last_and_even_where_it_does_not_count() {
    let context = ScheduleContext { timezone: "Mars/Phobos", ..ScheduleContext::default() };
    for expr in ["0 0 0 * * *", "@daily", "@manually", "TZ=UTC @daily"] {
        let error = Schedule::parse(expr, &context).unwrap_err();
        assert_eq!(error.to_string(), "unknown time zone Mars/Phobos", "{expr}");
        assert!(matches!(error, ScheduleError::JobZone(_)));
    }
    let error = Schedule::parse("0 0 24 * * *", &context).unwrap_err();
    assert_eq!(error.field(), Some(Field::Hour));
}

#[test]
fn after_takes_a_date_and_a_marked_grace_period() {
    const DATE: &str = "2030-01-01T00:00:00Z";
    check_same(&format!("@after  {DATE} \t <PT2H "), &format!("@after {DATE} <PT120M"));
    for rest in ["", "PT2H", "<PT2H", "2030-01-01T00:00:00Z < PT2H", "x y z"] {
        let expr = format!("@after {rest}");
        let format = "@after requires format: @after <RFC3339 datetime> <ISO8601 duration>";
        check_refused(&expr, &format!("{format}, got: {expr}"));
    }
    let refusals = [
        ("PT2H", "grace period must start with '<', got: PT2H"),
        ("<", "failed to parse grace period in @after: : empty duration string"),
        ("<P", "failed to parse grace period in @after: P: duration must be greater than zero"),
        (
            "<P1W",
            "failed to parse grace period in @after: P1W: invalid ISO8601 duration format: P1W",
        ),
        (
            "<P99999999999999999999D",
            "failed to parse grace period in @after: P99999999999999999999D: invalid day value: \
             99999999999999999999",
        ),
    ];
    for (grace, want) in refusals {
        check_refused(&format!("@after {DATE} {grace}"), want);
    }
    check_refused(
        "@after 2030-01-01 <PT2H",
        "failed to parse date in @after: 2030-01-01: parsing time \"2030-01-01\" as \
         \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\"",
    );
}

#[test]
fn after_takes_dkrons_accepted_grace_periods_and_dates_and_refuses_its_refused_ones() {
    const DATE: &str = "2030-01-01T00:00:00Z";
    let with = |date: &str, grace: &str| format!("@after {date} {grace}");
    for grace in [
        "<PT2H",
        "<P1D",
        "<P1DT2H30M",
        "<P1Y2M3DT4H5M6S",
        "<PT1.5S",
        "<PT0.5S",
        "<P1M",
        "<PT1M",
        "<P293Y",
    ] {
        assert!(parse(&with(DATE, grace)).is_ok(), "{grace}");
    }
    for grace in [
        "PT2H",
        "",
        "< PT2H",
        "<PT2H extra",
        "<",
        "<P",
        "<PT",
        "<P0D",
        "<PT0S",
        "<P2H",
        "<P1W",
        "<pt2h",
        "<-PT2H",
        "<P-1D",
        "<PT1.5H",
        "<P1.5D",
        "<PT1,5S",
        "<2h",
        "<P99999999999999999999D",
    ] {
        assert!(parse(&with(DATE, grace)).is_err(), "{grace}");
    }
    for (date, utc) in [
        (DATE, DATE),
        ("2030-01-01T00:00:00+02:00", "2029-12-31T22:00:00Z"),
        ("2030-01-01T00:00:00.123Z", "2030-01-01T00:00:00.123Z"),
    ] {
        let due = parse(&with(date, "<PT2H")).unwrap().next_after(at("2029-01-01T00:00:00Z"));
        assert_eq!(due, Some(at(utc)), "{date}");
    }
    for date in ["2030-01-01", "2030-01-01T00:00:00", "2030-01-01t00:00:00z"] {
        let error = parse(&with(date, "<PT2H")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("failed to parse date in @after: {date}: ")), "{error}");
    }
    let blank = format!(" @after {DATE} <PT2H");
    check_refused(&blank, &format!("expected exactly 6 fields, found 3: [@after {DATE} <PT2H]"));
}

#[test]
fn at_takes_one_date_and_nothing_behind_it() {
    for expr in ["@at 2030-01-01T00:00:00Z x", "@at 2030-01-01T00:00:00Z "] {
        let error = parse(expr).unwrap_err().to_string();
        assert!(error.starts_with(&format!("failed to parse date {expr}: ")), "{error}");
        assert!(error.contains("extra text"), "{error}");
    }
}

#[track_caller]
fn check_hash(job: &str, expr: &str, want: &str) {
    let context = ScheduleContext { job, ..ScheduleContext::default() };
    assert_eq!(Schedule::parse(expr, &context), parse(want), "{expr} of {job}");
}

#[test]
fn a_tilde_is_the_sum_of_the_names_code_points_within_the_field() {
    // "payroll" sums up to 771.
    check_hash("payroll", "~ ~ ~ ~ ~ ~", "51 51 3 16 4 1");
    check_hash("payroll", "0 ~/15 * * * *", "0 51/15 * * * *");
    check_hash("payroll", "0 0 ~,23 * * *", "0 0 3,23 * * *");
    check_hash("payroll", "0 0 ~~ * * *", "0 0 33 * * *");
    check_hash("", "~ ~ ~ ~ ~ ~", "0 0 0 1 1 0");
    check_hash("lloryap", "0 ~ ~ * * *", "0 51 3 * * *");
}

#[test]
fn a_tilde_is_derived_for_the_field_it_stands_in_whatever_the_blanks() {
    check_hash("payroll", "0  0   ~ * * *", "0 0 3 * * *");
    check_hash("payroll", " 0\t0 ~ * * *", "0 0 3 * * *");
    check_hash("payroll", "TZ=UTC  0 0 ~ * * *", "TZ=UTC 0 0 3 * * *");
    check_hash("payroll", "~ ~ ~ * *", "0 51 3 16 * *");
}

#[test]
fn a_part_that_begins_with_an_at_sign_keeps_the_tildes() {
    check_refused(
        "~ 0 0 * * @x",
        "failed to parse int from ~: strconv.Atoi: parsing \"~\": invalid syntax",
    );
}

#[test]
fn a_tilde_counts_as_the_number_it_stands_for_when_fixed_times_are_told_from_wild_ones() {
    let context = ScheduleContext { job: "payroll", ..ScheduleContext::default() };
    let rule = |expr| Schedule::parse(expr, &context).unwrap().clock_rule();
    assert_eq!(rule("0 ~ ~ * * *"), ClockRule::FixedTimes);
    assert_eq!(rule("0 ~/15 3 * * *"), ClockRule::RealTime);
}

#[test]
fn five_fields_are_six_with_second_zero() {
    check_same("*/5 9-17 * * MON-FRI", "0 */5 9-17 * * MON-FRI");
    check_same("CRON_TZ=Asia/Tokyo 30 2 1 * *", "TZ=Asia/Tokyo 0 30 2 1 * *");
    check_same("0 0 1 * 1", "0 0 0 1 * 1");
}

#[test]
fn seven_is_sunday_in_five_fields_only() {
    check_same("0 0 * * 7", "0 0 0 * * 0");
    check_same("0 0 * * 5-7", "0 0 0 * * 5,6,0");
    check_same("0 0 * * 0-7", "0 0 0 * * 0-6");
    check_same("0 0 * * 1-7/2", "0 0 0 * * 1,3,5,0");
    check_same("0 0 * * 1/2", "0 0 0 * * 1,3,5");
    check_same("0 0 * * 7/2", "0 0 0 * * 0");
    check_same("0 0 * * */7", "0 0 0 * * 0");
    check_refused("0 0 0 * * 7", "end of range (7) above maximum (6): 7");
    check_refused("0 0 * * 8", "end of range (8) above maximum (7): 8");
    check_refused("0 24 * * 7", "end of range (24) above maximum (23): 24");
}

#[test]
fn a_day_matches_both_fields_if_one_is_an_unrestricted_star_else_either() {
    let check = |expr: &str, want: &[&str]| {
        check_next(&parse(expr).unwrap(), "2026-01-01T00:00:00Z", want);
    };
    // Friday the 9th comes before the 13th.
    check(
        "0 0 0 13 * 5",
        &["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"],
    );
    check("0 0 0 13 * *", &["2026-01-13T00:00:00Z", "2026-02-13T00:00:00Z"]);
    check("0 0 0 ? * 5", &["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"]);
    check("0 0 0 */1 * 5", &["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"]);
    check("0 0 0 13,* * 5", &["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"]);
    check("0 0 0 13 * 5,*", &["2026-01-13T00:00:00Z", "2026-02-13T00:00:00Z"]);
    check("0 0 0 13 * */1", &["2026-01-13T00:00:00Z", "2026-02-13T00:00:00Z"]);
    // A step is no star: every odd day, and Fridays.
    check(
        "0 0 0 */2 * 5",
        &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z"],
    );
    check("0 0 0 1-31 * 5", &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]);
}

#[test]
fn what_no_date_can_satisfy_is_refused() {
    for (expr, field, offset) in [
        ("0 0 0 30 2 *", Field::DayOfMonth, 6),
        ("0 0 0 31 2,4,6,9,11 ?", Field::DayOfMonth, 6),
        ("0 0 30-31 2 *", Field::DayOfMonth, 4),
        ("0 0 0 , * *", Field::DayOfMonth, 6),
        ("0 0 0 * * ,", Field::DayOfWeek, 10),
        (", 0 0 * * *", Field::Second, 0),
        ("0 , 0 * * *", Field::Minute, 2),
        ("0 0 , * * *", Field::Hour, 4),
        ("0 0 0 1 , *", Field::Month, 8),
    ] {
        let error = parse(expr).unwrap_err();
        assert_eq!(error, ScheduleError::NeverFires { field, at: offset }, "{expr}");
    }
    // Either suffices: the weekday can be met.
    assert!(parse("0 0 0 30 2 1").is_ok());
    assert!(parse("0 0 0 29 2 *").is_ok());
    assert!(parse("0 0 0 31 1,2 *").is_ok());
    assert!(parse("0 0 0 30 2,4 *").is_ok());
}

#[test]
fn a_schedule_is_small_and_an_expression_bounded() {
    assert!(size_of::<Schedule>() <= 100, "{}", size_of::<Schedule>());
    let longest = format!("0 0 0 * * {}", "1,".repeat((SCHEDULE_BYTES_MAX - 10) / 2));
    assert!(parse(&longest).is_ok());
    let too_long = format!("{longest},");
    let error = parse(&too_long).unwrap_err();
    assert_eq!(error, ScheduleError::TooLong { bytes: too_long.len() });
    assert!(parse(&"~".repeat(10 << 20)).is_err());
}

#[test]
fn faults_are_located_in_the_text_as_passed() {
    let context = ScheduleContext { job: "payroll", ..ScheduleContext::default() };
    for (expr, at, value) in [
        ("0 61 4 * * *", 2, "61"),
        ("0 5-61 4 * * *", 4, "5-61"),
        ("0 1,2,x 4 * * *", 6, "x"),
        ("0 0 0 * * 1-2/y", 14, "y"),
        ("0 0 0 * * 1-2/0", 14, "1-2/0"),
        ("TZ=Asia/Tokyo  0 5 24 * * *", 19, "24"),
        ("5 24 * * *", 2, "24"),
        // "~" is 51 here, and the offsets are still those of the tilde's text.
        ("~,~,x 0 0 * * *", 4, "x"),
        ("~-5 0 0 * * *", 0, "51-5"),
        ("0 0 0 ~L * *", 6, "16L"),
        ("ü 0 0 * * *", 0, "ü"),
        ("@hour", 0, "@hour"),
        ("TZ=UTC  @hour", 8, "@hour"),
        ("TZ=Mars 0 0 0 * * *", 3, "Mars"),
        ("@every 5d", 7, "@every 5d"),
        ("@at 2030-01-01 x", 14, "@at 2030-01-01 x"),
        ("@after 2030-01-01T00:00:00Z PT2H", 28, "PT2H"),
        ("@after 2030-01-01T00:00:00Z <PT2X", 29, "PT2X"),
    ] {
        let error = Schedule::parse(expr, &context).unwrap_err();
        assert_eq!((error.at(), error.value()), (Some(at), Some(value)), "{expr}: {error}");
    }
}

#[track_caller]
fn check_hint(expr: &str, want: &str) {
    let hint = parse(expr).unwrap_err().hint();
    assert!(hint.contains(want), "{expr}: {hint}");
}

#[test]
fn hints_say_what_would_be_accepted() {
    check_hint("", "six fields");
    check_hint("daily", "did you mean @daily?");
    check_hint(" @daily", "without a blank before it");
    check_hint("0 0 0 1 1 ? 2030", "no field for the year");
    check_hint("tz=Asia/Tokyo 0 0 0 * * *", "at the very beginning, once, in upper case");
    check_hint("TZ=UTC", "a schedule must follow the time zone");
    check_hint("0 61 0 * * *", "the minute takes 0-59");
    check_hint("0 0 0 * * 7", "0-6 or SUN-SAT; Sunday is 0");
    check_hint("0 0 * * 8", "0-7 or SUN-SAT");
    check_hint("0 H 0 * * *", "write ~");
    check_hint("0 0 0 L * *", "no L, W or #");
    check_hint("0 0 0 * * 2#1", "no L, W or #");
    check_hint("0 0 0 * * WEDNESDAY", "SUN-SAT, as numbers");
    check_hint("0 0 22-5 * * *", "write 22-23,0-5");
    check_hint("0 0 0 * NOV-FEB *", "write 11-12,1-2");
    check_hint("0 0 0 1- * *", "a range needs both ends");
    check_hint("*/0 0 0 * * *", "a step is 1 or more");
    check_hint("1-2-3 0 0 * * *", "two ends");
    check_hint("1/2/3 0 0 * * *", "one step");
    check_hint("@Daily", "did you mean @daily?");
    check_hint("@daily ", "@daily must stand alone");
    check_hint("@reboot", "the descriptors are @yearly");
    check_hint("TZ=UTC @minutely", "takes no time zone");
    check_hint("TZ=UTC @at 2030-01-01T00:00:00Z", "takes no time zone");
    check_hint("@every 1d", "a day is 24h");
    check_hint("@at tomorrow", "2030-01-02T15:04:05Z");
    check_hint("@after 2030-01-01T00:00:00Z PT2H", "<PT2H");
    check_hint("@after 2030-01-01T00:00:00Z <2h", "such as P1D");
    check_hint("TZ=europe/berlin @daily", "did you mean Europe/Berlin?");
    check_hint("TZ=Mars @daily", "an IANA name");
    check_hint("0 0 0 30 2 *", "none of the months");
    check_hint(", 0 0 * * *", "the second names no value");
    check_hint(&"x".repeat(5_000), "ranges and steps");
}
