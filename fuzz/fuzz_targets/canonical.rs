//! libFuzzer target; the body is `proofline_fuzz::canonical`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::canonical(data));
