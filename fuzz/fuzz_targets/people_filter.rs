//! `$filter` and `$search` on people.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::people_filter(data));
