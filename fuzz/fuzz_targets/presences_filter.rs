//! `$filter` on presences.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::presences_filter(data));
