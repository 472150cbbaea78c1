//! The contract of [`Tables`] and [`TablesMut`], as a suite that every implementation runs.
//!
//! [`Tables`]: super::Tables
#![allow(clippy::indexing_slicing, reason = "test code, also under the feature `testing`")]

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use super::{KeyRange, Order, Table, TablesMut};

/// Longest key a table must take, in bytes.
const KEY_BYTES_MAX: usize = 511;

/// The range of every key.
const EVERYTHING: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

/// Checks everything that the state relies on.
///
/// `make` gives empty tables at each call; those of the call before are dropped by then.
///
/// # Panics
///
/// At the first rule that does not hold.
pub fn check_tables<T: TablesMut>(mut make: impl FnMut() -> T) {
    values_are_kept_by_table_and_key(&mut make());
    overwriting_and_deleting_are_seen_at_once(&mut make());
    walks_are_bytewise_in_both_directions(&mut make());
    bounds_are_exact(&mut make());
    a_walk_ends_where_its_visitor_breaks(&mut make());
    clearing_takes_one_table_only(&mut make());
    keys_and_values_of_any_accepted_size_are_kept(&mut make());
    for seed in 0..8 {
        a_random_history_agrees_with_a_plain_map(&mut make(), seed);
    }
}

fn get(tables: &impl TablesMut, table: Table, key: &[u8]) -> Option<Vec<u8>> {
    tables.get_with(table, key, <[u8]>::to_vec).expect("get")
}

fn keys(
    tables: &impl TablesMut,
    table: Table,
    range: KeyRange<'_>,
    order: Order,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let visit = |key: &[u8], value: &[u8]| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    tables.walk(table, range, order, visit).expect("walk");
    found
}

fn values_are_kept_by_table_and_key(tables: &mut impl TablesMut) {
    for table in Table::ALL {
        assert_eq!(tables.len(table), Ok(0), "{table:?} is empty at first");
        assert_eq!(get(tables, table, b"k"), None);
    }
    for table in Table::ALL {
        tables.put(table, b"k", table.as_str().as_bytes()).expect("put");
    }
    for table in Table::ALL {
        assert_eq!(get(tables, table, b"k").as_deref(), Some(table.as_str().as_bytes()));
        assert_eq!(get(tables, table, b"k\0"), None, "a longer key is another key");
        assert_eq!(tables.len(table), Ok(1));
    }
}

fn overwriting_and_deleting_are_seen_at_once(tables: &mut impl TablesMut) {
    tables.put(Table::Jobs, b"a", b"first").expect("put");
    tables.put(Table::Jobs, b"a", b"2").expect("put");
    assert_eq!(get(tables, Table::Jobs, b"a").as_deref(), Some(&b"2"[..]), "shorter value");
    assert_eq!(tables.len(Table::Jobs), Ok(1), "overwriting does not count twice");

    tables.put(Table::Jobs, b"a", b"").expect("put");
    assert_eq!(get(tables, Table::Jobs, b"a").as_deref(), Some(&b""[..]), "an empty value is one");

    assert_eq!(tables.delete(Table::Jobs, b"a"), Ok(true));
    assert_eq!(tables.delete(Table::Jobs, b"a"), Ok(false), "it is gone already");
    assert_eq!(get(tables, Table::Jobs, b"a"), None);
    assert_eq!(tables.len(Table::Jobs), Ok(0));
}

fn walks_are_bytewise_in_both_directions(tables: &mut impl TablesMut) {
    let sorted: [&[u8]; 6] = [b"\0", b"a", b"a\0", b"a\0\xff", b"b", b"\xff"];
    for key in [4, 1, 5, 0, 3, 2].map(|i: usize| sorted[i]) {
        tables.put(Table::Due, key, key).expect("put");
    }

    let mut want: Vec<_> = sorted.iter().map(|key| (key.to_vec(), key.to_vec())).collect();
    assert_eq!(keys(tables, Table::Due, EVERYTHING, Order::Ascending), want);
    want.reverse();
    assert_eq!(keys(tables, Table::Due, EVERYTHING, Order::Descending), want);
    assert_eq!(keys(tables, Table::Jobs, EVERYTHING, Order::Ascending), [], "another table");
}

fn bounds_are_exact(tables: &mut impl TablesMut) {
    for key in [b"b", b"d", b"f"] {
        tables.put(Table::Skips, key, b"").expect("put");
    }
    let check = |from: Bound<&[u8]>, to: Bound<&[u8]>, want: &str| {
        let mut want: Vec<_> = want.bytes().map(|key| (vec![key], Vec::new())).collect();
        assert_eq!(
            keys(tables, Table::Skips, (from, to), Order::Ascending),
            want,
            "{from:?} {to:?}"
        );
        want.reverse();
        assert_eq!(
            keys(tables, Table::Skips, (from, to), Order::Descending),
            want,
            "{from:?} {to:?}"
        );
    };
    use Bound::{Excluded, Included, Unbounded};
    check(Included(b"b"), Included(b"f"), "bdf");
    check(Excluded(b"b"), Included(b"f"), "df");
    check(Included(b"b"), Excluded(b"f"), "bd");
    check(Excluded(b"b"), Excluded(b"f"), "d");
    check(Included(b"c"), Unbounded, "df");
    check(Excluded(b"c"), Unbounded, "df");
    check(Unbounded, Included(b"e"), "bd");
    check(Unbounded, Excluded(b"e"), "bd");
    check(Included(b"d"), Included(b"d"), "d");
    check(Included(b"d"), Excluded(b"d"), "");
    check(Excluded(b"d"), Included(b"d"), "");
    check(Excluded(b"d"), Excluded(b"d"), "");
    check(Included(b"e"), Included(b"c"), "");
    check(Excluded(b"f"), Excluded(b"b"), "");
    check(Included(b"g"), Unbounded, "");
    check(Unbounded, Excluded(b"b"), "");
}

fn a_walk_ends_where_its_visitor_breaks(tables: &mut impl TablesMut) {
    for key in 0..10_u8 {
        tables.put(Table::Stats, &[key], b"").expect("put");
    }
    for order in [Order::Ascending, Order::Descending] {
        let mut visited = 0;
        let visit = |_: &[u8], _: &[u8]| {
            visited += 1;
            if visited == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        tables.walk(Table::Stats, EVERYTHING, order, visit).expect("walk");
        assert_eq!(visited, 3, "{order:?}");
    }
}

fn clearing_takes_one_table_only(tables: &mut impl TablesMut) {
    for table in Table::ALL {
        tables.put(table, b"k", b"v").expect("put");
    }
    tables.clear(Table::Outputs).expect("clear");
    for table in Table::ALL {
        assert_eq!(tables.len(table), Ok(u64::from(table != Table::Outputs)), "{table:?}");
    }
    tables.put(Table::Outputs, b"k", b"v").expect("a cleared table takes new keys");
}

fn keys_and_values_of_any_accepted_size_are_kept(tables: &mut impl TablesMut) {
    let value = vec![7; 3 << 20];
    for bytes in [1, 2, 31, 32, 33, 255, 256, KEY_BYTES_MAX] {
        let key = vec![b'k'; bytes];
        tables.put(Table::Outputs, &key, &value).expect("put");
        assert_eq!(get(tables, Table::Outputs, &key).as_ref(), Some(&value), "{bytes} bytes");
    }
    assert_eq!(tables.len(Table::Outputs), Ok(8));
}

/// Goal: any order of writes, deletes, clears and walks behaves as a sorted map does.
fn a_random_history_agrees_with_a_plain_map(tables: &mut impl TablesMut, seed: u64) {
    let mut model = [BTreeMap::<Vec<u8>, Vec<u8>>::new(), BTreeMap::new()];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % bound
    };
    for step in 0..3_000 {
        let which = below(2) as usize;
        let table = [Table::Executions, Table::Due][which];
        let key: Vec<u8> = (0..=below(3)).map(|_| below(5) as u8 * 51).collect();
        match below(100) {
            0 => {
                tables.clear(table).expect("clear");
                model[which].clear();
            }
            1..60 => {
                let value = vec![below(256) as u8; below(40) as usize];
                tables.put(table, &key, &value).expect("put");
                model[which].insert(key, value);
            }
            60..90 => {
                let was_there = model[which].remove(&key).is_some();
                assert_eq!(tables.delete(table, &key), Ok(was_there), "seed {seed} step {step}");
            }
            _ => {
                let want: Vec<_> = model[which]
                    .range(key.clone()..)
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                let range = (Bound::Included(&*key), Bound::Unbounded);
                let got = keys(tables, table, range, Order::Ascending);
                assert_eq!(got, want, "seed {seed} step {step}");
            }
        }
        assert_eq!(tables.len(table), Ok(model[which].len() as u64), "seed {seed} step {step}");
    }
}
