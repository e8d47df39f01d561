//! The records of a trace as nested lists, one item a span, which open and close without a script. Each record says
//! of each of its statements what it rests on.

use proofline_canon::StoreError;
use proofline_trace::{BlobRef, Envelope, SpanNode};

use super::HtmlReport;
use super::error::HtmlError;
use super::markup::{Html, put};
use super::plain;
use super::standing::{Proof, Proven, Standing};
use super::story::{Plain, Story, Told};
use super::words::{Count, Counted};

/// So many lists stand in each other; what is deeper follows on the last level and says how deep it is. Browsers
/// give up at 512.
const LEVELS: usize = 40;
/// Payloads up to this are hashed for the page.
const HASHED_BYTES: u64 = 8 << 20;

/// Draws a trace, with what the ledger keeps beside it and what cannot be shown.
pub(super) fn draw(
    html: &mut Html<'_>,
    shown: &HtmlReport<'_>,
    story: &Story,
    proof: &Proof<'_>,
) -> Result<(), HtmlError> {
    let drawing = Drawing { shown, story, proof };
    drawing.spans(html)?;
    drawing.beside(html)?;
    drawing.unread(html)
}

/// What stands on a span: a record, or the span itself where it became none.
enum Drawn<'a> {
    Record(&'a Told),
    Plain(&'a Plain),
}

struct Drawing<'a> {
    shown: &'a HtmlReport<'a>,
    story: &'a Story,
    proof: &'a Proof<'a>,
}

impl Drawing<'_> {
    fn spans(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        let (mut open, mut walk) = (0, self.story.tree.walk().peekable());
        if walk.peek().is_none() {
            put!(html, "<p class=\"none\">There is no record to draw.</p>\n");
            return Ok(());
        }
        put!(html, "<ul class=\"tree\" role=\"list\">\n");
        while let Some(drawn) = walk.next() {
            let level = drawn.depth.min(LEVELS);
            while open > level {
                put!(html, "</ul></details></li>\n");
                open -= 1;
            }
            let has_children = walk.peek().is_some_and(|next| next.depth > drawn.depth) && level < LEVELS;
            let depth = (drawn.depth > LEVELS).then_some(drawn.depth);
            self.span(html, drawn.span, has_children, depth)?;
            open += usize::from(has_children);
        }
        while open > 0 {
            put!(html, "</ul></details></li>\n");
            open -= 1;
        }
        put!(html, "</ul>\n");
        Ok(())
    }

    /// One item; one with children stays open for them.
    fn span(
        &self,
        html: &mut Html<'_>,
        span: &SpanNode,
        has_children: bool,
        depth: Option<usize>,
    ) -> Result<(), HtmlError> {
        let own = span.records().iter().filter_map(|at| self.story.record(at.position)).map(Drawn::Record);
        let plains = self.story.plains.on(span.span_id()).iter().map(Drawn::Plain);
        let drawn: Vec<Drawn<'_>> = plains.chain(own).collect();
        let Some((first, others)) = drawn.split_first() else { return Ok(()) };
        if has_children {
            put!(html, "<li><details open><summary>");
        } else {
            put!(html, "<li><div class=\"leaf\"><span class=\"line\">");
        }
        self.headline(html, first)?;
        if let Some(depth) = depth {
            put!(html, " <span class=\"at\">", (Counted(depth as u64, "span", "spans")), " above</span>");
        }
        if has_children {
            put!(html, "</summary>");
        } else {
            put!(html, "</span>");
        }
        self.statements(html, first)?;
        for other in others {
            put!(html, "<p class=\"line more\">");
            self.headline(html, other)?;
            put!(html, "</p>");
            self.statements(html, other)?;
        }
        if has_children {
            put!(html, "<ul role=\"list\">\n");
        } else {
            put!(html, "</div></li>\n");
        }
        Ok(())
    }

    fn headline(&self, html: &mut Html<'_>, drawn: &Drawn<'_>) -> Result<(), HtmlError> {
        match drawn {
            Drawn::Record(told) => html.headline(told, self.story.start_ms()),
            Drawn::Plain(plain) => plain::headline(html, plain, self.story.start_ms()),
        }
    }

    fn statements(&self, html: &mut Html<'_>, drawn: &Drawn<'_>) -> Result<(), HtmlError> {
        match drawn {
            Drawn::Record(told) => self.record(html, told),
            Drawn::Plain(plain) => plain::statements(html, plain),
        }
    }

    fn record(&self, html: &mut Html<'_>, told: &Told) -> Result<(), HtmlError> {
        put!(html, "<ul class=\"st\" role=\"list\">");
        for check in self.proof.failed_checks(told.seq) {
            put!(html, "<li class=\"fails\"><b class=\"x\">fails</b> the check <code>", (check));
            put!(html, "</code></li>");
        }
        self.recorded(html, told)?;
        self.derived(html, told)?;
        if let Envelope::PolicyDecision(_) = &told.envelope
            && told.refusal.is_none()
        {
            self.decided(html, told)?;
        }
        let calls = matches!(told.envelope, Envelope::ModelCall(_) | Envelope::ToolCall(_));
        if calls && told.refusal.is_none() {
            let blobs: Vec<&BlobRef> = told.envelope.blobs().collect();
            if let [request, response] = blobs.as_slice() {
                self.payload(html, "request", request)?;
                self.payload(html, "response", response)?;
            }
            self.execution(html, told)?;
        }
        put!(html, "</ul>");
        Ok(())
    }

    /// What the record says, word for word, and which entry shows it.
    fn recorded(&self, html: &mut Html<'_>, told: &Told) -> Result<(), HtmlError> {
        put!(html, "<li>");
        let note = match (&told.refusal, self.proof.of_record(told.key)) {
            (Some(_), _) if self.proof.refuses_again(told.seq) => {
                html.badge(Standing::Verified)?;
                "refused again by the gate"
            }
            (Some(_), _) => {
                html.badge(Standing::NotReplayable)?;
                "a refusal that was not decided again"
            }
            (None, Proven::Gate) => {
                html.badge(Standing::Verified)?;
                "checked: bytes, schema, hash, gate"
            }
            (None, Proven::Bytes) => {
                html.badge(Standing::Verified)?;
                "checked: bytes, schema, hash; not the gate"
            }
            (None, Proven::Nothing) => {
                html.badge(Standing::NotReplayable)?;
                "the run ended before this record, or at it"
            }
        };
        put!(html, "<span class=\"fact\">");
        html.facts(&told.envelope)?;
        put!(html, "</span> <span class=\"note\">", (note), "</span> <span class=\"by\">entry ", (told.seq));
        put!(html, " <code class=\"h\">", (told.key), "</code></span></li>");
        Ok(())
    }

    /// What the page makes of it: nobody proved a clock, a parent or an outcome.
    fn derived(&self, html: &mut Html<'_>, told: &Told) -> Result<(), HtmlError> {
        put!(html, "<li>");
        html.badge(Standing::Inferred)?;
        if let Some(outcome) = told.envelope.outcome() {
            put!(html, "ended <b>", (outcome.status), "</b>");
            match told.span.end_ms.map(|end| end.get().checked_sub(told.span.start_ms.get())) {
                Some(Some(ms)) => put!(html, " after ", (Count(ms)), " ms, "),
                _ => put!(html, " before it began, "),
            }
        }
        match told.span.parent_span_id {
            None => put!(html, "at the root"),
            Some(parent) => put!(html, "below span <code>", (parent), "</code>"),
        }
        put!(html, ", by ", (told.envelope.component()), "</li>");
        Ok(())
    }

    fn decided(&self, html: &mut Html<'_>, told: &Told) -> Result<(), HtmlError> {
        put!(html, "<li>");
        if self.proof.is_decided_again(told.seq) {
            html.badge(Standing::Verified)?;
            put!(html, "the policy decides the same again");
        } else {
            html.badge(Standing::NotReplayable)?;
            put!(html, "the policy was not asked again");
        }
        put!(html, "</li>");
        Ok(())
    }

    fn payload(&self, html: &mut Html<'_>, member: &'static str, blob: &BlobRef) -> Result<(), HtmlError> {
        put!(html, "<li>");
        let (standing, note) = self.payload_standing(blob)?;
        html.badge(standing)?;
        put!(
            html,
            (member),
            ", ",
            (Counted(blob.size_bytes.get(), "byte", "bytes")),
            " of ",
            (blob.content_type)
        );
        put!(html, ": ", (note), " <code class=\"h\">", (blob.sha256), "</code></li>");
        Ok(())
    }

    fn payload_standing(&self, blob: &BlobRef) -> Result<(Standing, &'static str), HtmlError> {
        const ABSENT: (Standing, &str) = (Standing::NotReplayable, "the payload is not at hand");
        let Some(store) = self.shown.payloads else { return Ok(ABSENT) };
        if !store.has(&blob.sha256)? {
            return Ok(ABSENT);
        }
        if blob.size_bytes.get() > HASHED_BYTES {
            return Ok((
                Standing::NotReplayable,
                "the payload is at hand and too long to be hashed for this page",
            ));
        }
        match store.get(&blob.sha256) {
            Ok(Some(_)) => Ok((Standing::Verified, "the payload is at hand and has this hash")),
            Ok(None) => Ok(ABSENT),
            Err(StoreError::Damaged { .. }) => {
                Ok((Standing::NotReplayable, "what is at hand has another hash"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn execution(&self, html: &mut Html<'_>, told: &Told) -> Result<(), HtmlError> {
        put!(html, "<li>");
        html.badge(Standing::NotReplayable)?;
        match &told.envelope {
            Envelope::ModelCall(_) => put!(html, "what a model answers cannot be derived again"),
            _ => put!(html, "the tool was not executed again"),
        }
        put!(html, "</li>");
        Ok(())
    }

    /// Verdicts and signatures that the ledger keeps: the log holds them, and this page did not check them.
    fn beside(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        if self.story.beside.is_empty() {
            return Ok(());
        }
        put!(html, "<p class=\"cap\">Kept in the ledger about this trace</p><ul class=\"st\" role=\"list\">");
        for beside in &self.story.beside {
            put!(html, "<li>");
            html.badge(Standing::Inferred)?;
            put!(html, (beside.says), "; not checked for this page <span class=\"by\">entry ", (beside.seq));
            put!(html, " <code class=\"h\">", (beside.key), "</code></span></li>");
        }
        put!(html, "</ul>\n");
        Ok(())
    }

    fn unread(&self, html: &mut Html<'_>) -> Result<(), HtmlError> {
        if !self.story.unread.is_empty() {
            put!(html, "<p class=\"cap\">Entries that cannot be shown</p><ul class=\"st\" role=\"list\">");
            for unread in &self.story.unread {
                put!(html, "<li>");
                html.badge(Standing::NotReplayable)?;
                put!(html, "entry ", (unread.seq), ": ", (unread.why), "</li>");
            }
            put!(html, "</ul>\n");
        }
        if self.story.plains.left_out() > 0 {
            let more = self.story.plains.left_out() as u64;
            put!(html, "<p class=\"cut\">", (Counted(more, "more span", "more spans")));
            put!(html, " without a record of this trace are not drawn.</p>\n");
        }
        if self.story.left_out > 0 {
            put!(
                html,
                "<p class=\"cut\">",
                (Counted(self.story.left_out as u64, "more entry", "more entries"))
            );
            put!(html, " of this trace are not drawn; <code>proofline trace DIR ", (self.story.trace_id));
            put!(html, "</code> lists all.</p>\n");
        }
        Ok(())
    }
}

impl Html<'_> {
    /// A record in a line: what it is, its entry, when it began.
    pub(super) fn headline(&mut self, told: &Told, start_ms: u64) -> Result<(), HtmlError> {
        self.title(&told.envelope)?;
        if let Some((class, kind)) = &told.refusal {
            put!(self, " <span class=\"ref\"><b class=\"x\">refused</b> ", (class), " ", (kind), "</span>");
        }
        let offset_ms = told.span.start_ms.get().saturating_sub(start_ms);
        put!(self, " <span class=\"at\">#", (told.seq), " +", (Count(offset_ms)), " ms</span>");
        Ok(())
    }
}
