//! Two payloads beside each other, where both are at hand and text: what surrounds the first difference, and the
//! difference marked.

use proofline_canon::{ContentStore, Sha256Digest, StoreError, Value};

use super::HtmlReport;
use super::error::HtmlError;
use super::markup::{Html, put};
use super::standing::Standing;

/// Longer payloads are not read for a page.
const READ_BYTES: u64 = 1 << 20;
/// Before the first difference and behind the last so much is shown.
const AROUND_CHARS: usize = 120;
/// Of the difference so much is shown.
const DIFFERENT_CHARS: usize = 600;

/// Shows what of two payloads differs, unless one of them is not at hand, too long or no text.
pub(super) fn excerpts(
    html: &mut Html<'_>,
    report: &HtmlReport<'_>,
    a: Option<&Value>,
    b: Option<&Value>,
) -> Result<(), HtmlError> {
    let (Some(store), Some(a), Some(b)) = (report.payloads, a, b) else { return not_at_hand(html) };
    let (Some(a), Some(b)) = (text(store, a)?, text(store, b)?) else { return not_at_hand(html) };
    let (before, behind) = common(&a, &b);
    put!(html, "<div class=\"sides pay\">");
    side(html, "A", &a, before, behind)?;
    side(html, "B", &b, before, behind)?;
    put!(html, "</div>");
    Ok(())
}

fn not_at_hand(html: &mut Html<'_>) -> Result<(), HtmlError> {
    put!(html, "<p class=\"note\">");
    html.badge(Standing::NotReplayable)?;
    put!(html, "what the payloads say: they are not both at hand, short enough and text</p>");
    Ok(())
}

fn text(store: &(dyn ContentStore + Sync), blob: &Value) -> Result<Option<String>, HtmlError> {
    let size = blob.get("size_bytes").and_then(Value::as_number).and_then(|it| it.literal().parse().ok());
    let name = blob.get("sha256").and_then(Value::as_str).and_then(|it| it.parse::<Sha256Digest>().ok());
    let (Some(size), Some(name)): (Option<u64>, _) = (size, name) else { return Ok(None) };
    if size > READ_BYTES {
        return Ok(None);
    }
    match store.get(&name) {
        Ok(bytes) => Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok())),
        Err(StoreError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How many characters two texts share at their beginning, and how many of the rest at their end.
fn common(a: &str, b: &str) -> (usize, usize) {
    let before = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let rest = |text: &str| text.chars().count() - before;
    let most = rest(a).min(rest(b));
    let behind = a.chars().rev().zip(b.chars().rev()).take(most).take_while(|(a, b)| a == b).count();
    (before, behind)
}

fn side(
    html: &mut Html<'_>,
    name: &'static str,
    text: &str,
    before: usize,
    behind: usize,
) -> Result<(), HtmlError> {
    let chars = text.chars().count();
    let slice =
        |from: usize, to: usize| text.chars().skip(from).take(to.saturating_sub(from)).collect::<String>();
    let until = chars - behind;
    let from = before.saturating_sub(AROUND_CHARS);
    put!(html, "<div><p class=\"cap\">");
    html.badge(Standing::Verified)?;
    put!(html, "payload of ", (name), "</p><pre>");
    if from > 0 {
        put!(html, "\u{2026}");
    }
    html.lines(&slice(from, before), AROUND_CHARS)?;
    put!(html, "<mark>");
    html.lines(&slice(before, until), DIFFERENT_CHARS)?;
    put!(html, "</mark>");
    let end = chars.min(until + AROUND_CHARS);
    html.lines(&slice(until, end), AROUND_CHARS)?;
    if end < chars {
        put!(html, "\u{2026}");
    }
    put!(html, "</pre></div>");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::common;

    #[test]
    fn what_two_texts_share_is_counted_once() {
        assert_eq!(common("abcxdef", "abcyydef"), (3, 3));
        assert_eq!(common("aaa", "aaaa"), (3, 0));
        assert_eq!(common("", "é"), (0, 0));
        assert_eq!(common("é1é", "é2é"), (1, 1));
        assert_eq!(common("same", "same"), (4, 0));
    }
}
