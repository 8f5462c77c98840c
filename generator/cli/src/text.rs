//! Plain text for the terminal: aligned tables, large numbers, words that a shell takes.

/// Rows as aligned columns, two spaces between them.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A table from string-like cells.
#[macro_export]
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($cell.to_string()),*] };
}

/// An integer with a comma every three digits.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// A word as a shell takes it.
pub fn shell_word(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(safe) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_counts_and_quotes() {
        assert_eq!(table(&[row!["a", "bb"], row!["ccc"], row!["d", "e"]]), "a    bb\nccc\nd    e\n");
        assert_eq!([thousands(0), thousands(1234), thousands(1_000_000)], ["0", "1,234", "1,000,000"]);
        assert_eq!([shell_word("a.b=3"), shell_word("a b"), shell_word("it's")], ["a.b=3", "'a b'", r"'it'\''s'"]);
    }
}
