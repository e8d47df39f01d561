//! libFuzzer target; the body is `proofline_fuzz::mark`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::mark(data));
