//! Keys and texts that several tests need; the secrets are those of RFC 8032 §7.1.
#![allow(dead_code, reason = "each test takes what it needs")]

use proofline_canon::unhex;
use proofline_proof::{Checkpoint, KeyRole, NodeHash, Policy, SecretKey, Signer, VerifierKey};
use zeroize::Zeroizing;

/// The seeds of RFC 8032 §7.1, tests 1 and 2.
pub(crate) const SEEDS: [&str; 2] = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
];

pub(crate) const ORIGIN: &str = "log.example/demo";
pub(crate) const LOG_KEY: &str = "log.example/demo+6bd2f923+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
pub(crate) const WITNESS_KEY: &str =
    "witness.example/w1+04d2d833+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM";
pub(crate) const TEXT: &str = "log.example/demo\n5\ntnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=\n";
/// Signed by the log, cosigned by the witness at [`TIME_S`].
pub(crate) const NOTE: &str = "log.example/demo
5
tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=

\u{2014} log.example/demo \
a9L5I3qaTFVHhDv8SH2kqfm0VmjKJNVA7KyeO0kWxpDiy1Ejw6LUKFK55S3qaBpToKmlx16n7yq/ZDK2A9wKuhltKg0=
\u{2014} witness.example/w1 \
BNLYMwAAAABlU/EAXf+0atB2lPC3rrvE+btcLwnfl6esBiy2fMaSbercpxhcluO/OcJxHfbwA99fct9c32dVn+egvWmPKhM7xyN7Dw==
";
pub(crate) const TIME_S: u64 = 1_700_000_000;

pub(crate) fn secret(name: &str, role: KeyRole, seed: [u8; 32]) -> SecretKey {
    SecretKey::from_seed(name.parse().unwrap(), role, &Zeroizing::new(seed)).unwrap()
}

/// A key for tests, told from others by a number.
pub(crate) fn numbered(name: &str, role: KeyRole, number: u8) -> SecretKey {
    secret(name, role, [number; 32])
}

pub(crate) fn log() -> SecretKey {
    secret(ORIGIN, KeyRole::Log, unhex(SEEDS[0]).unwrap())
}

pub(crate) fn witness() -> SecretKey {
    secret("witness.example/w1", KeyRole::Witness, unhex(SEEDS[1]).unwrap())
}

pub(crate) fn checkpoint() -> Checkpoint {
    let root = NodeHash::from_base64("tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=").unwrap();
    Checkpoint::new(ORIGIN, 5, root).unwrap()
}

pub(crate) fn policy_of(keys: &[&SecretKey]) -> Policy {
    let keys: Vec<VerifierKey> = keys.iter().map(|key| key.verifier().clone()).collect();
    Policy::of_keys(keys).unwrap()
}
