//! Bodies that make and change subscriptions.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::subscribe(data));
