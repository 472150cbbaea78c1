//! The libFuzzer binary: runs the targets that `DKRON_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use dkron_fuzz::Target;

static CHOSEN: OnceLock<Vec<&'static Target>> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("DKRON_FUZZ_TARGET").unwrap_or_default();
        let found = dkron_fuzz::targets(&name);
        assert!(!found.is_empty(), "there is no target {name:?}");
        found
    });
    chosen.iter().for_each(|target| (target.run)(data));
});
