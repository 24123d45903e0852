//! Bodies of bulk reads.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ids(data));
