//! libFuzzer target; the body is `proofline_fuzz::bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::bundle(data));
