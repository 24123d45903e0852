//! `$select` on a presence.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::select(data));
