//! As much of DER (X.690) as a timestamp token needs: definite lengths in their one spelling, tags of
//! one byte. Nothing may follow what is asked for.
//!
//! Not the crates `x509-tsp` and `cms`: their `der` refuses the fraction of a second that RFC 3161 allows
//! in a token's time, and authorities write it.

/// BOOLEAN.
pub(super) const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub(super) const OID: u8 = 0x06;
/// GeneralizedTime.
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// SET.
pub(super) const SET: u8 = 0x31;

/// The tag `[number]`, constructed; the number is below 31.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The values that stand one after the other in some bytes.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next value.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value with its tag and length, and its contents.
    fn value(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (tag, behind_tag) = self.rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, behind) = length(behind_tag)?;
        let (contents, rest) = behind.split_at_checked(length)?;
        let whole = self.rest.get(..self.rest.len() - rest.len())?;
        self.rest = rest;
        Some((whole, contents))
    }

    /// The contents of the next value, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        Some(self.take_whole(tag)?.1)
    }

    /// The next value whole, then its contents; it must have this tag.
    pub(super) fn take_whole(&mut self, tag: u8) -> Option<(&'a [u8], &'a [u8])> {
        if self.peek()? == tag { self.value() } else { None }
    }

    /// The values inside the next one, which must have this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.take(tag).map(Reader::new)
    }

    /// Passes over the next value if it has this tag.
    pub(super) fn skip_optional(&mut self, tag: u8) -> Option<()> {
        if self.peek() == Some(tag) { self.take(tag).map(drop) } else { Some(()) }
    }

    /// Done, when nothing is left.
    pub(super) fn end(&self) -> Option<()> {
        self.is_at_end().then_some(())
    }
}

/// A length and what is behind it (X.690 §10.1: in as few bytes as it needs).
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits.iter().fold(0_u64, |sum, digit| sum << 8 | u64::from(*digit));
    let is_shortest = length >= 0x80 && digits.first() != Some(&0);
    is_shortest.then_some((usize::try_from(length).ok()?, rest))
}

/// An object identifier as dotted numbers (X.690 §8.19).
pub(super) fn dotted(contents: &[u8]) -> Option<String> {
    if contents.last()? & 0x80 != 0 {
        return None;
    }
    let mut arcs = Vec::new();
    for arc in contents.split_inclusive(|byte| byte & 0x80 == 0) {
        if arc.first() == Some(&0x80) || arc.len() > 9 {
            return None;
        }
        arcs.push(arc.iter().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f)));
    }
    let (first, others) = arcs.split_first()?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - root * 40);
    for arc in others {
        text.push_str(&format!(".{arc}"));
    }
    Some(text)
}

/// True for the contents of an integer over 0 in as few bytes as it needs (X.690 §8.3).
pub(super) fn is_positive(contents: &[u8]) -> bool {
    match contents {
        [0, second, ..] => *second >= 0x80,
        [first, ..] => (1..0x80).contains(first),
        [] => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::{INTEGER, OCTET_STRING, Reader, SEQUENCE, dotted, is_positive};

    #[test]
    fn lengths_have_one_spelling() {
        let long = |head: &[u8], length: usize| [head, &vec![7; length]].concat();
        for (bytes, length) in [
            (long(&[0x04, 0x00], 0), 0),
            (long(&[0x04, 0x7f], 127), 127),
            (long(&[0x04, 0x81, 0x80], 128), 128),
            (long(&[0x04, 0x82, 0x01, 0x00], 256), 256),
            (long(&[0x04, 0x83, 0x01, 0x00, 0x00], 65536), 65536),
        ] {
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.take(OCTET_STRING).unwrap().len(), length);
            assert_eq!(reader.end(), Some(()));
        }
        for bytes in [
            vec![],
            vec![0x04],
            vec![0x04, 0x01],
            vec![0x04, 0x80, 0x00, 0x00],             // indefinite
            long(&[0x04, 0x81, 0x7f], 127),           // too long a spelling
            long(&[0x04, 0x82, 0x00, 0x80], 128),     // the same
            long(&[0x04, 0x85, 0, 0, 0, 0, 1], 1),    // more than any token needs
            vec![0x04, 0x84, 0xff, 0xff, 0xff, 0xff], // past the end
            vec![0x1f, 0x04, 0x00],                   // a tag of several bytes
        ] {
            let tag = bytes.first().copied().unwrap_or(OCTET_STRING);
            assert_eq!(Reader::new(&bytes).take(tag), None, "{:?}", bytes.get(..6));
        }
    }

    #[test]
    fn a_reader_takes_what_it_is_asked_for() {
        let bytes = [0x30, 0x06, 0x02, 0x01, 0x05, 0x04, 0x01, 0x09, 0x02, 0x01, 0x06];
        let mut outer = Reader::new(&bytes);
        assert_eq!(outer.take(INTEGER), None);
        let mut inner = outer.enter(SEQUENCE).unwrap();
        assert_eq!(inner.skip_optional(OCTET_STRING), Some(()));
        assert_eq!(inner.take(INTEGER), Some(&[5][..]));
        assert_eq!(inner.end(), None);
        assert_eq!(inner.skip_optional(OCTET_STRING), Some(()));
        assert_eq!(inner.end(), Some(()));
        assert_eq!(outer.take_whole(INTEGER), Some((&[0x02, 0x01, 0x06][..], &[0x06][..])));
    }

    #[test]
    fn identifiers_are_written_with_dots() {
        // Examples of X.690 and RFCs: 2.999.3; rsadsi 1.2.840.113549; 2.5.4.3; 0.9; 1.39.
        for (bytes, text) in [
            (&[0x88, 0x37, 0x03][..], "2.999.3"),
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d], "1.2.840.113549"),
            (&[0x55, 0x04, 0x03], "2.5.4.3"),
            (&[0x09], "0.9"),
            (&[0x4f], "1.39"),
            (&[0x50], "2.0"),
        ] {
            assert_eq!(dotted(bytes).as_deref(), Some(text));
        }
        for bad in
            [&[][..], &[0x80, 0x01], &[0x2a, 0x80, 0x01], &[0x2a, 0x86], &[0xff; 9], &[0x2a, 0x81, 0x80]]
        {
            assert_eq!(dotted(bad), None, "{bad:?}");
        }
        assert_eq!(dotted(&[&[0x2a][..], &[0xff; 9], &[0x7f]].concat()), None, "70 bits");
    }

    #[test]
    fn integers_over_zero_are_told() {
        for good in [&[1][..], &[0x7f], &[0, 0x80], &[1, 0], &[0, 0xff, 0xff]] {
            assert!(is_positive(good), "{good:?}");
        }
        for bad in [&[][..], &[0], &[0, 0], &[0, 1], &[0, 0x7f], &[0x80], &[0xff, 1]] {
            assert!(!is_positive(bad), "{bad:?}");
        }
    }
}
