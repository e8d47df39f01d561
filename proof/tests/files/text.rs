//! The text forms: the worked example of C2SP tlog-proof byte for byte, and its refusals.

use proofline_canon::{Sha256Digest, base64};
use proofline_proof::NodeHash;
use proofline_proof::files::{ConsistencyFile, TextProofError, TlogProof};
use proptest::prelude::*;

use crate::common::{path3, path3to5};
use crate::shared::NOTE as CHECKPOINT;

/// The head of the worked example.
pub(crate) const HEAD: &str = "c2sp.org/tlog-proof@v1\nindex 3\n\
    +mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY=\n\
    ywCYnZSlacCmeK4EK2Pc1GJduWRAUX83put5duok7Us=\n\
    EeH1WCI/THG2vhzs/R8N6HFG0llId8J7KexRn5BAITw=\n\n";

pub(crate) fn example() -> Vec<u8> {
    format!("{HEAD}{CHECKPOINT}").into_bytes()
}

#[test]
fn the_worked_example_is_read_and_written() {
    let text = example();
    assert_eq!(text.len(), 474);
    assert_eq!(
        Sha256Digest::of(&text).to_string(),
        "9f3dace0dea90443f400adb65b14d192b1b141f284519919987a76b79a8a0882"
    );
    let proof = TlogProof { index: 3, path: path3(), extra: None, checkpoint: CHECKPOINT.into() };
    assert_eq!(TlogProof::parse(&text), Ok(proof.clone()));
    assert_eq!(proof.write(), text);
    let extra = TlogProof { extra: Some(vec![1, 2]), ..proof.clone() };
    let text = HEAD.replace("\nindex", "\nextra AQI=\nindex") + CHECKPOINT;
    assert_eq!(extra.write(), text.as_bytes());
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(extra));
    let empty = TlogProof { extra: Some(Vec::new()), ..proof };
    assert_eq!(empty.write(), example(), "a line without data is never written");
}

/// What becomes of the worked example when a part of its text is replaced.
fn changed(from: &str, to: &str) -> TextProofError {
    let text = String::from_utf8(example()).unwrap();
    assert!(text.contains(from), "{from:?} is not in the example");
    TlogProof::parse(text.replacen(from, to, 1).as_bytes()).expect_err(to)
}

#[test]
fn other_first_lines_are_refused() {
    for (from, to) in [
        ("@v1", "@v2"),
        ("@v1", "@v1 "),
        ("c2sp", "\u{feff}c2sp"),
        ("c2sp", "C2SP"),
        ("c2sp", "\nc2sp"),
        ("@v1\n", "@v1\r\n"),
    ] {
        assert_eq!(changed(from, to).code(), "tlog_proof.first_line", "{to:?}");
    }
}

#[test]
fn other_spellings_of_the_index_are_refused() {
    for to in [
        "index +3",
        "index 03",
        "index -1",
        "index 18446744073709551616",
        "index",
        "index ",
        "index  3",
        "index 3 ",
        "index\t3",
        "Index 3",
        "index 0x3",
        "index 3\r",
        "size 3",
        "index ٣",
    ] {
        assert_eq!(changed("index 3", to), TextProofError::Number("index"), "{to:?}");
    }
    assert_eq!(changed("index 3\n", ""), TextProofError::Number("index"), "no index at all");
    let most = String::from_utf8(example()).unwrap().replace("index 3", "index 18446744073709551615");
    assert_eq!(TlogProof::parse(most.as_bytes()).unwrap().index, u64::MAX);
}

#[test]
fn an_extra_line_stands_once_in_its_place_and_holds_data() {
    let before = |line: &str| changed("index", &format!("{line}\nindex"));
    for line in
        ["extra ", "extra AQI", "extra AQ I=", "extra AQI= ", "extra AR==", "extra  AQI=", "extra _w=="]
    {
        assert_eq!(before(line), TextProofError::Extra, "{line:?}");
    }
    assert_eq!(before("extra AQI=\nextra AQI="), TextProofError::Number("index"), "two of them");
    assert_eq!(before("extra"), TextProofError::Number("index"));
    assert_eq!(before("other AQI="), TextProofError::Number("index"));
    assert_eq!(before("extra AQI=\n"), TextProofError::Number("index"), "an empty line in front");
    assert_eq!(changed("index 3\n", "index 3\nextra AQI=\n"), TextProofError::Hash(3), "behind the index");
}

#[test]
fn a_hash_line_is_32_bytes_and_nothing_else() {
    const FIRST: &str = "+mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY=";
    let short = base64(&[1; 31]);
    let long = base64(&[1; 33]);
    let spaced = FIRST.replacen("sND", "s ND", 1);
    let spare_bits = FIRST.replace("tIY=", "tIZ=");
    let unpadded = FIRST.replace('=', "");
    let url_safe = FIRST.replacen('+', "-", 1);
    let carriage = format!("{FIRST}\r");
    for line in [&short, &long, &spaced, &spare_bits, &unpadded, &url_safe, &carriage] {
        assert_eq!(changed(FIRST, line), TextProofError::Hash(3), "{line:?}");
    }
}

#[test]
fn at_most_64_hashes_and_a_whole_checkpoint() {
    let line = format!("{}\n", base64(&[1; 32]));
    let with =
        |count: usize| format!("c2sp.org/tlog-proof@v1\nindex 3\n{}\n{CHECKPOINT}", line.repeat(count));
    assert_eq!(TlogProof::parse(with(64).as_bytes()).unwrap().path.len(), 64);
    assert_eq!(TlogProof::parse(with(65).as_bytes()), Err(TextProofError::TooManyHashes(64)));
    let text = example();
    for cut in [HEAD.len(), HEAD.len() - 1, 30, 22, 0, text.len() - 1] {
        assert_eq!(TlogProof::parse(&text[..cut]), Err(TextProofError::NoCheckpoint), "cut at {cut}");
    }
    assert_eq!(changed("=\n\nlog", "=\nlog"), TextProofError::Hash(6), "no empty line");
    let mut long = text;
    long.resize((1 << 20) + 1, b'\n');
    assert_eq!(TlogProof::parse(&long), Err(TextProofError::TooLong(1_048_577)));
    let mut odd = HEAD.as_bytes().to_vec();
    odd[40] = 0xff;
    odd.extend_from_slice(CHECKPOINT.as_bytes());
    assert_eq!(TlogProof::parse(&odd), Err(TextProofError::Hash(3)), "not UTF-8");
}

#[test]
fn a_consistency_proof_is_the_body_of_a_request_to_a_witness() {
    let file = ConsistencyFile { old: 3, path: path3to5(), checkpoint: CHECKPOINT.into() };
    let text = format!(
        "old 3\n\
        +mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY=\n\
        kGxdJIXK5yIHOkMPTQT+F2dQdZLO8iZimurbhaLskJ0=\n\
        ywCYnZSlacCmeK4EK2Pc1GJduWRAUX83put5duok7Us=\n\
        EeH1WCI/THG2vhzs/R8N6HFG0llId8J7KexRn5BAITw=\n\n{CHECKPOINT}"
    );
    assert_eq!(file.write().unwrap(), text.as_bytes());
    assert_eq!(ConsistencyFile::parse(text.as_bytes()), Ok(file));
    for head in ["old", "old -1", "old 03", "old +3", "size 3", "old 18446744073709551616", "old 3 "] {
        let text = text.replacen("old 3", head, 1);
        let number = Err(TextProofError::Number("old"));
        assert_eq!(ConsistencyFile::parse(text.as_bytes()), number, "{head:?}");
    }
    let of = |count| ConsistencyFile { old: 9, path: vec![path3()[0]; count], checkpoint: CHECKPOINT.into() };
    let most = of(63).write().unwrap();
    assert_eq!(ConsistencyFile::parse(&most), Ok(of(63)));
    assert_eq!(of(64).write(), Err(TextProofError::TooManyHashes(63)));
    let more = String::from_utf8(most).unwrap().replacen(
        "old 9\n",
        "old 9\n+mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY=\n",
        1,
    );
    assert_eq!(ConsistencyFile::parse(more.as_bytes()), Err(TextProofError::TooManyHashes(63)));
    // A witness that knows nothing is sent 0 and no hashes.
    let first = ConsistencyFile { old: 0, path: Vec::new(), checkpoint: CHECKPOINT.into() };
    assert_eq!(ConsistencyFile::parse(&first.write().unwrap()), Ok(first));
}

proptest! {
    #[test]
    fn written_texts_are_read(
        index: u64,
        path in prop::collection::vec(any::<[u8; 32]>().prop_map(NodeHash::from_bytes), 0..=63),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..200)),
        checkpoint in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let checkpoint = [checkpoint, vec![b'\n']].concat();
        let proof = TlogProof { index, path: path.clone(), extra, checkpoint: checkpoint.clone() };
        prop_assert_eq!(TlogProof::parse(&proof.write()), Ok(proof));
        let file = ConsistencyFile { old: index, path, checkpoint };
        prop_assert_eq!(ConsistencyFile::parse(&file.write().unwrap()), Ok(file));
    }

    #[test]
    fn what_is_read_as_a_text_is_its_one_spelling(at in 0..474_usize, to: u8, cut in 0..474_usize) {
        let mut text = example();
        text[at] = to;
        for text in [&text[..], &text[cut..]] {
            if let Ok(proof) = TlogProof::parse(text) {
                prop_assert_eq!(proof.write(), text);
            }
        }
    }
}
