//! The target that opens sealed payloads.

use std::sync::LazyLock;

use proofline_proof::sealed::{SealedHeader, SubjectKey, open, open_bytes, seal_bytes, sealed_size_bytes};
use zeroize::Zeroizing;

/// The key of most golden payloads.
static KEY: LazyLock<SubjectKey> = LazyLock::new(|| {
    let counted = std::array::from_fn(|at| u8::try_from(at).expect("32 numbers are small"));
    SubjectKey::from_bytes(&Zeroizing::new(counted))
});

/// Whatever opens is what its content is sealed as, and no other bytes are; any content opens to itself.
pub fn sealed(data: &[u8]) {
    let opened = open_bytes(&KEY, data);
    match SealedHeader::parse(data) {
        Err(error) => assert_eq!(opened.as_ref().err().map(|other| other.code()), Some(error.code())),
        Ok(header) => {
            assert!(data.starts_with(&header.to_bytes()), "another header is written than was read")
        }
    }
    match opened {
        Ok(content) => assert_eq!(seal_bytes(&KEY, &content), data, "a second form of one content"),
        Err(error) => assert!(error.code().starts_with("sealed.") && !error.hint().is_empty()),
    }
    let payload = seal_bytes(&KEY, data);
    assert_eq!(sealed_size_bytes(data.len() as u64), Ok(payload.len() as u64));
    let mut content = Vec::new();
    let measured = open(&KEY, &mut payload.as_slice(), &mut content).expect("what was sealed opens");
    assert_eq!((content.as_slice(), measured.size_bytes), (data, data.len() as u64));
}
