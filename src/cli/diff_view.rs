//! Two traces as a drawing: side by side where there is room, else one below the other with marks. Either way a tree
//! may be 100,000 spans deep, so what is drawn of the ancestors is bounded.

use std::collections::BTreeMap;

use proofline::replay::{AlignedRecord, AlignedSpan, Aspect, AspectDifference, Change, Durations};

use super::branches::{CONTINUED, Glyphs, LEVEL_CHARS, WORDS_CHARS, chars, painted, wrap};
use super::diff::{DiffView, by_seq};
use super::diff_words::{Entries, Words, label, words};
use super::error::CliError;
use super::output::{Out, Paint};
use super::payload_view::payload_lines;
use super::phrase::{counted, wrap_words};
use super::record_facts::{Phrase, Tone};
use super::trace::{TraceRecord, TraceView};
use super::tree_view::summary;

/// From this width on the two stand side by side.
const SIDE_BY_SIDE_COLUMNS: usize = 160;
/// A mark and the spaces around it, between the sides.
const BETWEEN_CHARS: usize = 3;
/// A mark before a line that is of both.
const MARK_CHARS: usize = 2;
/// An entry, at the right.
const ENTRY_CHARS: usize = 8;
/// The names of what differs.
const LABEL_CHARS: usize = 13;
/// So many spans in a row that do not differ, and more, become one line.
const FOLDED_FROM: usize = 4;

/// Draws the two.
pub(crate) fn draw(out: &mut Out, view: &DiffView<'_>, ascii: bool, all: bool) -> Result<(), CliError> {
    head(out, "a", view.a)?;
    head(out, "b", view.b)?;
    if all || view.alignment.differs() {
        out.space()?;
        let drawing = Drawing {
            glyphs: Glyphs::of(ascii),
            paint: out.paint(),
            columns: out.columns(),
            records: Sides { a: by_seq(view.a), b: by_seq(view.b) },
            entries: Entries::of(view.a, view.b),
            view,
        };
        drawing.legend(out)?;
        drawing.spans(out, view.alignment.spans(), all)?;
    }
    out.space()?;
    result(out, view)
}

fn head(out: &mut Out, name: &str, view: &TraceView) -> Result<(), CliError> {
    let title = out.paint().strong(&format!("{name}  trace {}", view.trace_id));
    out.line(title)?;
    for line in wrap_words(&summary(view), out.columns().saturating_sub(5)) {
        out.line(format_args!("     {line}"))?;
    }
    Ok(())
}

/// The answer, at the end, where whoever scrolled is.
fn result(out: &mut Out, view: &DiffView<'_>) -> Result<(), CliError> {
    let counts = view.alignment.counts();
    let aspects = view.alignment.aspects();
    let records = |count: usize| counted(count as u64, "record", "records");
    let differ = aspects
        .iter()
        .filter(|(aspect, _)| view.durations == Durations::Counted || **aspect != Aspect::Duration);
    let differ: Vec<String> = differ.map(|(aspect, count)| format!("{} {count}", label(*aspect))).collect();
    if !differ.is_empty() {
        for line in wrap_words(&format!("what differs: {}", differ.join(", ")), out.columns()) {
            out.line(line)?;
        }
    }
    if let (Some(count), Durations::Listed) = (aspects.get(&Aspect::Duration), view.durations) {
        let text = format!("durations, not counted, differ in {}", records(*count));
        out.line(text)?;
    }
    let spans = |count: usize| counted(count as u64, "span", "spans");
    let differs = view.alignment.differs();
    let text = if differs {
        let moved = if counts.moved > 0 { format!("{} moved, ", counts.moved) } else { String::new() };
        format!(
            "The traces differ: {} changed, {} only in a, {} only in b, {moved}{} the same.",
            spans(counts.changed),
            counts.only_a,
            counts.only_b,
            counts.same
        )
    } else {
        format!("The traces do not differ: {} the same.", spans(counts.same))
    };
    for line in wrap_words(&text, out.columns()) {
        let line = if differs { out.paint().bad(&line) } else { out.paint().good(&line) };
        out.line(line)?;
    }
    Ok(())
}

/// Something of the first trace and of the second.
struct Sides<T> {
    a: T,
    b: T,
}

/// A line as it is printed, and how wide that is.
struct Line {
    text: String,
    chars: usize,
}

impl Line {
    fn filled(&self, width: usize) -> String {
        format!("{}{}", self.text, " ".repeat(width.saturating_sub(self.chars)))
    }
}

/// How a span hangs in the tree of one side, or of both.
#[derive(Clone, Copy, Default)]
struct Hang {
    is_last: bool,
    has_children: bool,
}

/// Where a span stands: in both trees taken as one, and in either.
#[derive(Default)]
struct Place {
    both: Hang,
    a: Hang,
    b: Hang,
    /// Whether it differs, or something below it.
    is_kept: bool,
}

/// What was met of a level, from the end.
#[derive(Clone, Copy, Default)]
struct Met {
    a: bool,
    b: bool,
    kept: bool,
}

/// The places of all spans: whoever goes from the last to the first meets what follows before what it follows.
fn places(spans: &[AlignedSpan]) -> Vec<Place> {
    let mut met: Vec<Met> = Vec::new();
    let mut places: Vec<Place> = Vec::with_capacity(spans.len());
    for span in spans.iter().rev() {
        let below = met.get(span.depth + 1).copied().unwrap_or_default();
        met.resize(span.depth + 1, Met::default());
        let Some(level) = met.last_mut() else { continue };
        let is_kept = span.change != Change::Same || below.kept;
        let hang = |is_last, has_children| Hang { is_last, has_children };
        places.push(Place {
            both: hang(!level.a && !level.b, below.a || below.b),
            a: hang(!level.a, below.a),
            b: hang(!level.b, below.b),
            is_kept,
        });
        level.a |= span.a.is_some();
        level.b |= span.b.is_some();
        level.kept |= is_kept;
    }
    places.reverse();
    places
}

/// For a span and all above it, whether each is the last on its level.
#[derive(Default)]
struct Lasts {
    both: Vec<bool>,
    a: Vec<bool>,
    b: Vec<bool>,
}

impl Lasts {
    fn enter(&mut self, depth: usize, place: &Place) {
        for (lasts, hang) in [(&mut self.both, place.both), (&mut self.a, place.a), (&mut self.b, place.b)] {
            lasts.truncate(depth);
            lasts.push(hang.is_last);
        }
    }
}

struct Drawing<'a> {
    glyphs: &'static Glyphs,
    paint: Paint,
    columns: usize,
    records: Sides<BTreeMap<u64, &'a TraceRecord>>,
    entries: Entries,
    view: &'a DiffView<'a>,
}

impl Drawing<'_> {
    fn is_side_by_side(&self) -> bool {
        self.columns >= SIDE_BY_SIDE_COLUMNS
    }

    /// The width of one side.
    fn side_chars(&self) -> usize {
        self.columns.saturating_sub(BETWEEN_CHARS) / 2
    }

    fn legend(&self, out: &mut Out) -> Result<(), CliError> {
        let legend = match self.view.alignment.counts().moved {
            0 => "~ changed   - only in a   + only in b",
            _ => "~ changed   - only in a   + only in b   < > moved",
        };
        let text = if self.is_side_by_side() {
            let room = self.side_chars().saturating_sub(ENTRY_CHARS);
            format!("{legend:<room$}{:>ENTRY_CHARS$}   {:room$}{:>ENTRY_CHARS$}", "a", "", "b")
        } else {
            let room = self.columns.saturating_sub(2 * ENTRY_CHARS);
            format!("{legend:<room$}{:>ENTRY_CHARS$}{:>ENTRY_CHARS$}", "a", "b")
        };
        out.line(self.paint.faint(&text))
    }

    fn spans(&self, out: &mut Out, spans: &[AlignedSpan], all: bool) -> Result<(), CliError> {
        let places = places(spans);
        let mut lasts = Lasts::default();
        let mut at = 0;
        while let (Some(span), Some(place)) = (spans.get(at), places.get(at)) {
            let rest = places.get(at..).unwrap_or_default();
            let run = rest.iter().take_while(|place| !place.is_kept).count();
            if all || run < FOLDED_FROM {
                lasts.enter(span.depth, place);
                self.span(out, span, place, &lasts)?;
                at += 1;
                continue;
            }
            let folded = spans.iter().zip(&places).skip(at).take(run);
            let top = folded.clone().map(|(span, _)| span.depth).min().unwrap_or_default();
            for (span, place) in folded.filter(|(span, _)| span.depth == top) {
                lasts.enter(span.depth, place);
            }
            self.folded(out, run, &lasts)?;
            at += run;
        }
        Ok(())
    }

    fn fronts(&self, lasts: &[bool], hang: Hang, width: usize, is_there: bool) -> Fronts {
        let levels = levels(width);
        let below = self.glyphs.front_below(lasts, levels, hang.has_children);
        let mut past = lasts.to_vec();
        if let (Some(last), true) = (past.last_mut(), is_there) {
            *last = false; // the branch to the span itself is still to come
        }
        let beside = self.glyphs.front_below(&past, levels, false);
        Fronts { first: self.glyphs.front(lasts, levels), below, beside }
    }

    fn folded(&self, out: &mut Out, count: usize, lasts: &Lasts) -> Result<(), CliError> {
        let text =
            format!("{}{}", self.glyphs.deeper, counted(count as u64, "span the same", "spans the same"));
        let line = |lasts: &[bool], width: usize| {
            let front = self.glyphs.front_below(lasts, levels(width), false);
            let chars = front.chars().count() + text.chars().count();
            Line { text: format!("{front}{}", self.paint.faint(&text)), chars }
        };
        if self.is_side_by_side() {
            let side = self.side_chars();
            let lines = Sides { a: vec![line(&lasts.a, side)], b: vec![line(&lasts.b, side)] };
            return self.beside(out, Change::Same, &lines);
        }
        let line = line(&lasts.both, self.columns.saturating_sub(MARK_CHARS));
        out.line(format_args!("  {}", line.text))
    }

    fn span(&self, out: &mut Out, span: &AlignedSpan, place: &Place, lasts: &Lasts) -> Result<(), CliError> {
        if self.is_side_by_side() {
            let side = self.side_chars();
            let mut a = self.fronts(&lasts.a, place.a, side, span.a.is_some());
            let mut b = self.fronts(&lasts.b, place.b, side, span.b.is_some());
            for record in &span.records {
                self.record_beside(out, span.change, record, &mut a, &mut b)?;
                self.payloads(out, record, "    ")?;
            }
            return Ok(());
        }
        let width = self.columns.saturating_sub(MARK_CHARS);
        let mut front = self.fronts(&lasts.both, place.both, width, true);
        for record in &span.records {
            self.record(out, span.change, record, &front)?;
            front.go_on();
            self.payloads(out, record, &format!("  {}{CONTINUED}", front.below))?;
        }
        Ok(())
    }

    fn payloads(&self, out: &mut Out, record: &AlignedRecord, before: &str) -> Result<(), CliError> {
        let room = self.columns.saturating_sub(before.chars().count()).max(WORDS_CHARS / 2);
        for diff in self.view.payloads(record)? {
            for line in payload_lines(self.paint, &diff, room) {
                out.line(format!("{before}{line}").trim_end())?;
            }
        }
        Ok(())
    }

    /// A record of both on one line, marked, and below it what differs.
    fn record(
        &self,
        out: &mut Out,
        of_span: Change,
        record: &AlignedRecord,
        front: &Fronts,
    ) -> Result<(), CliError> {
        let (seq_a, seq_b) = seqs(record);
        // Of a step that moved all is told where b has it.
        let is_told = of_span != Change::MovedA;
        let of_a = seq_a.and_then(|seq| self.records.a.get(&seq));
        let of_b = seq_b.filter(|_| is_told).and_then(|seq| self.records.b.get(&seq));
        let seq = |seq: Option<u64>| seq.map(|seq| format!("#{seq}")).unwrap_or_default();
        let right = format!("{:>ENTRY_CHARS$}{:>ENTRY_CHARS$}", seq(seq_a), seq(seq_b));
        let phrases = match (of_a, of_b) {
            (Some(a), Some(b)) => self.title_of_both(a, b),
            (one, other) => one.or(other).map(|record| record.facts.phrases()).unwrap_or_default(),
        };
        let refused = match record.change {
            // What differs says it.
            Change::Changed if is_told => {
                refused_line(of_a).filter(|line| Some(line) == refused_line(of_b).as_ref())
            }
            _ => refused_line(of_a.or(of_b)),
        };
        let width = self.columns.saturating_sub(MARK_CHARS);
        let mut lines = self.block(width, front, &phrases, &right, refused.is_some());
        lines.extend(refused.map(|text| self.below(front, &text)));
        let is_changed = record.change == Change::Changed && is_told;
        for difference in record.differences.iter().filter(|it| is_changed && !is_in_title(it.aspect)) {
            lines.extend(self.difference(width, front, difference));
        }
        let mark = self.mark(marked(of_span, record.change));
        for line in lines {
            out.line(format_args!("{mark} {}", line.text.trim_end()))?;
        }
        Ok(())
    }

    /// What both are, with what is not the same on both as `this → that`.
    fn title_of_both(&self, a: &TraceRecord, b: &TraceRecord) -> Vec<Phrase> {
        let arrow = self.glyphs.arrow;
        let pairs = a.facts.title().into_iter().zip(b.facts.title());
        let phrases = pairs.map(|((one, tone), (other, _))| match one == other {
            true => (one, tone),
            false => (format!("{one} {arrow} {other}"), Tone::Odd),
        });
        phrases.collect()
    }

    /// A difference below its record: `this → that`, or the one below the other where they are long.
    fn difference(&self, width: usize, front: &Fronts, difference: &AspectDifference) -> Vec<Line> {
        let tone = if difference.aspect == Aspect::Duration { Tone::Faint } else { Tone::Odd };
        let phrases: Vec<Phrase> = match words(difference, &self.entries, self.glyphs) {
            Words::Values(one, other) => {
                vec![(one, tone), (format!("{} {other}", self.glyphs.arrow), tone)]
            }
            Words::Sets(gone, come) => {
                let gone = gone.into_iter().map(|item| (format!("- {item}"), Tone::Bad));
                gone.chain(come.into_iter().map(|item| (format!("+ {item}"), Tone::Good))).collect()
            }
        };
        self.labelled(width, front, difference.aspect, &phrases)
    }

    /// A record of either side beside the other's.
    fn record_beside(
        &self,
        out: &mut Out,
        of_span: Change,
        record: &AlignedRecord,
        a: &mut Fronts,
        b: &mut Fronts,
    ) -> Result<(), CliError> {
        let (side, is_beside) = (self.side_chars(), record.elsewhere.is_none());
        let is_changed = record.change == Change::Changed && is_beside;
        let of_a = record.a.and_then(|seq| self.records.a.get(&seq));
        let of_b = record.b.and_then(|seq| self.records.b.get(&seq));
        let block = |record: Option<&&TraceRecord>, front: &Fronts| {
            let Some(record) = record else { return Vec::new() };
            let right = format!("{:>ENTRY_CHARS$}", format!("#{}", record.span.position));
            let refused = refused_line(Some(record));
            let phrases = if is_changed { record.facts.title() } else { record.facts.phrases() };
            let mut lines = self.block(side, front, &phrases, &right, refused.is_some());
            lines.extend(refused.map(|text| self.below(front, &text)));
            lines
        };
        let mut lines = Sides { a: block(of_a, a), b: block(of_b, b) };
        self.level_off(&mut lines, (a, of_a.is_some()), (b, of_b.is_some()));
        for difference in record.differences.iter().filter(|_| is_changed) {
            let tone = if difference.aspect == Aspect::Duration { Tone::Faint } else { Tone::Odd };
            let (one, other) = match words(difference, &self.entries, self.glyphs) {
                Words::Values(one, other) => (vec![(one, tone)], vec![(other, tone)]),
                Words::Sets(gone, come) => {
                    let only = |items: Vec<String>| match items.is_empty() {
                        true => vec![("no other".to_owned(), Tone::Faint)],
                        false => items.into_iter().map(|item| (format!("only {item}"), tone)).collect(),
                    };
                    (only(gone), only(come))
                }
            };
            lines.a.extend(self.labelled(side, a, difference.aspect, &one));
            lines.b.extend(self.labelled(side, b, difference.aspect, &other));
            self.level_off(&mut lines, (a, true), (b, true));
        }
        // Of a step that moved the other side stands elsewhere: both are told on one.
        let is_told = record.change == Change::Changed && of_span == Change::MovedB;
        for difference in record.differences.iter().filter(|_| is_told) {
            lines.b.extend(self.difference(side, b, difference));
            self.level_off(&mut lines, (a, false), (b, true));
        }
        self.beside(out, marked(of_span, record.change), &lines)?;
        for (front, is_there) in [(a, of_a.is_some()), (b, of_b.is_some())] {
            if is_there {
                front.go_on();
            }
        }
        Ok(())
    }

    /// Fills the shorter side up, the branches going on.
    fn level_off(&self, lines: &mut Sides<Vec<Line>>, a: (&Fronts, bool), b: (&Fronts, bool)) {
        let length = lines.a.len().max(lines.b.len());
        for (lines, (front, is_there)) in [(&mut lines.a, a), (&mut lines.b, b)] {
            let text = if is_there { &front.below } else { &front.beside };
            lines.resize_with(length, || Line { text: text.clone(), chars: text.chars().count() });
        }
    }

    fn beside(&self, out: &mut Out, change: Change, lines: &Sides<Vec<Line>>) -> Result<(), CliError> {
        let (side, mark) = (self.side_chars(), self.mark(change));
        for (one, other) in lines.a.iter().zip(&lines.b) {
            let text = format!("{} {mark} {}", one.filled(side), other.text);
            out.line(text.trim_end())?;
        }
        Ok(())
    }

    /// The lines of a record: branches, words, and entries at the right of the first.
    fn block(
        &self,
        width: usize,
        front: &Fronts,
        phrases: &[Phrase],
        right: &str,
        is_struck: bool,
    ) -> Vec<Line> {
        let right_chars = right.chars().count();
        let first = self.room(width, &front.first, right_chars);
        let more = self.room(width, &front.below, CONTINUED.len());
        let lines = wrap(phrases, first, more);
        let shown = lines.iter().enumerate().map(|(at, line)| {
            let text = painted(self.paint, line, is_struck);
            if at > 0 {
                let chars = front.below.chars().count() + CONTINUED.len() + chars(line);
                return Line { text: format!("{}{CONTINUED}{text}", front.below), chars };
            }
            let fill = " ".repeat(first.saturating_sub(chars(line)));
            let chars = front.first.chars().count() + chars(line) + fill.len() + right_chars;
            Line { text: format!("{}{text}{fill}{}", front.first, self.paint.faint(right)), chars }
        });
        shown.collect()
    }

    fn room(&self, width: usize, front: &str, taken: usize) -> usize {
        width.saturating_sub(front.chars().count() + taken).max(WORDS_CHARS / 2)
    }

    fn below(&self, front: &Fronts, text: &str) -> Line {
        let chars = front.below.chars().count() + CONTINUED.len() + text.chars().count();
        Line { text: format!("{}{CONTINUED}{}", front.below, self.paint.bad(text)), chars }
    }

    fn labelled(&self, width: usize, front: &Fronts, aspect: Aspect, phrases: &[Phrase]) -> Vec<Line> {
        let room = self.room(width, &front.below, CONTINUED.len() + LABEL_CHARS);
        let lines = wrap(phrases, room, room);
        let shown = lines.iter().enumerate().map(|(at, line)| {
            let label = if at == 0 { label(aspect) } else { String::new() };
            let text = painted(self.paint, line, false);
            let chars = front.below.chars().count() + CONTINUED.len() + LABEL_CHARS + chars(line);
            Line { text: format!("{}{CONTINUED}{label:<LABEL_CHARS$}{text}", front.below), chars }
        });
        shown.collect()
    }

    fn mark(&self, change: Change) -> String {
        match change {
            Change::Same => " ".to_owned(),
            Change::Changed => self.paint.odd("~"),
            Change::OnlyA => self.paint.bad("-"),
            Change::OnlyB => self.paint.good("+"),
            Change::MovedA => self.paint.odd("<"),
            Change::MovedB => self.paint.odd(">"),
        }
    }
}

/// How many levels are drawn.
const fn levels(width: usize) -> usize {
    width.saturating_sub(WORDS_CHARS + 2 * ENTRY_CHARS) / LEVEL_CHARS
}

/// The branches before the first line of a record, before those below it, and where only the other side has one.
struct Fronts {
    first: String,
    below: String,
    beside: String,
}

impl Fronts {
    /// What follows stands below what was drawn.
    fn go_on(&mut self) {
        self.first.clone_from(&self.below);
        self.beside.clone_from(&self.below);
    }
}

/// The entries of both sides, wherever they stand.
fn seqs(record: &AlignedRecord) -> (Option<u64>, Option<u64>) {
    let is_of_a = record.a.is_some();
    (record.a.or(record.elsewhere.filter(|_| !is_of_a)), record.b.or(record.elsewhere.filter(|_| is_of_a)))
}

/// A span that moved is marked so, whatever else became of its records.
const fn marked(of_span: Change, record: Change) -> Change {
    match of_span {
        Change::MovedA | Change::MovedB => of_span,
        _ => record,
    }
}

/// What the title of two records shows.
const fn is_in_title(aspect: Aspect) -> bool {
    matches!(
        aspect,
        Aspect::RecordType
            | Aspect::Actor
            | Aspect::Action
            | Aspect::Resource
            | Aspect::Result
            | Aspect::Model
            | Aspect::Tool
            | Aspect::Outcome
    )
}

fn refused_line(record: Option<&&TraceRecord>) -> Option<String> {
    let (class, kind) = record?.refusal.as_ref()?;
    Some(format!("refused: {class} {kind}"))
}
