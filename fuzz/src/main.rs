//! The libFuzzer binary: runs the target that `DKRON_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use dkron_fuzz::Target;

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let target = CHOSEN.get_or_init(|| {
        let name = std::env::var("DKRON_FUZZ_TARGET").unwrap_or_default();
        dkron_fuzz::target(&name).unwrap_or_else(|| panic!("there is no target {name:?}"))
    });
    (target.run)(data);
});
