//! `bundle.json`: what a bundle holds and claims. Canonical JSON has one spelling, so it is read by a scanner that
//! knows what comes next: memory is what the claims take, however the bytes try.

use proofline_canon::{Limits, MAX_SAFE_INTEGER, RawMembers, Sha256Digest, members};
use proofline_trace::{LedgerId, Origin, TraceId};

use crate::ids::Seq;

use super::fault::BundleFault;

/// The longest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 64 << 20;

const BUNDLE_TYPE: &str = "proofline.evidence";
const VERSION: &str = "1";

/// What a bundle says of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceClaim {
    /// The trace.
    pub trace_id: TraceId,
    /// How many entries it has up to the bundle's size; 0 says that there is none.
    pub entries: u64,
}

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadState {
    /// It is in the bundle.
    Included,
    /// Somebody took it out, or did not ask for it.
    Withheld,
    /// The ledger erased it, as this entry says.
    Erased(Seq),
    /// The ledger did not have it.
    Absent,
}

impl PayloadState {
    /// Its name in the manifest and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PayloadState::Included => "included",
            PayloadState::Withheld => "withheld",
            PayloadState::Erased(_) => "erased",
            PayloadState::Absent => "absent",
        }
    }
}

/// What a bundle says of a payload or a policy that its records name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadClaim {
    /// Its name.
    pub sha256: Sha256Digest,
    /// What became of it.
    pub state: PayloadState,
}

/// The schema of a kind of body in the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaClaim {
    /// Its name, such as `auth_context`.
    pub name: String,
    /// SHA-256 of the published file.
    pub sha256: Sha256Digest,
}

/// The manifest. What [`Manifest::parse`] reads, [`Manifest::to_bytes`] writes as the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// Its origin.
    pub origin: Origin,
    /// How many entries the checkpoint covers.
    pub size: u64,
    /// The traces asked for, ascending.
    pub traces: Vec<TraceClaim>,
    /// The index entries of the cover, the newest first.
    pub cover: Vec<Seq>,
    /// Payloads and policies that bodies at hand name, ascending.
    pub payloads: Vec<PayloadClaim>,
    /// The schemas of the bodies at hand, ascending by name.
    pub schemas: Vec<SchemaClaim>,
    /// The entries whose bodies somebody took out, ascending.
    pub withheld: Vec<Seq>,
}

impl Manifest {
    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let list = |items: Vec<String>| items.join(",");
        let blobs = self.payloads.iter().map(|PayloadClaim { sha256, state }| {
            let by = match state {
                PayloadState::Erased(seq) => format!("\"erased_by\":{seq},"),
                _ => String::new(),
            };
            format!("{{{by}\"sha256\":\"{sha256}\",\"state\":\"{}\"}}", state.as_str())
        });
        let schemas = self
            .schemas
            .iter()
            .map(|SchemaClaim { name, sha256 }| format!("{{\"name\":\"{name}\",\"sha256\":\"{sha256}\"}}"));
        let traces = self.traces.iter().map(|TraceClaim { trace_id, entries }| {
            format!("{{\"entries\":{entries},\"trace_id\":\"{trace_id}\"}}")
        });
        let seqs = |seqs: &[Seq]| list(seqs.iter().map(Seq::to_string).collect());
        let text = [
            format!("{{\"blobs\":[{}]", list(blobs.collect())),
            format!("\"bundle_type\":\"{BUNDLE_TYPE}\""),
            format!("\"cover\":[{}]", seqs(&self.cover)),
            format!("\"ledger_id\":\"{}\"", self.ledger_id),
            format!("\"origin\":\"{}\"", escaped(self.origin.as_str())),
            format!("\"schemas\":[{}]", list(schemas.collect())),
            format!("\"size\":{}", self.size),
            format!("\"traces\":[{}]", list(traces.collect())),
            format!("\"version\":\"{VERSION}\""),
            format!("\"withheld\":[{}]}}", seqs(&self.withheld)),
        ];
        text.join(",").into_bytes()
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`BundleFault::Newer`], [`BundleFault::Manifest`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleFault> {
        refuse_newer(bytes)?;
        let refused = |at: usize, what: &'static str| BundleFault::Manifest { at, what };
        let text =
            std::str::from_utf8(bytes).map_err(|error| refused(error.valid_up_to(), "is not UTF-8"))?;
        let mut scan = Scan { rest: text };
        let scanned = scan.manifest();
        let at = text.len() - scan.rest.len();
        let manifest = scanned.ok_or_else(|| {
            refused(at, "is not what its canonical form asks for there, or a value is out of bounds")
        })?;
        manifest.check().map_err(|what| refused(0, what))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (ascends(&self.traces, |claim| claim.trace_id), "lists traces that do not ascend"),
            (!self.traces.is_empty(), "lists no trace"),
            (ascends(&self.payloads, |claim| claim.sha256), "lists payloads that do not ascend"),
            (ascends(&self.schemas, |claim| claim.name.clone()), "lists schemas that do not ascend"),
            (ascends(&self.withheld, |seq| *seq), "lists withheld bodies that do not ascend"),
            (
                self.withheld.last().is_none_or(|last| last.get() < self.size),
                "lists a withheld body behind the last entry",
            ),
            (
                !self.cover.contains(&Seq::GENESIS),
                "has a cover down to the genesis entry, which is no index entry",
            ),
            (
                self.cover.windows(2).all(|pair| pair.first() > pair.last()),
                "has a cover that does not descend",
            ),
            (
                self.cover.first().is_some_and(|first| first.next().get() == self.size),
                "has a cover that does not begin with the last entry",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
    }

    /// The claim about a payload.
    #[must_use]
    pub fn payload(&self, sha256: &Sha256Digest) -> Option<&PayloadClaim> {
        let at = self.payloads.binary_search_by(|claim| claim.sha256.cmp(sha256)).ok()?;
        self.payloads.get(at)
    }

    /// The payloads that are in the bundle.
    pub fn included(&self) -> impl Iterator<Item = Sha256Digest> + '_ {
        let included = self.payloads.iter().filter(|claim| claim.state == PayloadState::Included);
        included.map(|claim| claim.sha256)
    }

    /// How many payloads are in a state of this name.
    #[must_use]
    pub fn count(&self, state: &str) -> u64 {
        self.payloads.iter().filter(|claim| claim.state.as_str() == state).count() as u64
    }
}

fn ascends<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> bool {
    items.windows(2).all(|pair| pair.first().map(&key) < pair.last().map(&key))
}

/// The characters of an origin that JSON escapes.
fn escaped(origin: &str) -> String {
    origin.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A manifest of a later version is told as such, whatever else it holds.
fn refuse_newer(bytes: &[u8]) -> Result<(), BundleFault> {
    let limits = Limits::CONTENT;
    // What is no strict JSON is refused by the scanner, with its place.
    let Ok(found @ RawMembers::Object(_)) = members(bytes, &limits) else { return Ok(()) };
    let text = |name: &str| {
        let raw = found.get(name).and_then(|range| bytes.get(range))?;
        std::str::from_utf8(raw).ok()?.strip_prefix('"')?.strip_suffix('"')
    };
    match text("version") {
        Some(version) if version != VERSION && text("bundle_type") == Some(BUNDLE_TYPE) => {
            Err(BundleFault::Newer(version.chars().take(40).collect()))
        }
        _ => Ok(()),
    }
}

struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn manifest(&mut self) -> Option<Manifest> {
        self.literal("{\"blobs\":")?;
        let payloads = self.list(Self::payload)?;
        self.literal(",\"bundle_type\":\"")?;
        self.literal(BUNDLE_TYPE)?;
        self.literal("\",\"cover\":")?;
        let cover = self.list(Self::seq)?;
        self.literal(",\"ledger_id\":\"")?;
        let ledger_id = self.plain()?.parse().ok()?;
        self.literal("\",\"origin\":\"")?;
        let origin = self.origin()?;
        self.literal(",\"schemas\":")?;
        let schemas = self.list(Self::schema)?;
        self.literal(",\"size\":")?;
        let size = self.number()?;
        self.literal(",\"traces\":")?;
        let traces = self.list(Self::trace)?;
        self.literal(",\"version\":\"")?;
        self.literal(VERSION)?;
        self.literal("\",\"withheld\":")?;
        let withheld = self.list(Self::seq)?;
        self.literal("}")?;
        let is_whole = self.rest.is_empty();
        is_whole.then_some(Manifest { ledger_id, origin, size, traces, cover, payloads, schemas, withheld })
    }

    fn literal(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.literal("[")?;
        let mut items = Vec::new();
        while self.literal("]").is_none() {
            if !items.is_empty() {
                self.literal(",")?;
            }
            items.push(item(self)?);
        }
        Some(items)
    }

    /// A number in its one spelling, within what JSON carries exactly.
    fn number(&mut self) -> Option<u64> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.rest.get(..length)?;
        let number = crate::checkpoint::decimal(digits)?;
        self.take(length)?;
        (number <= MAX_SAFE_INTEGER.unsigned_abs()).then_some(number)
    }

    fn seq(&mut self) -> Option<Seq> {
        self.number().map(Seq::new)
    }

    /// A text without anything that JSON escapes, up to its closing quote, which stays.
    fn plain(&mut self) -> Option<&'a str> {
        let length = self.rest.find('"')?;
        self.take(length)
    }

    /// An origin with its closing quote. Of printable ASCII, JSON escapes two characters.
    fn origin(&mut self) -> Option<Origin> {
        let mut text = String::new();
        loop {
            match self.take(1)? {
                "\"" => return Origin::new(&text).ok(),
                "\\" => match self.take(1)? {
                    escaped @ ("\\" | "\"") => text.push_str(escaped),
                    _ => return None,
                },
                plain => text.push_str(plain),
            }
        }
    }

    fn digest(&mut self) -> Option<Sha256Digest> {
        self.plain()?.parse().ok()
    }

    fn payload(&mut self) -> Option<PayloadClaim> {
        self.literal("{")?;
        let by = match self.literal("\"erased_by\":") {
            Some(()) => {
                let seq = self.seq()?;
                self.literal(",")?;
                Some(seq)
            }
            None => None,
        };
        self.literal("\"sha256\":\"")?;
        let sha256 = self.digest()?;
        self.literal("\",\"state\":\"")?;
        let state = match (self.plain()?, by) {
            ("included", None) => PayloadState::Included,
            ("withheld", None) => PayloadState::Withheld,
            ("absent", None) => PayloadState::Absent,
            ("erased", Some(seq)) => PayloadState::Erased(seq),
            _ => return None,
        };
        self.literal("\"}")?;
        Some(PayloadClaim { sha256, state })
    }

    fn schema(&mut self) -> Option<SchemaClaim> {
        self.literal("{\"name\":\"")?;
        let name = self.plain()?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let name = (is_name && name.len() <= 64).then(|| name.to_owned())?;
        self.literal("\",\"sha256\":\"")?;
        let sha256 = self.digest()?;
        self.literal("\"}")?;
        Some(SchemaClaim { name, sha256 })
    }

    fn trace(&mut self) -> Option<TraceClaim> {
        self.literal("{\"entries\":")?;
        let entries = self.number()?;
        self.literal(",\"trace_id\":\"")?;
        let trace_id = self.plain()?.parse().ok()?;
        self.literal("\"}")?;
        Some(TraceClaim { trace_id, entries })
    }
}
