//! Log entries: any bytes decode or are refused, and what decodes can be applied.

use dkron_core::kernel::state::{MemoryTables, apply, decode_entry, encode_entry, state_hash};

use crate::world;

/// An entry that decodes survives the round trip, and applying it is a function of state and entry.
pub fn check(data: &[u8]) {
    let Ok(entry) = decode_entry(data) else { return };
    let again = decode_entry(&encode_entry(&entry));
    assert_eq!(again.as_ref(), Ok(&entry), "an entry reads as it was written");

    let applied = || {
        let mut tables = world::state();
        let mut events = Vec::new();
        let outcomes = apply(&mut tables, &entry, &mut events).expect("sound tables do not fail");
        assert_eq!(outcomes.len(), entry.commands.len(), "every command is answered");
        (tables, outcomes, events)
    };
    let (tables, outcomes, events) = applied();
    assert!(applied() == (tables.clone(), outcomes, events), "equal logs give equal states");
    is_sound(&tables);
}

/// Everything reads, and a snapshot holds everything.
fn is_sound(tables: &MemoryTables) {
    world::look_at(tables).expect("what was applied can be read");
    let restored = world::restore(&world::snapshot(tables)).expect("a snapshot restores");
    assert_eq!(state_hash(&restored), state_hash(tables), "a snapshot holds everything");
}
