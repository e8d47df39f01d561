//! libFuzzer target; the body is `proofline_fuzz::otlp_protobuf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofline_fuzz::otlp_protobuf(data));
