//! The target that reads evidence bundles, which travel through many hands.

use std::io::Cursor;

use proofline_proof::bundle::{Bundle, BundleTrust, Withholding, verify_bundle, withhold};

/// What holds is written as the same bytes again, and each fault of another has a code and a step.
pub fn bundle(data: &[u8]) {
    let report = verify_bundle(Cursor::new(data), &BundleTrust::default()).expect("memory is read");
    if let Some(fault) = report.fault() {
        assert!(!fault.code().is_empty() && !fault.to_string().is_empty() && !fault.hint().is_empty());
        assert!((1..=9).contains(&fault.step().number()), "nobody was asked who signed");
        return;
    }
    assert!(report.holds());
    let manifest = report.manifest.expect("a bundle that holds has a manifest");
    let there: u64 = manifest.traces.iter().map(|claim| claim.entries).sum();
    assert!(there <= report.counts.entries, "more is claimed than is there");
    let mut bundle = Bundle::open(Cursor::new(data)).expect("it was opened before");
    let copy = withhold(&mut bundle, &Withholding::default(), Cursor::new(Vec::new()));
    let (copy, again) = copy.expect("a bundle that holds is copied");
    assert!(copy.into_inner() == data, "another bundle is written than was read");
    assert_eq!(again, manifest);
}
