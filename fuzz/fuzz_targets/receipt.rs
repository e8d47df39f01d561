//! libFuzzer target; the body is `proofline_fuzz::receipt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::receipt(data));
