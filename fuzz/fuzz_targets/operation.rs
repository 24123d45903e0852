//! Bodies of every operation.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::operation(data));
