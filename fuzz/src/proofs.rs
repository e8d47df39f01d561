//! Targets that read proof files and the resources of a tiled log: what is read is written as the same
//! bytes again where there is one spelling, and what holds under the golden files' keys says what they say.

use proofline_proof::files::cose::Receipt;
use proofline_proof::files::dsse::DsseEnvelope;
use proofline_proof::files::statement::Statement;
use proofline_proof::files::tiles::{TilePath, decode_bundle, encode_bundle};
use proofline_proof::files::{ConsistencyFile, ProofFile, TlogProof};

/// The text forms have one spelling.
pub fn proof_text(data: &[u8]) {
    if let Ok(proof) = TlogProof::parse(data) {
        assert_eq!(proof.write(), data, "another proof is written than was read");
        assert!(ConsistencyFile::parse(data).is_err(), "two kinds at once");
    }
    if let Ok(proof) = ConsistencyFile::parse(data) {
        assert_eq!(proof.write().as_deref(), Ok(data), "another proof is written than was read");
    }
}

/// A receipt is written with what was read of it, and its protected header byte for byte.
pub fn receipt(data: &[u8]) {
    let Ok(receipt) = Receipt::parse(data) else { return };
    let written = receipt.write();
    assert!(written.len() <= data.len(), "something was added");
    assert_eq!(Receipt::parse(&written).expect("what is written is read"), receipt);
    assert!(receipt.proof().size() > 1, "no tree of one leaf has a path");
}

/// An envelope is written in one spelling, which says the same.
pub fn envelope(data: &[u8]) {
    let Ok(envelope) = DsseEnvelope::parse(data) else { return };
    let written = envelope.write().expect("texts are written");
    let again = DsseEnvelope::parse(&written).expect("what is written is read");
    assert_eq!(again, envelope);
    assert_eq!(again.write().expect("texts are written"), written);
}

/// A statement that holds is written in one spelling, which holds.
pub fn statement(data: &[u8]) {
    let Ok(statement) = Statement::read(data) else { return };
    let written = statement.write().expect("what holds is written");
    assert_eq!(Statement::read(&written).expect("what is written is read"), statement);
}

/// A file is of the dialect that reads it.
pub fn proof_file(data: &[u8]) {
    match ProofFile::parse(data) {
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
        Ok(ProofFile::TlogProof(proof)) => assert_eq!(TlogProof::parse(data), Ok(proof)),
        Ok(ProofFile::Consistency(proof)) => assert_eq!(ConsistencyFile::parse(data), Ok(proof)),
        Ok(ProofFile::Receipt(read)) => assert_eq!(Receipt::parse(data).expect("a receipt"), read),
        Ok(ProofFile::Envelope(read)) => assert_eq!(DsseEnvelope::parse(data).expect("an envelope"), read),
    }
}

/// A path has one spelling, a bundle one encoding: the first byte is the width, less one.
pub fn tile(data: &[u8]) {
    if let Some(path) = std::str::from_utf8(data).ok().and_then(|text| text.parse::<TilePath>().ok()) {
        assert_eq!(path.to_string().as_bytes(), data);
    }
    let Some((width, bundle)) = data.split_first() else { return };
    let width = usize::from(*width) + 1;
    if let Ok(entries) = decode_bundle(bundle, width) {
        assert_eq!(entries.len(), width);
        assert_eq!(encode_bundle(&entries).as_deref(), Ok(bundle));
    }
}
