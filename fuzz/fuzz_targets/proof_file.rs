//! libFuzzer target; the body is `proofline_fuzz::proof_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::proof_file(data));
