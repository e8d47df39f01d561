//! Keys of RFC 8032 §7.1 and the tree of the leaves "0" to "4", whose nodes are known answers.

use proofline_canon::unhex;
use proofline_proof::{KeyRole, LeafHash, NodeHash, SecretKey};

pub(crate) use crate::shared::SEEDS;

pub(crate) fn key(name: &str, role: KeyRole, seed: &str) -> SecretKey {
    crate::shared::secret(name, role, unhex(seed).unwrap())
}

pub(crate) fn node(text: &str) -> NodeHash {
    NodeHash::from_bytes(unhex(text).unwrap())
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str(pair), 16).unwrap()).collect()
}

fn str(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn h2() -> NodeHash {
    node("fa61e3dec3439589f4784c893bf321d0084f04c572c7af2b68e3f3360a35b486")
}

pub(crate) fn h3() -> NodeHash {
    node("906c5d2485cae722073a430f4d04fe1767507592cef226629aeadb85a2ec909d")
}

pub(crate) fn h4() -> NodeHash {
    node("11e1f558223f4c71b6be1cecfd1f0de87146d2594877c27b29ec519f9040213c")
}

pub(crate) fn h01() -> NodeHash {
    node("cb00989d94a569c0a678ae042b63dcd4625db96440517f37a6eb7976ea24ed4b")
}

/// The root of size 3.
pub(crate) fn root3() -> NodeHash {
    node("725d5230db68f557470dc35f1d8865813acd7ebb07ad152774141decbae71327")
}

/// The root of size 5.
pub(crate) fn root5() -> NodeHash {
    node("b6748f6ed7a99de7da84fd97e1a3bac6fab8999f4a43695cab9528a2de431147")
}

/// The leaf hash of the entry "3".
pub(crate) fn leaf3() -> LeafHash {
    LeafHash::from_bytes(*h3().as_bytes())
}

/// The proof of "3" in the tree of five.
pub(crate) fn path3() -> Vec<NodeHash> {
    vec![h2(), h01(), h4()]
}

/// The proof from three entries to five.
pub(crate) fn path3to5() -> Vec<NodeHash> {
    vec![h2(), h3(), h01(), h4()]
}
