//! Columns of text for a terminal, and text of others made harmless for it.

/// Lines of columns that are as wide as their widest cell, the last one as it comes. Cells hold no line breaks.
pub(super) fn columns<const N: usize>(indent: &str, rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell)).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(length(cell)) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn length(cell: &str) -> usize {
    cell.chars().count()
}

/// What a plugin or a person wrote, on one line and without anything that a terminal obeys.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A number with as many digits as matter to a reader; a dash for none.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if !(1e-3..1e6).contains(&value.abs()) => format!("{value:.3e}"),
        Some(value) => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let text = columns("  ", &[row(["id", "phase", "why"]), row(["12", "é", ""]), row(["1", "x", "so"])]);
        assert_eq!(text, "  id  phase  why\n  12  é\n  1   x      so\n");
        assert_eq!(columns::<2>("", &[]), "");
    }

    #[test]
    fn numbers_are_short_and_words_obey_nobody() {
        for (value, expect) in [
            (None, "–"),
            (Some(0.0), "0"),
            (Some(0.25), "0.25"),
            (Some(-12.0), "-12"),
            (Some(1234.56789), "1234.5679"),
            (Some(1e9), "1.000e9"),
            (Some(-0.000_012_34), "-1.234e-5"),
        ] {
            assert_eq!(number(value), expect);
        }
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a [31mb c");
    }
}
