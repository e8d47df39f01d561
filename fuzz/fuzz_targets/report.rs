//! libFuzzer target; the body is `proofline_fuzz::report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::report(data));
