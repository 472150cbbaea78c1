//! One number for a whole state, by which servers tell whether they agree.

use std::ops::{Bound, ControlFlow};

use super::chunk::is_ours;
use crate::kernel::state::checksum::Checksum;
use crate::kernel::state::{Order, Table, TableError, Tables};

/// Returns a number that is equal on servers whose states are equal, and differs on others with
/// all but certainty. Reads everything.
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn state_hash(tables: &impl Tables) -> Result<u64, TableError> {
    let mut checksum = Checksum::new();
    for table in Table::ALL {
        checksum.add(table.as_str().as_bytes());
        tables.walk(
            table,
            (Bound::Unbounded, Bound::Unbounded),
            Order::Ascending,
            |key, value| {
                if is_ours(table, key) {
                    checksum.add(key);
                    checksum.add(value);
                }
                ControlFlow::Continue(())
            },
        )?;
    }
    Ok(checksum.value())
}
