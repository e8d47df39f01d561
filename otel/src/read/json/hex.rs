//! Ids of OTLP/JSON: hex in either letter case, of any length.

/// The bytes of hex digits in either case; `None` for anything else.
pub(super) fn unhex_any_case(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::unhex_any_case;

    #[test]
    fn either_case_and_nothing_else() {
        assert_eq!(unhex_any_case(b"00fFAb"), Some(vec![0x00, 0xff, 0xab]));
        assert_eq!(unhex_any_case(b""), Some(vec![]));
        for bad in [&b"0"[..], b"0g", b" 0", b"0x", b"\xff\xff"] {
            assert_eq!(unhex_any_case(bad), None, "{bad:?}");
        }
    }
}
