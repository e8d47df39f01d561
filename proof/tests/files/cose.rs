//! COSE receipts: the computed Ed25519 vectors byte for byte, the structure of the RFC's example files,
//! and what a strict reader refuses.

use proofline_canon::{Sha256Digest, cbor, hex};
use proofline_proof::files::cose::{
    CoseError, ENTRY_HEADER_LABEL, Receipt, ReceiptClaims, ReceiptProof, TREE_SIZE_LABEL,
};
use proofline_proof::tree::{consistency_root, inclusion_root};
use proofline_proof::{KeyRole, LeafHash, NodeHash, SecretKey, Signer, VerifierKey};
use proptest::prelude::*;

use crate::common::{SEEDS, bytes, h2, key, leaf3, node, path3, path3to5, root3, root5};

fn signer() -> SecretKey {
    key("log.example/receipts", KeyRole::Cose, SEEDS[0])
}

fn keys() -> [VerifierKey; 2] {
    [key("other.example", KeyRole::Cose, SEEDS[1]).verifier().clone(), signer().verifier().clone()]
}

fn inclusion() -> ReceiptProof {
    ReceiptProof::Inclusion { size: 5, index: 3, path: path3() }
}

fn consistency() -> ReceiptProof {
    ReceiptProof::Consistency { old_size: 3, new_size: 5, path: path3to5() }
}

/// The claims of the computed vectors.
fn k1() -> ReceiptClaims {
    ReceiptClaims { kid: Some(b"k1".to_vec()), ..ReceiptClaims::none() }
}

const PROTECTED: &str = "a3013204426b3119018b01";
const SIGNATURE: &str = "5a85d41da0b6b0129252c9e411057a3f77a39d8afae59f90810729e80a3373ed\
    6b96f5c7397f01ba63b48756324d464b3463ad3ed3e93a8aa9377ce0b31f2900";

fn inclusion_vector() -> Vec<u8> {
    bytes(&format!(
        "d2844b{PROTECTED}a119018ca12081586a83050383\
        5820fa61e3dec3439589f4784c893bf321d0084f04c572c7af2b68e3f3360a35b486\
        5820cb00989d94a569c0a678ae042b63dcd4625db96440517f37a6eb7976ea24ed4b\
        582011e1f558223f4c71b6be1cecfd1f0de87146d2594877c27b29ec519f9040213cf65840{SIGNATURE}"
    ))
}

#[test]
fn the_computed_vectors_are_made_and_verified() {
    let receipt = Receipt::sign(inclusion(), &root5(), k1(), &signer()).unwrap();
    let written = receipt.write();
    assert_eq!(written, inclusion_vector());
    assert_eq!(written.len(), 196);
    let digest = "2b9f6cccb38c09d9613b6771b9fd70459f571aa0deaaa3de28d29ce883856303";
    assert_eq!(Sha256Digest::of(&written).to_string(), digest);
    assert_eq!(Receipt::parse(&written).unwrap(), receipt);
    let keys = keys();
    assert_eq!(receipt.verify_inclusion(leaf3(), &keys).unwrap(), (root5(), &keys[1]));

    let receipt = Receipt::sign(consistency(), &root5(), k1(), &signer()).unwrap();
    let written = receipt.write();
    assert!(hex(&written).starts_with("d2844ba3013204426b3119018b01a119018ca12181588c83030584"));
    assert_eq!(written.len(), 230);
    let digest = "d20fac8b9516ebb30ae2a344d5a79614c431c604cdefa841799c9e728b8d47d1";
    assert_eq!(Sha256Digest::of(&written).to_string(), digest);
    assert_eq!(Receipt::parse(&written).unwrap(), receipt);
    assert_eq!(receipt.verify_consistency(&root3(), &keys).unwrap(), (root5(), &keys[1]));
}

/// The RFC's example files but for their signatures, which belong to a key that nobody has.
#[test]
fn the_example_files_of_the_rfc_are_read() {
    let leaf = |at: u8| {
        let entry = Sha256Digest::of(format!("statement-{at}").as_bytes());
        LeafHash::of_header(entry.as_bytes())
    };
    let hash = |at: u8| NodeHash::from(leaf(at));
    let h01 = NodeHash::over(&hash(0), &hash(1));
    assert!(hash(2).to_string().starts_with("3d06455d") && hash(2).to_string().ends_with("d1198095"));
    assert!(h01.to_string().starts_with("33a52117") && h01.to_string().ends_with("98255434"));
    let root3 = node("688928db5e565af2fb9b29db5cce83de0e0352a0f0c671b450b9dc86bed2de3c");
    let root5 = node("895731b5a570ea1967dd7804b5f43146175f9ac87d1565985de3ecf09c98589c");
    let issuer = "https://transparency-service.example.com";
    let protected = format!("a40126044a{}19018b010fa1017828{}", hex(b"test-key-1"), hex(issuer.as_bytes()));
    let file = |proof: &str, path: &[NodeHash]| {
        let path: String = path.iter().map(|hash| format!("5820{hash}")).collect();
        bytes(&format!("d2845840{protected}a119018c{proof}{path}f65840{}", "00".repeat(64)))
    };

    let path = vec![hash(2), h01, hash(4)];
    let bytes = file("a12081586a83050383", &path);
    assert_eq!(bytes.len(), 250);
    let receipt = Receipt::parse(&bytes).unwrap();
    assert_eq!(receipt.proof(), &ReceiptProof::Inclusion { size: 5, index: 3, path: path.clone() });
    assert_eq!(inclusion_root(3, 5, leaf(3), &path), Ok(root5));
    let claims = receipt.claims();
    assert_eq!((claims.algorithm, claims.kid.as_deref()), (-7, Some(&b"test-key-1"[..])));
    assert_eq!((claims.issuer.as_deref(), claims.tree_size), (Some(issuer), None));
    assert_eq!(receipt.write(), bytes, "in the order in which it was signed");
    let refused = receipt.verify_inclusion(leaf(3), &keys()).unwrap_err();
    assert_eq!(refused.code(), "cose.algorithm");

    let path = vec![hash(2), hash(3), h01, hash(4)];
    let bytes = file("a12181588c83030584", &path);
    assert_eq!(bytes.len(), 284);
    let receipt = Receipt::parse(&bytes).unwrap();
    let expected = ReceiptProof::Consistency { old_size: 3, new_size: 5, path: path.clone() };
    assert_eq!(receipt.proof(), &expected);
    assert_eq!(consistency_root(3, &root3, 5, &path), Ok(root5));
    assert_eq!(receipt.write(), bytes);
}

/// Signs a protected header and writes the message around it, for shapes that are not issued here.
fn message(protected: &str, rest: &str) -> Vec<u8> {
    let protected = bytes(protected);
    let mut signed = Vec::new();
    cbor::put_array(&mut signed, 4);
    cbor::put_text(&mut signed, "Signature1");
    for part in [&protected[..], b"", root5().as_bytes()] {
        cbor::put_bytes(&mut signed, part);
    }
    let signature = signer().sign(&signed).unwrap();
    let mut out = bytes("d284");
    cbor::put_bytes(&mut out, &protected);
    out.extend_from_slice(&bytes(rest));
    cbor::put_bytes(&mut out, &signature);
    out
}

/// The unprotected header and the detached payload of the inclusion vector.
fn rest() -> String {
    let whole = hex(&inclusion_vector());
    whole["d2844b".len() + PROTECTED.len()..whole.len() - SIGNATURE.len() - 4].to_owned()
}

/// The code with which a signed message is refused, or `none`.
fn verdict(message: &[u8]) -> &'static str {
    let verified = Receipt::parse(message).and_then(|receipt| {
        receipt.verify_inclusion(leaf3(), &keys()).map(|(root, _)| assert_eq!(root, root5()))
    });
    verified.map_or_else(|error| error.code(), |()| "none")
}

#[test]
fn protected_headers_that_are_accepted() {
    for (protected, why) in [
        (PROTECTED, "the vector"),
        ("a319018b01013204426b31", "any order of labels"),
        ("a2013219018b01", "no kid"),
        ("a2012719018b01", "EdDSA: the key fixes the curve"),
        (
            "a4013202810119018b01045820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "crit: alg",
        ),
        ("a3013219018b0163666f6f82f5a10102", "a label that is not known"),
        ("a301320fa2016161061a5f5e100019018b01", "issuer and time"),
        ("a301320fa20161610218ff19018b01", "another claim"),
        ("a3013219018b01737072 6f6f666c696e652d747265652d73697a6505", "the size"),
    ] {
        assert_eq!(verdict(&message(protected, &rest())), "none", "{why}");
    }
}

#[test]
fn protected_headers_that_are_refused() {
    let twice = "a4013204426b3104426b3119018b01";
    for (protected, code, why) in [
        ("a119018b01", "cose.missing", "no alg"),
        ("a10132", "cose.missing", "no vds"),
        ("a0", "cose.missing", "an empty map"),
        ("", "cose.cbor", "no map at all"),
        ("a2012619018b01", "cose.algorithm", "ES256"),
        ("a201383419018b01", "cose.algorithm", "Ed448"),
        ("a2013219018b00", "cose.data_structure", "vds 0"),
        ("a2013219018b02", "cose.data_structure", "vds 2"),
        (twice, "cose.duplicate_label", "kid twice"),
        ("a40132013219018b0104426b31", "cose.duplicate_label", "alg twice"),
        ("a3013219018b0102811903e7", "cose.critical", "a critical label that is not known"),
        ("a3013219018b01028104", "cose.critical", "a critical label that is not there"),
        ("a3013219018b010280", "cose.critical", "an empty list of critical labels"),
        ("a3013219018b01028163666f6f", "cose.critical", "a critical text that is not known"),
        ("a3013219018b010281190189", "cose.critical", "critical receipts"),
        ("a2013219018b0100", "cose.form", "a byte behind the map"),
        ("a20132190 18b1801", "cose.cbor", "an integer that is not shortest"),
        ("bf013219018b01ff", "cose.cbor", "an indefinite map"),
        ("a2616101013219018b01", "cose.form", "a count that is too small"),
        ("a2017265643235353139000000000000000000000019018b01", "cose.cbor", "alg as a text"),
        ("a3013219018b0104626b31", "cose.cbor", "kid as a text"),
        ("a3013219018b01737072 6f6f666c696e652d747265652d73697a6506", "cose.tree_size", "another size"),
        ("a3013219018b01737072 6f6f666c696e652d747265652d73697a6520", "cose.cbor", "a negative size"),
    ] {
        assert_eq!(verdict(&message(protected, &rest())), code, "{why}");
    }
}

#[test]
fn messages_of_another_shape_are_refused() {
    let whole = hex(&inclusion_vector());
    let proof = "a119018ca12081586a";
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        bytes(&whole.replacen(from, to, 1))
    };
    let mut cases = vec![
        (bytes(&whole[2..]), "cose.cbor", "no tag"),
        (bytes(&format!("d2{whole}")), "cose.cbor", "two tags"),
        (with("d284", "d184"), "cose.form", "tag 17"),
        (with("d284", "d81284"), "cose.cbor", "a tag that is not shortest"),
        (with("d284", "d283"), "cose.form", "three elements"),
        (with("d284", "d29f"), "cose.cbor", "an indefinite array"),
        (bytes(&format!("{whole}00")), "cose.form", "a byte behind it"),
        (bytes(&whole[..whole.len() - 2]), "cose.cbor", "a byte short"),
        (with(proof, "a119018ca02081586a"), "cose.form", "no kind of proof"),
        (with(proof, "a119018ca12080586a"), "cose.form", "an empty array of proofs"),
        (with(proof, "a119018ca120586a"), "cose.cbor", "a proof that is no array"),
        (with(proof, "a119018ca12281586a"), "cose.form", "a proof of another kind"),
        (with(proof, "a119018ca10081586a"), "cose.form", "a positive kind of proof"),
        (with(proof, "a119018da12081586a"), "cose.form", "no proofs under label 396"),
        (with("586a830503", "586a820503"), "cose.form", "a proof of two items"),
        (with("830503", "830305"), "proof.index", "index before size"),
        (with("830503", "831805 03"), "cose.cbor", "a size that is not shortest"),
        (with("f65840", "405840"), "cose.payload", "an empty payload"),
        (with("f65840", "f45840"), "cose.cbor", "false as the payload"),
        (with("f65840", &format!("5820{}5840", h2())), "cose.payload", "another root attached"),
        (Vec::new(), "cose.cbor", "nothing"),
        (vec![0; (1 << 20) + 1], "cose.too_long", "over 1 MiB"),
    ];
    // The labels of both headers together are unique, and critical ones protected.
    for (label, code) in [("0132", "cose.duplicate_label"), ("028101", "cose.critical")] {
        cases.push((with(proof, &format!("a2{label}{}", &proof[2..])), code, label));
    }
    let twice = &whole[whole.find("19018ca1").unwrap()..whole.find("f65840").unwrap()];
    cases.push((
        with(twice, &format!("{twice}{twice}")).into_iter().collect(),
        "cose.cbor",
        "too many items",
    ));
    cases.push((
        with(&format!("a1{twice}"), &format!("a2{twice}{twice}")),
        "cose.duplicate_label",
        "the proofs twice",
    ));
    for (message, code, why) in cases {
        assert_eq!(verdict(&message), code, "{why}");
    }
    let attached = with("f65840", &format!("5820{}5840", root5()));
    assert_eq!(verdict(&attached), "none", "the root may be attached");
    let hint = with(proof, &format!("a204426b32{}", &proof[2..]));
    assert_eq!(verdict(&hint), "cose.duplicate_label", "kid in both headers");
    let other = with(proof, &format!("a2 1903e7 a10102 {}", &proof[2..]));
    assert_eq!(verdict(&other), "none", "an unprotected label that is not known");
}

#[test]
fn paths_of_another_length_are_refused() {
    let receipt = |numbers: &str, path: &[NodeHash]| {
        let path: String = path.iter().map(|hash| format!("5820{hash}")).collect();
        let inner = bytes(&format!("83{numbers}{path}"));
        let mut rest = bytes("a119018ca12081");
        cbor::put_bytes(&mut rest, &inner);
        rest.push(0xf6);
        message("a2013219018b01", &hex(&rest))
    };
    assert_eq!(verdict(&receipt("050383", &path3())), "none");
    assert_eq!(verdict(&receipt("050382", &path3()[1..])), "proof.node_count");
    assert_eq!(verdict(&receipt("050384", &[path3(), vec![h2()]].concat())), "proof.node_count");
    assert_eq!(verdict(&receipt("050382", &path3())), "cose.form", "a byte behind the path");
    assert_eq!(verdict(&receipt("050384", &path3())), "cose.cbor", "a path cut short");
    assert_eq!(verdict(&receipt("050583", &path3())), "proof.index");
    assert_eq!(verdict(&receipt("010080", &[])), "cose.empty_path", "a tree of one leaf");
    let swapped = [path3()[1], path3()[0], path3()[2]];
    assert_eq!(verdict(&receipt("050383", &swapped)), "cose.signature");
    assert_eq!(verdict(&receipt("05039842", &vec![h2(); 66])), "cose.form", "more hashes than any path has");
    assert_eq!(verdict(&receipt("0503 9bffffffffffffffff", &[])), "cose.form");
}

/// A proof fixes only its turns: without a signed size, other numbers give the same root.
#[test]
fn a_size_that_is_not_signed_can_be_changed_and_a_signed_one_cannot() {
    let root = root3();
    let proof = ReceiptProof::Inclusion { size: 3, index: 2, path: vec![crate::common::h01()] };
    let leaf = LeafHash::from_bytes(*h2().as_bytes());
    let lie = |bytes: &[u8]| {
        let text = hex(bytes);
        assert!(text.contains("830302"));
        Receipt::parse(&self::bytes(&text.replace("830302", "830504"))).and_then(|receipt| {
            assert_eq!(receipt.proof().size(), 5);
            receipt.verify_inclusion(leaf, &keys()).map(|_| ())
        })
    };
    let loose = Receipt::sign(proof.clone(), &root, k1(), &signer()).unwrap();
    lie(&loose.write()).expect("the path turns as that of the last of five entries");
    let issued = Receipt::issue(proof, &root, "log.example/demo", None, None, &signer()).unwrap();
    let refused = lie(&issued.write()).unwrap_err();
    assert_eq!(refused.code(), "cose.tree_size");
}

#[test]
fn issued_receipts_bind_issuer_time_and_size() {
    let header = vec![9; 40];
    let origin = "log.example/demo";
    let receipt =
        Receipt::issue(inclusion(), &root5(), origin, Some(1_700_000_000), Some(header.clone()), &signer())
            .unwrap();
    let claims = receipt.claims();
    assert_eq!(claims.kid.as_deref(), Some(signer().verifier().short_name().as_bytes()));
    assert_eq!(
        (claims.algorithm, claims.issuer.as_deref(), claims.issued_at_s, claims.tree_size),
        (-19, Some(origin), Some(1_700_000_000), Some(5))
    );
    assert_eq!(receipt.entry_header(), Some(&header[..]));
    let written = receipt.write();
    assert_eq!(Receipt::parse(&written).unwrap(), receipt);
    for label in [TREE_SIZE_LABEL, ENTRY_HEADER_LABEL] {
        assert!(hex(&written).contains(&hex(label.as_bytes())));
    }
    let keys = keys();
    assert_eq!(receipt.verify_inclusion(leaf3(), &keys).unwrap().1, &keys[1]);
    fn code(result: Result<(NodeHash, &VerifierKey), CoseError>) -> &'static str {
        result.unwrap_err().code()
    }
    assert_eq!(code(receipt.verify_inclusion(LeafHash::of_header(b"4"), &keys)), "cose.signature");
    assert_eq!(code(receipt.verify_inclusion(leaf3(), &keys[..1])), "cose.signature");
    assert_eq!(code(receipt.verify_inclusion(leaf3(), &vec![keys[0].clone(); 65])), "cose.too_many_keys");
    assert_eq!(code(receipt.verify_consistency(&root3(), &keys)), "cose.kind");
    let same_bytes = key("log.example/receipts", KeyRole::Dsse, SEEDS[0]).verifier().clone();
    assert_eq!(code(receipt.verify_inclusion(leaf3(), &[same_bytes])), "cose.signature");
    let newer = Receipt::issue(consistency(), &root5(), origin, None, None, &signer()).unwrap();
    assert_eq!(code(newer.verify_consistency(&root5(), &keys)), "proof.old_root");
    assert_eq!(code(newer.verify_inclusion(leaf3(), &keys)), "cose.kind");
}

#[test]
fn what_could_not_be_verified_is_not_issued() {
    let issue = |proof, signer: &SecretKey| {
        Receipt::issue(proof, &root5(), "log.example/demo", None, None, signer)
            .map(|_| ())
            .unwrap_err()
            .code()
    };
    let one = ReceiptProof::Inclusion { size: 1, index: 0, path: Vec::new() };
    assert_eq!(issue(one, &signer()), "cose.empty_path");
    let equal = ReceiptProof::Consistency { old_size: 5, new_size: 5, path: Vec::new() };
    assert_eq!(issue(equal, &signer()), "cose.empty_path");
    let short = ReceiptProof::Inclusion { size: 5, index: 3, path: path3()[1..].to_vec() };
    assert_eq!(issue(short, &signer()), "proof.node_count");
    for role in [KeyRole::Log, KeyRole::Dsse, KeyRole::Producer] {
        assert_eq!(issue(inclusion(), &key("log.example/demo", role, SEEDS[0])), "sign.role");
    }
    let wrong = ReceiptClaims { tree_size: Some(6), ..ReceiptClaims::none() };
    let refused = Receipt::sign(inclusion(), &root5(), wrong, &signer()).unwrap_err();
    assert_eq!(refused.code(), "cose.tree_size");
    let wrong = ReceiptClaims { algorithm: -7, ..ReceiptClaims::none() };
    assert_eq!(Receipt::sign(inclusion(), &root5(), wrong, &signer()).unwrap_err().code(), "cose.algorithm");
}

/// The bits that can be flipped without a refusal.
fn survivors(whole: &[u8]) -> Vec<(usize, u8)> {
    let bits = (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let survives = |(at, bit): &(usize, u8)| {
        let mut flipped = whole.to_vec();
        flipped[*at] ^= 1 << bit;
        verdict(&flipped) == "none"
    };
    bits.filter(survives).collect()
}

/// The vector does not sign its size: as a tree of seven instead of five the path turns the same way.
/// Nothing else can be changed; ours sign the size, and then only the header that travels is free.
#[test]
fn each_flipped_bit_is_refused_but_where_nothing_is_covered() {
    let whole = inclusion_vector();
    let size = 1 + hex(&whole).find("830503").unwrap() / 2;
    assert_eq!(survivors(&whole), [(size, 1)]);
    assert_eq!(whole[size] ^ 1 << 1, 7);
    let header = vec![0xab; 20];
    let origin = "log.example/demo";
    let issued =
        Receipt::issue(inclusion(), &root5(), origin, Some(7), Some(header), &signer()).unwrap().write();
    let label = hex(&issued).find(&hex(ENTRY_HEADER_LABEL.as_bytes())).unwrap() / 2;
    let value = label + ENTRY_HEADER_LABEL.len() + 1;
    for (at, _) in survivors(&issued) {
        assert!((label..value + 20).contains(&at), "byte {at}");
    }
}

proptest! {
    #[test]
    fn written_receipts_are_read(
        kid in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        issuer in prop::option::of("[a-z./ü]{0,30}"),
        issued_at_s in prop::option::of(any::<i64>()),
        has_size: bool,
        is_eddsa: bool,
    ) {
        let claims = ReceiptClaims {
            algorithm: if is_eddsa { -8 } else { -19 },
            kid,
            issuer,
            issued_at_s,
            tree_size: has_size.then_some(5),
        };
        let receipt = Receipt::sign(inclusion(), &root5(), claims.clone(), &signer()).unwrap();
        prop_assert_eq!(receipt.claims(), &claims);
        let read = Receipt::parse(&receipt.write()).unwrap();
        prop_assert_eq!(&read, &receipt);
        prop_assert!(read.verify_inclusion(leaf3(), &keys()).is_ok());
    }

    #[test]
    fn any_bytes_are_a_receipt_or_none(noise in prop::collection::vec(any::<u8>(), 0..80), at in 0..196_usize) {
        let mut message = inclusion_vector();
        message.splice(at..(at + noise.len()).min(196), noise.iter().copied());
        for bytes in [noise, message] {
            if let Ok(receipt) = Receipt::parse(&bytes) {
                prop_assert_eq!(Receipt::parse(&receipt.write()).unwrap(), receipt);
            }
        }
    }
}
