//! What an import is asked to do: for whom, under which policy, by which rules, keeping how much.

use proofline_canon::{Profile, Sha256Digest, Value};
use proofline_policy::{CedarEngine, NamedPolicy, PolicyError};
use proofline_trace::{Capture, Issuer, Mapping, Resource, StringSet, Token, WordError};

use crate::rules::{ImportRules, ToldIdentity};

/// The version of the rules that are built in: what a span becomes may change only with it.
pub const MAPPER_VERSION: &str = "1";
/// The program, as imports name it.
pub const MAPPER: &str = "proofline-otel";

/// The policy that decides where nobody gives one: everything was allowed, since it happened and nobody asked.
pub const RECORDING_POLICY: &str = "\
    // Given by `import otlp` where no policy is: what was recorded had happened already.\n\
    @id(\"recorded\")\npermit(principal, action, resource);\n";

/// Somebody on whose behalf calls were made, as an import knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `service`, `user`, `agent`, ...
    pub actor_kind: Token,
    /// The name within its kind.
    pub actor_id: Resource,
    /// How they are known: `import` where the telemetry alone says so.
    pub credential_kind: Token,
    /// Who says so.
    pub issuer: Issuer,
    /// What they may do.
    pub grants: StringSet,
}

impl Default for Identity {
    /// The import itself.
    #[expect(clippy::expect_used, reason = "fixed words; a test makes them")]
    fn default() -> Self {
        Self {
            actor_kind: Token::new("service").expect("a token"),
            actor_id: Resource::new("import/otlp").expect("a resource"),
            credential_kind: Token::new("import").expect("a token"),
            issuer: Issuer::new(MAPPER).expect("an issuer"),
            grants: StringSet::default(),
        }
    }
}

impl Identity {
    /// This identity with what rules say of a call instead. Names that are no words become Tokens.
    pub(crate) fn told(&self, told: &ToldIdentity) -> Self {
        let token =
            |text: &Option<String>, own: &Token| text.as_deref().map_or_else(|| own.clone(), Token::of_name);
        let mut grants = self.grants.clone();
        for grant in &told.grants {
            grants.insert(Token::of_name(grant));
        }
        let resource = |text: &str| -> Resource {
            Resource::new(text).unwrap_or_else(|_| resource_of(&Token::of_name(text)))
        };
        Self {
            actor_kind: token(&told.actor_kind, &self.actor_kind),
            actor_id: told.actor_id.as_deref().map_or_else(|| self.actor_id.clone(), resource),
            credential_kind: token(&told.credential_kind, &self.credential_kind),
            issuer: told
                .issuer
                .as_deref()
                .and_then(|text| Issuer::new(text).ok())
                .unwrap_or_else(|| self.issuer.clone()),
            grants,
        }
    }

    /// What was presented: SHA-256 of the identity as canonical JSON, since telemetry holds no credential.
    pub(crate) fn presented(&self) -> Sha256Digest {
        let value = Value::object([
            ("type", Value::from("proofline.otel.identity")),
            ("actor_kind", Value::from(self.actor_kind.as_str())),
            ("actor_id", Value::from(self.actor_id.as_str())),
            ("credential_kind", Value::from(self.credential_kind.as_str())),
            ("issuer", Value::from(self.issuer.as_str())),
            ("grants", Value::array(self.grants.iter().map(Token::as_str))),
        ]);
        // INVARIANT: texts alone, which every profile writes.
        Sha256Digest::of(&value.to_canonical(Profile::Content).unwrap_or_default())
    }
}

#[expect(
    clippy::expect_used,
    reason = "a token is a resource: its letters are among those of one, and it is shorter"
)]
fn resource_of(token: &Token) -> Resource {
    Resource::new(token.as_str()).expect("a token is a resource")
}

/// What an import is asked to do.
#[derive(Debug, Clone)]
pub struct ImportOrder {
    /// For whom, where rules say nothing else.
    pub identity: Identity,
    /// The policy that each call is put to.
    pub policy: NamedPolicy,
    /// Rules of one's own.
    pub rules: Option<ImportRules>,
    /// How much of payloads is kept.
    pub capture: Capture,
    /// Who maps: `producer.component` of the records.
    pub component: Token,
}

impl ImportOrder {
    /// An import under the policy that only records, by the rules that are built in, keeping all.
    ///
    /// # Errors
    /// None that a caller could cause; the policy that is built in is read as any other.
    pub fn recording() -> Result<Self, PolicyError> {
        let policy = NamedPolicy::load(
            &CedarEngine,
            Token::of_name("import-recording"),
            None,
            RECORDING_POLICY.as_bytes(),
        )?;
        Ok(Self::under(policy))
    }

    /// The same under a policy.
    #[must_use]
    pub fn under(policy: NamedPolicy) -> Self {
        Self {
            identity: Identity::default(),
            policy,
            rules: None,
            capture: Capture::Full,
            component: Token::of_name(MAPPER),
        }
    }

    pub(crate) fn mapping(&self) -> Mapping {
        Mapping {
            mapper: Token::of_name(MAPPER),
            mapper_version: Token::of_name(MAPPER_VERSION),
            rules_sha256: self.rules.as_ref().map(ImportRules::sha256),
            policy_sha256: self.policy.reference().policy_sha256,
            capture: self.capture,
        }
    }
}

/// The issuer's and the actor's words from a text such as `service|import/otlp`.
///
/// # Errors
/// What is no word.
pub fn actor_from(text: &str) -> Result<(Token, Resource), WordError> {
    let (kind, id) = text.split_once('|').unwrap_or(("service", text));
    Ok((Token::new(kind)?, Resource::new(id)?))
}
