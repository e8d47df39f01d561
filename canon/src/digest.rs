//! Digests and their one text form. SHA-256 names evidence, BLAKE3 checks sealed files;
//! no other crate of the house hashes, or writes hex or base64, on its own.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// Lower-case hex, two digits a byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Reads exactly `N` bytes of lower-case hex; anything else, upper case included, is `None`.
///
/// ```
/// assert_eq!(proofline_canon::unhex::<2>("00ff"), Some([0x00, 0xff]));
/// assert_eq!(proofline_canon::unhex::<2>("00FF"), None);
/// ```
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let mut bytes = [0; N];
    let mut seen = 0;
    // Without a branch, so that the compiler takes many digits at a time.
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (nibble(*high), nibble(*low));
        seen |= high | low;
        *byte = high << 4 | low & 0x0F;
    }
    (seen & NO_DIGIT == 0).then_some(bytes)
}

/// A bit that no digit's value has.
const NO_DIGIT: u8 = 0x80;

const fn nibble(digit: u8) -> u8 {
    let decimal = digit.wrapping_sub(b'0');
    let letter = digit.wrapping_sub(b'a');
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        NO_DIGIT
    }
}

/// Appends lower-case hex, two digits a byte.
pub(crate) fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const fn digit(nibble: u8) -> u8 {
        if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble }
    }
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]));
}

/// Standard base64 with padding (RFC 4648 §4).
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads what [`base64`] writes: no line breaks, no missing padding, no spare bits that are set, no
/// second text behind the padding of a first.
///
/// ```
/// assert_eq!(proofline_canon::unbase64("AP8="), Some(vec![0x00, 0xff]));
/// assert_eq!(proofline_canon::unbase64("AP9="), None);
/// assert_eq!(proofline_canon::unbase64("AP8"), None);
/// assert_eq!(proofline_canon::unbase64("AP8=AP8="), None);
/// ```
#[must_use]
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    // data-encoding decodes padded texts one behind the other as one.
    let (body, _) = text.as_bytes().split_at_checked(text.len().saturating_sub(2))?;
    if body.contains(&b'=') {
        return None;
    }
    BASE64.decode(text.as_bytes()).ok()
}

/// A text that is no digest or CID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not 64 lower-case hex digits.
    #[error("not a digest: expected exactly 64 lower-case hex digits; copy the digest as it was printed")]
    Digest,
    /// Not the base32 text form of a CIDv1, raw, sha2-256.
    #[error(
        "not a CID of this house: expected `bafkrei` and 52 more lower-case base32 characters (CIDv1, raw, sha2-256)"
    )]
    Cid,
    /// Not the 36 bytes of a CIDv1, raw, sha2-256.
    #[error("not a binary CID of this house: expected 36 bytes that begin with 01 55 12 20")]
    CidBytes,
}

impl NameError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Digest => "canon.bad_digest",
            Self::Cid => "canon.bad_cid",
            Self::CidBytes => "canon.bad_cid_bytes",
        }
    }
}

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The digest with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                unhex(text).map(Self).ok_or(NameError::Digest)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextForm::new())
            }
        }
    };
}

digest_newtype! {
    /// A SHA-256 digest (FIPS 180-4): 32 bytes, in text 64 lower-case hex digits and nothing else.
    ///
    /// ```
    /// use proofline_canon::Sha256Digest;
    ///
    /// let name = Sha256Digest::of(br#"{"a":1,"b":"hello","c":true}"#);
    /// let text = "a21f08b57e7301be5ff081e26710117f5214dcc7ab04a5435249ac7a981bf26b";
    /// assert_eq!(name.to_string(), text);
    /// assert_eq!(text.parse(), Ok(name));
    /// ```
    Sha256Digest
}

digest_newtype! {
    /// A BLAKE3 digest of 32 bytes, in text 64 lower-case hex digits and nothing else.
    Blake3Digest
}

impl Sha256Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of each of these, in order: many at once take less time than one after the other.
    #[must_use]
    pub fn of_each(inputs: &[&[u8]]) -> Vec<Self> {
        Self::of_each_after(b"", inputs)
    }

    /// The digest of `prefix` and then the input, for each input, in order.
    #[must_use]
    pub fn of_each_after(prefix: &[u8], inputs: &[&[u8]]) -> Vec<Self> {
        proofline_lanes::sha256_each(prefix, inputs).into_iter().map(Self).collect()
    }
}

impl Blake3Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// SHA-256 of bytes that arrive in parts.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hasher(sha2::Sha256);

impl Sha256Hasher {
    /// A hasher that has read nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was read.
    #[must_use]
    pub fn finalize(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

/// Deserialises a name from its strict text form, borrowed or owned.
pub(crate) struct TextForm<T>(std::marker::PhantomData<T>);

impl<T> TextForm<T> {
    pub(crate) const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: FromStr<Err = NameError>> serde::de::Visitor<'_> for TextForm<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text form of a digest or CID")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Blake3Digest, NameError, Sha256Digest, Sha256Hasher, base64, hex, unbase64, unhex};

    const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_BLAKE3: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn known_answers() {
        assert_eq!(Sha256Digest::of(b"").to_string(), EMPTY_SHA256);
        assert_eq!(Sha256Digest::of(b"abc").to_string(), ABC_SHA256);
        assert_eq!(Blake3Digest::of(b"").to_string(), EMPTY_BLAKE3);
    }

    #[test]
    fn parts_hash_as_the_whole() {
        let mut hasher = Sha256Hasher::new();
        hasher.update(b"a");
        hasher.update(b"");
        hasher.update(b"bc");
        assert_eq!(hasher.finalize().to_string(), ABC_SHA256);
    }

    #[test]
    fn text_form_is_strict() {
        assert_eq!(ABC_SHA256.parse(), Ok(Sha256Digest::of(b"abc")));
        let bad = [
            String::new(),
            ABC_SHA256.to_uppercase(),
            format!(" {ABC_SHA256}"),
            format!("{ABC_SHA256}\n"),
            format!("{ABC_SHA256}00"),
            ABC_SHA256.replace('b', "g"),
            ABC_SHA256.chars().skip(1).collect(),
        ];
        for text in bad {
            assert_eq!(text.parse::<Sha256Digest>(), Err(NameError::Digest), "{text:?}");
            assert_eq!(text.parse::<Blake3Digest>(), Err(NameError::Digest), "{text:?}");
        }
    }

    #[test]
    fn serde_uses_the_text_form() {
        let digest = Sha256Digest::of(b"abc");
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(text, format!("\"{ABC_SHA256}\""));
        assert_eq!(serde_json::from_str::<Sha256Digest>(&text).unwrap(), digest);
        assert_eq!(serde_json::from_reader::<_, Sha256Digest>(text.as_bytes()).unwrap(), digest);
        assert!(serde_json::from_str::<Sha256Digest>(&text.to_uppercase()).is_err());
        assert!(serde_json::from_str::<Sha256Digest>("[]").is_err());
    }

    #[test]
    fn hex_helpers() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0x00, 0x0f, 0xa5]), "000fa5");
        assert_eq!(unhex::<0>(""), Some([]));
        assert_eq!(unhex::<3>("000fa5"), Some([0x00, 0x0f, 0xa5]));
        for bad in ["", "000fa", "000fa5f", "000fa500", "000fA5", "000f 5", "000f\u{e9}"] {
            assert_eq!(unhex::<3>(bad), None, "{bad:?}");
        }
    }

    /// The library that writes hex reads it too: another reader of the same rule.
    #[test]
    fn hex_is_read_and_written_as_another_does() {
        use data_encoding::HEXLOWER;
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let mut written = Vec::new();
        super::put_hex(&mut written, &all);
        assert_eq!(written, HEXLOWER.encode(&all).into_bytes());
        for pair in all.iter().flat_map(|high| all.iter().map(move |low| [*high, *low])) {
            let Ok(text) = std::str::from_utf8(&pair) else { continue };
            let other = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
            assert_eq!(unhex::<1>(text), other, "{text:?}");
            for place in 0..32 {
                let mut digits = "0f".repeat(32);
                digits.replace_range(2 * place..2 * place + 2, text);
                assert_eq!(unhex::<32>(&digits).is_some(), other.is_some(), "{digits:?}");
            }
        }
    }

    /// Two padded texts in a row decode in some libraries, and would give one value two spellings.
    #[test]
    fn base64_has_one_spelling() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes), text);
            assert_eq!(unbase64(text).as_deref(), Some(bytes));
        }
        for bad in [
            "Zg==Zg==", "Zm8=Zm9v", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "====", "=", "==", "Z===",
            "Zg\n==", "Zm-_",
        ] {
            assert_eq!(unbase64(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn digests_order_by_bytes_and_debug_as_hex() {
        let low = Sha256Digest::from_bytes([1; 32]);
        let mut high_bytes = [1; 32];
        high_bytes[0] = 2;
        let high = Sha256Digest::from_bytes(high_bytes);
        assert!(low < high);
        assert_eq!(format!("{low:?}"), "01".repeat(32));
        assert_eq!(high.as_bytes(), &high_bytes);
    }
}
