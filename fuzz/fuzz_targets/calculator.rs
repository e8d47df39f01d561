//! libFuzzer target; the body is `proofline_fuzz::calculator`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::calculator(data));
