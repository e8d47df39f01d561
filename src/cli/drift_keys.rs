//! What the runs of each key came to, as a table: the work that varies most first.

use std::cmp::Reverse;

use proofline::replay::{DriftByKey, KeyDrift};

use super::error::CliError;
use super::output::Out;
use super::safe::safe_cut;
use super::table::{Column, plain, row, titles};

/// Keys that text shows; JSON has all.
const KEYS_SHOWN: usize = 20;
const COLUMNS: [Column; 6] = [
    Column::text("  key", 22),
    Column::number("runs", 6),
    Column::number("pairs", 6),
    Column::number("part", 6),
    Column::number("alike", 6),
    Column::number("places", 6),
];
const FRONT_CHARS: usize = 22 + 5 * (6 + 2);

/// Draws the table. Places are those at which a pair that was compared parts, on average.
pub(super) fn table(out: &mut Out, keys: &DriftByKey, block: &str) -> Result<(), CliError> {
    let mut rows: Vec<&KeyDrift> = keys.rows().iter().collect();
    // Hundredths, so that no fraction is compared.
    rows.sort_by_key(|row| {
        (Reverse(hundredths(row.parts, row)), Reverse(hundredths(row.places, row)), &row.key)
    });
    let Some(most) = rows.iter().map(|row| hundredths(row.places, row)).max() else { return Ok(()) };
    out.heading("which keys vary most")?;
    let heads = out.paint().faint(&titles(&COLUMNS));
    out.line(heads)?;
    let room = out.columns().saturating_sub(FRONT_CHARS + 2).clamp(1, 60) as u64;
    for drift in rows.iter().take(KEYS_SHOWN) {
        let places = hundredths(drift.places, drift);
        let cells = [
            format!("  {}", safe_cut(&drift.key, 20)),
            drift.runs.to_string(),
            drift.pairs.to_string(),
            drift.parts.to_string(),
            (drift.same + drift.within).to_string(),
            format!("{}.{}", places / 100, places / 10 % 10),
        ];
        let line = row(&COLUMNS, &cells.map(|cell| (cell, &plain as &dyn Fn(&str) -> String)));
        let length = usize::try_from(places.saturating_mul(room).div_ceil(most.max(1))).unwrap_or_default();
        let bar = out.paint().odd(&block.repeat(length));
        out.line(format!("{line}  {bar}").trim_end())?;
    }
    let more = rows.len().saturating_sub(KEYS_SHOWN) as u64 + keys.left_out();
    if more > 0 {
        out.line(format_args!("  and {more} more"))?;
    }
    Ok(())
}

/// So many for each pair that was compared.
fn hundredths(count: u64, of: &KeyDrift) -> u64 {
    count.saturating_mul(100) / of.pairs.saturating_sub(of.not_compared).max(1)
}
