//! Bodies of every other operation.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::operation(data));
