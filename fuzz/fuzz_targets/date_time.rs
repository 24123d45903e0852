//! Date-times.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::date_time(data));
