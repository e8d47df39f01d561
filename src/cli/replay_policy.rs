//! What `replay` says of the decisions that their policies did not decide again.

use proofline::replay::Summary;
use proofline::trace::ReplayType;

use super::phrase::counted;

/// Which decisions were not decided again, and why, a line for each reason.
pub(crate) fn not_re_decided(summary: &Summary) -> Vec<String> {
    if summary.replay_type == ReplayType::Forensic {
        return Vec::new();
    }
    let reasons = [
        (summary.policy_absent, "the policy is not at hand"),
        (summary.policy_unusable, "the policy cannot be used"),
    ];
    let told = reasons.into_iter().filter(|(count, _)| *count > 0);
    told.map(|(count, why)| format!("{} not re-decided: {why}", counted(count, "decision", "decisions")))
        .collect()
}
