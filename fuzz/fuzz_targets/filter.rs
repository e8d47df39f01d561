//! libFuzzer target; the body is `proofline_fuzz::filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::filter(data));
