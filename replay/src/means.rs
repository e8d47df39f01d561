//! What a replay may use besides the ledger. Without any of it a replay reads nothing else, and its coverage
//! says what was therefore not done.

use proofline_canon::ContentStore;
use proofline_policy::PolicyEngine;

use crate::tools::Tools;

/// What stands beside the ledger; by default nothing.
#[derive(Clone, Copy, Default)]
pub struct Means<'a> {
    /// Where payloads and policies are looked for.
    pub payloads: Option<&'a (dyn ContentStore + Sync)>,
    /// What decides again, in an invariant replay, each decision whose policy is among the payloads.
    pub policies: Option<&'a dyn PolicyEngine>,
    /// What a forensic replay runs again. No other replay runs anything.
    pub tools: Option<&'a Tools>,
}

impl<'a> Means<'a> {
    /// A store of payloads alone.
    #[must_use]
    pub fn payloads(payloads: &'a (dyn ContentStore + Sync)) -> Self {
        Self { payloads: Some(payloads), ..Self::default() }
    }
}
