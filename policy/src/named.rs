//! A policy under the name that decisions give it.

use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_trace::{PolicyRef, Token};

use crate::answer::Answer;
use crate::engine::{Policy, PolicyEngine, PolicyError};
use crate::question::Question;

/// A policy under the name that decisions give it: loaded once, asked often.
#[derive(Debug, Clone)]
pub struct NamedPolicy {
    bytes: Arc<[u8]>,
    reference: PolicyRef,
    loaded: Arc<dyn Policy>,
}

impl NamedPolicy {
    /// Loads a policy. Without a version it is `sha256:` and the first sixteen hex digits of the digest of its bytes.
    ///
    /// # Errors
    /// [`PolicyError`]: these bytes are no policy of the engine.
    pub fn load(
        engine: &dyn PolicyEngine,
        policy_id: Token,
        policy_version: Option<Token>,
        bytes: &[u8],
    ) -> Result<Self, PolicyError> {
        let loaded = engine.load(bytes)?;
        let policy_sha256 = Sha256Digest::of(bytes);
        let policy_version = policy_version.unwrap_or_else(|| version_of(&policy_sha256));
        let reference = PolicyRef { policy_id, policy_version, policy_sha256 };
        Ok(Self { bytes: bytes.into(), reference, loaded })
    }

    /// How decisions name it.
    #[must_use]
    pub const fn reference(&self) -> &PolicyRef {
        &self.reference
    }

    /// Its bytes, which evidence keeps as a payload.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Asks it.
    #[must_use]
    pub fn ask(&self, question: &Question<'_>) -> Answer {
        self.loaded.ask(question)
    }
}

fn version_of(digest: &Sha256Digest) -> Token {
    let digits = digest.to_string();
    Token::of_name(&format!("sha256:{}", digits.get(..16).unwrap_or(&digits)))
}
