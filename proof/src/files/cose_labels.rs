//! The header labels of a COSE receipt: the protected map, written in one order and read in any, and
//! labels that may stand only once.

use proofline_canon::cbor::{self, CborFault, Decoder};

use crate::files::cose::{CoseError, ReceiptClaims, VDS_RFC9162_SHA256};

/// The protected label of the tree's size, which the signature of RFC 9942 does not cover by itself.
pub const TREE_SIZE_LABEL: &str = "proofline-tree-size";

/// The unprotected label of the entry header that travels with a receipt.
pub const ENTRY_HEADER_LABEL: &str = "proofline-entry-header";

const ALG: i64 = 1;
pub(super) const CRIT: i64 = 2;
const KID: i64 = 4;
const CWT_CLAIMS: i64 = 15;
const VDS: i64 = 395;
pub(super) const VDP: i64 = 396;

const CLAIM_ISSUER: i64 = 1;
const CLAIM_ISSUED_AT: i64 = 6;

/// A header label.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label<'a> {
    Number(i64),
    Text(&'a str),
}

impl Label<'_> {
    /// True for the labels whose meaning is known here and kept to.
    fn is_understood(&self) -> bool {
        match self {
            Label::Number(number) => [ALG, CRIT, KID, CWT_CLAIMS, VDS].contains(number),
            Label::Text(text) => *text == TREE_SIZE_LABEL,
        }
    }
}

fn label<'a>(decoder: &mut Decoder<'a>) -> Result<Label<'a>, CborFault> {
    const WHAT: &str = "a header label";
    if decoder.next_is_text()? {
        return decoder.text(WHAT).map(Label::Text);
    }
    decoder.int(WHAT).map(Label::Number)
}

/// The next label, which none of those seen may be: a label stands once in both headers together.
pub(super) fn read_label<'a>(
    decoder: &mut Decoder<'a>,
    seen: &mut Vec<Label<'a>>,
) -> Result<Label<'a>, CoseError> {
    /// More labels than any receipt has; the search among those seen stays short.
    const MAX_LABELS: usize = 64;
    let label = label(decoder)?;
    if seen.contains(&label) {
        return Err(CoseError::DuplicateLabel);
    }
    if seen.len() == MAX_LABELS {
        return Err(CoseError::Form("number of header labels"));
    }
    seen.push(label);
    Ok(label)
}

/// The protected header in deterministic CBOR.
pub(super) fn write_protected(claims: &ReceiptClaims) -> Vec<u8> {
    let cwt = u64::from(claims.issuer.is_some()) + u64::from(claims.issued_at_s.is_some());
    let optional = [claims.kid.is_some(), cwt > 0, claims.tree_size.is_some()];
    let mut out = Vec::new();
    cbor::put_map(&mut out, 2 + optional.into_iter().map(u64::from).sum::<u64>());
    cbor::put_int(&mut out, ALG);
    cbor::put_int(&mut out, claims.algorithm);
    if let Some(kid) = &claims.kid {
        cbor::put_int(&mut out, KID);
        cbor::put_bytes(&mut out, kid);
    }
    if cwt > 0 {
        cbor::put_int(&mut out, CWT_CLAIMS);
        cbor::put_map(&mut out, cwt);
    }
    if let Some(issuer) = &claims.issuer {
        cbor::put_int(&mut out, CLAIM_ISSUER);
        cbor::put_text(&mut out, issuer);
    }
    if let Some(time) = claims.issued_at_s {
        cbor::put_int(&mut out, CLAIM_ISSUED_AT);
        cbor::put_int(&mut out, time);
    }
    cbor::put_int(&mut out, VDS);
    cbor::put_int(&mut out, VDS_RFC9162_SHA256);
    if let Some(size) = claims.tree_size {
        cbor::put_text(&mut out, TREE_SIZE_LABEL);
        cbor::put_uint(&mut out, size);
    }
    out
}

/// Reads a protected header, and the labels that it has.
pub(super) fn read_protected(bytes: &[u8]) -> Result<(ReceiptClaims, Vec<Label<'_>>), CoseError> {
    let mut decoder = Decoder::new(bytes);
    let mut seen = Vec::new();
    let (mut algorithm, mut vds, mut critical) = (None, None, Vec::new());
    let mut claims = ReceiptClaims::none();
    for _ in 0..decoder.map("the protected header")? {
        match read_label(&mut decoder, &mut seen)? {
            Label::Number(ALG) => algorithm = Some(decoder.int("the algorithm")?),
            Label::Number(CRIT) => critical = read_critical(&mut decoder)?,
            Label::Number(KID) => claims.kid = Some(decoder.bytes("the kid")?.to_vec()),
            Label::Number(CWT_CLAIMS) => read_cwt(&mut decoder, &mut claims)?,
            Label::Number(VDS) => vds = Some(decoder.int("the data structure")?),
            Label::Text(TREE_SIZE_LABEL) => claims.tree_size = Some(decoder.uint("the tree size")?),
            _ => drop(decoder.skip("a protected header")?),
        }
    }
    if !decoder.is_at_end() {
        return Err(CoseError::Form("protected header"));
    }
    if critical.iter().any(|label| !label.is_understood() || !seen.contains(label)) {
        return Err(CoseError::Critical);
    }
    claims.algorithm = algorithm.ok_or(CoseError::Missing("alg"))?;
    match vds.ok_or(CoseError::Missing("vds"))? {
        VDS_RFC9162_SHA256 => Ok((claims, seen)),
        other => Err(CoseError::DataStructure(other)),
    }
}

fn read_critical<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<Label<'a>>, CoseError> {
    let mut labels = Vec::new();
    for _ in 0..decoder.array("the critical labels")? {
        read_label(decoder, &mut labels)?;
    }
    // RFC 9052 §3.1: an empty list is not allowed.
    if labels.is_empty() { Err(CoseError::Critical) } else { Ok(labels) }
}

fn read_cwt(decoder: &mut Decoder<'_>, claims: &mut ReceiptClaims) -> Result<(), CoseError> {
    let mut seen = Vec::new();
    for _ in 0..decoder.map("the CWT claims")? {
        match read_label(decoder, &mut seen)? {
            Label::Number(CLAIM_ISSUER) => claims.issuer = Some(decoder.text("the issuer")?.to_owned()),
            Label::Number(CLAIM_ISSUED_AT) => claims.issued_at_s = Some(decoder.int("the time of issue")?),
            _ => drop(decoder.skip("a CWT claim")?),
        }
    }
    Ok(())
}
