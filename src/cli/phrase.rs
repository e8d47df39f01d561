//! Words for people: counts, and sentences in lines.

/// A count of things, in the singular for one.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// A safe text in lines of at most this many characters, broken between words; a word that is longer stays whole.
pub(crate) fn wrap_words(text: &str, chars: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut room = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length < room => {
                line.push(' ');
                line.push_str(word);
                room -= length + 1;
            }
            _ => {
                lines.push(word.to_owned());
                room = chars.saturating_sub(length);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_between_each_other() {
        assert_eq!(wrap_words("one two  three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap_words("one two three", 13), ["one two three"]);
        assert_eq!(wrap_words("a incomprehensible b", 5), ["a", "incomprehensible", "b"]);
        assert_eq!(wrap_words("", 5), Vec::<String>::new());
    }
}
