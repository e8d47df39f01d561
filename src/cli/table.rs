//! Rows of fixed columns, so that a line can be shown before the next one is known.

use super::safe::cut;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    width: usize,
    to_the_right: bool,
}

impl Column {
    /// Text, filled up behind it.
    pub(crate) const fn text(title: &'static str, width: usize) -> Self {
        Self { title, width, to_the_right: false }
    }

    /// How many characters it takes.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// A number, filled up before it.
    pub(crate) const fn number(title: &'static str, width: usize) -> Self {
        Self { title, width, to_the_right: true }
    }
}

/// A cell: safe text, and what it looks like.
pub(crate) type Cell<'a> = (String, &'a dyn Fn(&str) -> String);

/// Two spaces stand between columns.
const GAP: &str = "  ";

/// The line of titles.
pub(crate) fn titles(columns: &[Column]) -> String {
    let cells = columns.iter().map(|column| (column.title.to_owned(), &plain as &dyn Fn(&str) -> String));
    row(columns, &cells.collect::<Vec<_>>())
}

/// One row. A text that is too long for its column ends in an ellipsis; a number is never cut.
pub(crate) fn row(columns: &[Column], cells: &[Cell<'_>]) -> String {
    let shown = columns.iter().zip(cells).map(|(column, (text, paint))| cell(column, text, paint));
    shown.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
}

fn cell(column: &Column, text: &str, paint: &dyn Fn(&str) -> String) -> String {
    let text = if column.to_the_right { text.to_owned() } else { cut(text.to_owned(), column.width) };
    let fill = " ".repeat(column.width.saturating_sub(text.chars().count()));
    let painted = paint(&text);
    if column.to_the_right { format!("{fill}{painted}") } else { format!("{painted}{fill}") }
}

/// A cell without colour.
pub(crate) fn plain(text: &str) -> String {
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up_whatever_is_in_them() {
        let columns = [Column::text("name", 6), Column::number("count", 5), Column::text("rest", 9)];
        let paint: &dyn Fn(&str) -> String = &|text| format!("<{text}>");
        let line = |name: &str, count: &str, rest: &str| {
            row(&columns, &[(name.to_owned(), &plain), (count.to_owned(), paint), (rest.to_owned(), &plain)])
        };
        assert_eq!(titles(&columns), "name    count  rest");
        assert_eq!(line("é", "7", "x"), "é           <7>  x");
        assert_eq!(line("abcdefgh", "1234567", ""), "abcde…  <1234567>");
    }
}
