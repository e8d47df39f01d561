//! libFuzzer target; the body is `proofline_fuzz::policy_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::policy_text(data));
