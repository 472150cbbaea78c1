//! Snapshots: any stream restores as a whole or is refused, and what restores can be worked with.
//!
//! Every chunk carries a checksum, which no fuzzer guesses. So beside raw streams there are bodies:
//! the input is cut into bodies of chunks, and the heads are made for them.

use dkron_core::kernel::state::{apply, state_hash};

use crate::world;

/// The first byte tells a raw stream from bodies.
pub const RAW: u8 = b'r';

/// Bodies follow, each after its length in two bytes.
pub const BODIES: u8 = b'b';

/// A stream that restores gives a state of which a snapshot restores to the same.
pub fn check(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let stream = if *kind == BODIES { sealed(data) } else { data.to_vec() };
    let Some(mut tables) = world::restore(&stream) else { return };
    let again = world::restore(&world::snapshot(&tables)).expect("a snapshot restores");
    assert_eq!(state_hash(&again), state_hash(&tables), "a snapshot holds everything");

    // Rows that are sound one by one may still contradict each other: errors, but no panic.
    let _ = world::look_at(&tables);
    for entry in world::samples() {
        let _ = apply(&mut tables, &entry, &mut Vec::new());
    }
}

/// Puts a head before each body and numbers them.
fn sealed(mut data: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut number = 0_u32;
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (body, rest) = rest.split_at(length);
        data = rest;
        let mut chunk = number.to_le_bytes().to_vec();
        chunk.extend_from_slice(body);
        stream.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
        stream.extend_from_slice(&checksum(&chunk).to_le_bytes());
        stream.extend_from_slice(&chunk);
        number += 1;
    }
    stream
}

/// Takes the heads off a stream of small chunks: the reverse of what is done to an input.
pub fn bodies(mut stream: &[u8]) -> Vec<u8> {
    let mut data = vec![BODIES];
    while let Some((length, rest)) = stream.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (chunk, rest) = rest[8..].split_at(length);
        stream = rest;
        data.extend_from_slice(&((length - 4) as u16).to_le_bytes());
        data.extend_from_slice(&chunk[4..]);
    }
    data
}

/// The checksum of the format, written anew: a change of either shows in the tests.
fn checksum(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |sum: u64, word: u64| {
        let sum = (sum ^ word).wrapping_mul(FACTOR);
        sum ^ (sum >> 32)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(FACTOR, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(mix(sum, u64::from_le_bytes(last)), bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_taken_apart_and_sealed_again_is_the_same() {
        let stream = world::snapshot(&world::state());

        assert_eq!(sealed(&bodies(&stream)[1..]), stream);
        assert!(world::restore(&stream).is_some());
    }
}
