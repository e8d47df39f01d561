//! Drift for people: each pair that parts, then over all of them where, how often and in what, drawn as bars.

use std::collections::BTreeMap;

use proofline::ledger::Damage;
use proofline::replay::{
    Cause, Divergence, DriftByKey, DriftSummary, Keyed, PairDrift, RecordPlace, Subject, SubjectCount,
    VariancePolicy,
};

use super::branches::Glyphs;
use super::diff_words::{Entries, Words, label, words};
use super::drift_keys;
use super::error::CliError;
use super::output::{Out, show_damage};
use super::payload_view::payload_lines;
use super::phrase::{counted, wrap_words};
use super::safe::safe_cut;
use super::variance_words::variance_text;

/// Subjects that text shows.
const SUBJECTS_SHOWN: usize = 20;
/// The names of what is counted.
const NAME_CHARS: usize = 32;
/// The names of what differs.
const LABEL_CHARS: usize = 13;

/// How it is drawn, and what was allowed.
pub(crate) struct DriftView {
    ascii: bool,
    variance: String,
}

impl DriftView {
    pub(crate) fn new(ascii: bool, variance: &VariancePolicy) -> Self {
        Self { ascii, variance: variance_text(variance.allowed()) }
    }

    /// A pair that parts or was not compared; others are counted below.
    pub(crate) fn pair(&self, out: &mut Out, drift: &PairDrift) -> Result<(), CliError> {
        match (&drift.first, &drift.failure) {
            (Some(first), _) => {
                self.title(out, drift)?;
                self.divergence(out, first, drift)
            }
            (None, Some(failure)) => {
                self.title(out, drift)?;
                let lines = wrap_words(&safe_cut(failure, 500), out.columns().saturating_sub(2));
                lines.into_iter().try_for_each(|line| {
                    let line = out.paint().bad(&line);
                    out.line(format_args!("  {line}"))
                })
            }
            (None, None) => Ok(()),
        }
    }

    fn title(&self, out: &mut Out, drift: &PairDrift) -> Result<(), CliError> {
        let title = format!("pair {}, {}", drift.pair.baseline, drift.pair.candidate);
        out.heading(&title)
    }

    fn divergence(&self, out: &mut Out, first: &Divergence, drift: &PairDrift) -> Result<(), CliError> {
        let Divergence { cause, subject, place, of, .. } = first;
        let (room, paint) = (out.columns().saturating_sub(2), out.paint());
        let more = drift.causes.values().sum::<u64>().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!("; and at {more} more") };
        // What only the candidate has stands between two of the baseline's.
        let at = match first.baseline {
            Some(_) => format!("at record {place}"),
            None => format!("behind record {}", place.saturating_sub(1)),
        };
        let text = format!(
            "parts {at} of {of}: {} {} {}{more}",
            cause_words(*cause),
            subject.record_type,
            subject.name
        );
        for line in wrap_words(&text, room) {
            let line = paint.bad(&line);
            out.line(format_args!("  {line}"))?;
        }
        for (name, place) in [("baseline", first.baseline), ("candidate", first.candidate)] {
            out.line(format_args!("    {name:<LABEL_CHARS$}{}", place_text(place)))?;
        }
        let glyphs = Glyphs::of(self.ascii);
        for difference in &first.differences {
            let text = match words(difference, &Entries::none(), glyphs) {
                Words::Values(one, other) => format!("{one} {} {other}", glyphs.arrow),
                Words::Sets(gone, come) => {
                    let gone = gone.into_iter().map(|item| format!("- {item}"));
                    let come = come.into_iter().map(|item| format!("+ {item}"));
                    gone.chain(come).collect::<Vec<_>>().join(" ")
                }
            };
            let lines = wrap_words(&text, room.saturating_sub(2 + LABEL_CHARS));
            for (at, line) in lines.into_iter().enumerate() {
                let label = if at == 0 { label(difference.aspect) } else { String::new() };
                let line = paint.odd(&line);
                out.line(format_args!("    {label:<LABEL_CHARS$}{line}"))?;
            }
        }
        for diff in &first.payloads {
            for line in payload_lines(paint, diff, room.saturating_sub(2)) {
                out.line(format_args!("    {line}"))?;
            }
        }
        Ok(())
    }

    /// What all pairs came to.
    pub(crate) fn summary(
        &self,
        out: &mut Out,
        summary: &DriftSummary,
        keyed: Option<(&Keyed, &DriftByKey)>,
    ) -> Result<(), CliError> {
        if summary.parts > 0 {
            out.heading("why pairs part first")?;
            let bars = by_count(&summary.first_causes).map(|(cause, count)| (cause_name(*cause), count));
            self.bars(out, bars.collect(), ["pair", "pairs"])?;
            out.heading("at which record of the baseline")?;
            let bars = summary.depths.iter().map(|(up_to, count)| (depth_name(*up_to), *count));
            self.bars(out, bars.collect(), ["pair", "pairs"])?;
            out.heading("in which models, tools and actions")?;
            self.subjects(out, &summary.subjects, summary.other_subjects)?;
        }
        if !summary.allowed.is_empty() {
            out.heading("differences that were allowed")?;
            let bars = summary.allowed.iter().map(|(kind, count)| (kind.to_string(), *count));
            self.bars(out, bars.collect(), ["time", "times"])?;
        }
        if let Some((_, keys)) = keyed {
            drift_keys::table(out, keys, if self.ascii { "#" } else { "█" })?;
        }
        let damage: Vec<&Damage> = summary.damage.iter().collect();
        show_damage(out, "damage", &damage, summary.damage_count)?;
        out.space()?;
        let mut lines = vec![self.variance.clone()];
        lines.extend(keyed.map(|(keyed, _)| {
            let alone = counted(keyed.alone, "trace has", "traces have");
            format!("{alone} a key that no other has, {} no such key", keyed.without)
        }));
        let columns = out.columns();
        for line in lines.iter().flat_map(|line| wrap_words(line, columns)) {
            out.line(line)?;
        }
        for line in wrap_words(&answer(summary), out.columns()) {
            let line = if summary.holds() { out.paint().good(&line) } else { out.paint().bad(&line) };
            out.line(line)?;
        }
        Ok(())
    }

    /// Those at which most pairs part, each with how many pairs have it.
    fn subjects(
        &self,
        out: &mut Out,
        subjects: &BTreeMap<Subject, SubjectCount>,
        others: u64,
    ) -> Result<(), CliError> {
        let mut parting: Vec<(&Subject, &SubjectCount)> =
            subjects.iter().filter(|(_, count)| count.first > 0).collect();
        parting.sort_by_key(|(subject, count)| (std::cmp::Reverse(count.first), *subject));
        let more = parting.len().saturating_sub(SUBJECTS_SHOWN);
        let bars = parting.into_iter().take(SUBJECTS_SHOWN).map(|(subject, count)| {
            (format!("{} {}", subject.record_type, subject.name), count.first, count.pairs)
        });
        let bars: Vec<(String, u64, u64)> = bars.collect();
        let most = bars.iter().map(|(_, count, _)| *count).max().unwrap_or_default();
        for (name, count, pairs) in bars {
            let of = format!("of {pairs}");
            self.bar(out, &name, count, most, &of)?;
        }
        if more > 0 {
            out.line(format_args!("  and {more} more"))?;
        }
        if others > 0 {
            out.line(format_args!(
                "  and {} beyond those that are counted one by one",
                counted(others, "pair", "pairs")
            ))?;
        }
        Ok(())
    }

    fn bars(&self, out: &mut Out, bars: Vec<(String, u64)>, units: [&str; 2]) -> Result<(), CliError> {
        let [one, many] = units;
        let most = bars.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let unit = |count| if count == 1 { one } else { many };
        bars.into_iter().try_for_each(|(name, count)| self.bar(out, &name, count, most, unit(count)))
    }

    /// A name, a count with its unit, and a bar that is as long as the count, the longest filling the line.
    fn bar(&self, out: &mut Out, name: &str, count: u64, most: u64, unit: &str) -> Result<(), CliError> {
        let name = safe_cut(name, NAME_CHARS);
        let head = format!("  {name:<NAME_CHARS$}{count:>7} {unit:<8}");
        let room = out.columns().saturating_sub(head.chars().count() + 1).clamp(1, 60) as u64;
        let length = usize::try_from(count.saturating_mul(room).div_ceil(most.max(1))).unwrap_or_default();
        let bar = (if self.ascii { "#" } else { "█" }).repeat(length);
        let bar = out.paint().odd(&bar);
        out.line(format_args!("{head} {bar}"))
    }
}

/// The largest first.
fn by_count(causes: &BTreeMap<Cause, u64>) -> impl Iterator<Item = (&Cause, u64)> {
    let mut causes: Vec<(&Cause, u64)> = causes.iter().map(|(cause, count)| (cause, *count)).collect();
    causes.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), **cause));
    causes.into_iter()
}

fn cause_name(cause: Cause) -> String {
    cause.as_str().to_owned()
}

/// What happened, before the step to which it did.
const fn cause_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Policy => "other policy at",
        Cause::Identity => "other model or tool than",
        Cause::Input => "other input to",
        Cause::Outcome => "other outcome of",
        Cause::Response => "other response of",
        Cause::Usage => "other usage of",
        Cause::Order => "other order of",
        Cause::Missing => "missing",
        Cause::Extra => "extra",
        _ => "other",
    }
}

fn depth_name(up_to: u64) -> String {
    match up_to {
        1 | 2 => format!("record {up_to}"),
        up_to => format!("records {} to {up_to}", up_to / 2 + 1),
    }
}

fn place_text(place: Option<RecordPlace>) -> String {
    place.map_or_else(
        || "has no such record".to_owned(),
        |place| format!("#{} on span {}", place.seq, place.span_id),
    )
}

fn answer(summary: &DriftSummary) -> String {
    let pairs = counted(summary.pairs, "pair", "pairs");
    let mut text = format!(
        "{} of {pairs} {}, {} the same, {} within what may differ",
        summary.parts,
        if summary.parts == 1 { "parts" } else { "part" },
        summary.same,
        summary.within
    );
    if summary.not_compared > 0 {
        text.push_str(&format!(", {} not compared", summary.not_compared));
    }
    text.push('.');
    text
}
