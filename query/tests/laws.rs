//! Laws of the language: what prints parses to the same tree, no text brings the parser down, and what is not at hand
//! is never guessed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;

use common::{ask, filter, ledger};
use proofline_ledger::{ArchiveOrder, Seq, Snapshot, archive};
use proofline_query::{
    BodyPath, Comparison, Field, FieldType, Filter, Literal, QueryError, Question, traces_with,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn cases() -> ProptestConfig {
    let cases = if common::is_full() { 1_000_000 } else { 3_000 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn field() -> impl Strategy<Value = Field> {
    let names = Field::names();
    let token = "[a-z0-9][a-z0-9_:.-]{0,12}";
    prop_oneof![
        8 => prop::sample::select(names).prop_map(|name| Field::named(&name).unwrap()),
        1 => token.prop_map(|token| Field::named(&format!("policy.decision.reason_codes.{token}")).unwrap()),
        1 => token.prop_map(|token| Field::named(&format!("grants.{token}")).unwrap()),
        2 => vec("[A-Za-z0-9_:/+-]{1,8}", 1..4).prop_map(|steps| {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            Field::Body(BodyPath::new(&steps).unwrap())
        }),
    ]
}

/// A value that a field of this type can be compared with.
fn literal(field_type: FieldType) -> BoxedStrategy<Literal> {
    let text = "\\PC{0,12}|[\\x00-\\x1f\"\\\\é]{0,4}".prop_map(Literal::Text);
    match field_type {
        FieldType::Integer | FieldType::Time => any::<i64>().prop_map(Literal::Integer).boxed(),
        FieldType::Flag => any::<bool>().prop_map(Literal::Flag).boxed(),
        FieldType::Named(names) => {
            prop::sample::select(names).prop_map(|name| Literal::Text(name.to_owned())).boxed()
        }
        FieldType::Hex(bytes) => {
            vec("[0-9a-f]{2}", bytes).prop_map(|digits| Literal::Text(digits.concat())).boxed()
        }
        FieldType::Any => {
            prop_oneof![text, any::<i64>().prop_map(Literal::Integer), any::<bool>().prop_map(Literal::Flag)]
                .boxed()
        }
        _ => text.boxed(),
    }
}

fn suits(field_type: FieldType, how: Comparison) -> bool {
    match field_type {
        FieldType::Integer | FieldType::Time => how != Comparison::Contains,
        FieldType::Named(_) => !how.is_order(),
        FieldType::Flag => how == Comparison::Equal || how == Comparison::Different,
        FieldType::Set => how == Comparison::Contains,
        _ => true,
    }
}

fn term() -> impl Strategy<Value = Filter> {
    // Nothing is thrown away: a million cases would be given up for that.
    let compare = field().prop_flat_map(|field| {
        let field_type = field.field_type();
        let suitable = Comparison::ALL.into_iter().filter(|how| suits(field_type, *how)).collect::<Vec<_>>();
        (prop::sample::select(suitable), literal(field_type))
            .prop_map(move |(how, value)| Filter::compare(field.clone(), how, value))
    });
    let listed = field().prop_flat_map(|field| {
        let field_type = field.field_type();
        vec(literal(field_type), 0..4).prop_map(move |values| match field_type {
            // A set is not one of several.
            FieldType::Set => Filter::Exists(field.clone()),
            _ => Filter::In { field: field.clone(), values },
        })
    });
    prop_oneof![6 => compare, 2 => listed, 2 => field().prop_map(Filter::Exists), 1 => Just(Filter::All)]
}

fn tree() -> impl Strategy<Value = Filter> {
    let plain = term().prop_recursive(5, 24, 2, |within| {
        let pair = (within.clone(), within.clone());
        prop_oneof![
            within.prop_map(|one| Filter::Not(Box::new(one))),
            pair.clone().prop_map(|(one, other)| Filter::And(Box::new(one), Box::new(other))),
            pair.prop_map(|(one, other)| Filter::Or(Box::new(one), Box::new(other))),
        ]
    });
    (plain.clone(), plain, 0..4).prop_map(|(one, within, kind)| match kind {
        0 => Filter::And(Box::new(Filter::AnyOfTrace(Box::new(within))), Box::new(one)),
        1 => Filter::Not(Box::new(Filter::AnyOfTrace(Box::new(within)))),
        _ => one,
    })
}

/// Pieces of filters, well joined or not.
fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "and",
        "or",
        "not",
        "in",
        "exists",
        "(",
        ")",
        ",",
        "=",
        "!=",
        "<",
        "~",
        "seq",
        "kind",
        "accepted",
        "1",
        "trace.any",
        "\"a\"",
        "\"",
        "\\",
        "body.x",
        "all",
        "grants",
        "\n",
        "é",
        "\u{202e}",
    ]);
    vec(prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,3}"], 0..14)
        .prop_map(|all| all.join(" "))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_prints_parses_to_the_same_tree(tree in tree()) {
        let text = tree.to_string();
        let read = text.parse::<Filter>();
        prop_assert_eq!(read.as_ref(), Ok(&tree), "{}", text);
    }

    #[test]
    fn every_text_is_a_filter_or_an_error_with_a_place(text in prop_oneof![pieces(), "\\PC{0,40}"]) {
        match text.parse::<Filter>() {
            Ok(filter) => prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter)),
            Err(error) => {
                prop_assert!(error.at.start <= error.at.end && text.get(error.at.clone()).is_some());
                prop_assert!(error.column() <= text.chars().count() + 1);
                let [line, marks] = error.drawn();
                prop_assert!(!line.chars().any(char::is_control), "{}", line);
                prop_assert!(marks.trim_start().starts_with('^') && marks.chars().count() <= 120);
            }
        }
    }
}

#[test]
fn of_what_is_archived_only_the_header_answers() {
    let home = ledger(21, 20, 16 << 10);
    let out = tempfile::tempdir().unwrap();
    let question = |text: &str| Question::new(filter(text));
    let before = Snapshot::open(home.path()).unwrap();
    let ends = ["kind = rejected", "record_type = tool_call", "seq < 20 or record_type = tool_call"];
    let whole: Vec<_> = ends.iter().map(|text| ask(&before, &question(text)).0).collect();
    let place = out.path().join("archive");
    let order = ArchiveOrder { before: Seq::new(100), out: &place, place: "", now_ms: common::NOW_MS };
    archive(home.path(), &order, &mut |_| {}).unwrap();
    let after = Snapshot::open(home.path()).unwrap();
    let away = after.archived().iter().map(|segment| segment.entries).sum::<u64>();
    assert!(away > 20 && away <= 100, "{away}");

    // The header says it: the same answers.
    assert_eq!(ask(&after, &question(ends[0])).0.seqs, whole[0].seqs);
    // The body says it: no answer that was not one before, and every entry that is missing is told.
    let (found, _) = ask(&after, &question(ends[1]));
    let expected: Vec<u64> = whole[1].seqs.iter().copied().filter(|seq| *seq >= away).collect();
    assert_eq!(found.seqs, expected);
    let evidence = ask(&before, &question(&format!("kind in (accepted, rejected) and seq < {away}"))).0;
    assert_eq!(found.undecided, evidence.seqs.len());
    // `not` does not turn what is not known into an answer.
    let (not, _) = ask(&after, &question("not record_type = tool_call"));
    assert_eq!(not.undecided, evidence.seqs.len());
    assert!(not.seqs.iter().all(|seq| !whole[1].seqs.contains(seq)));
    let (either, _) = ask(&after, &question(ends[2]));
    assert_eq!(either.seqs.iter().filter(|seq| **seq < 20).count(), 20);

    // With the archive at hand all is as it was.
    let both = Snapshot::open_with_archives(home.path(), &[place]).unwrap();
    for (text, whole) in ends.iter().zip(whole) {
        assert_eq!(ask(&both, &question(text)).0.seqs, whole.seqs);
    }
}

#[test]
fn what_is_damaged_is_told_and_fits_nothing() {
    let home = ledger(22, 10, 1 << 30);
    let before = Snapshot::open(home.path()).unwrap();
    let all = ask(&before, &Question::new(filter("not record_type = tool_call"))).0;
    let (file, offset) = before.place(Seq::new(30)).unwrap();
    let (path, offset) = (home.path().join(file), usize::try_from(offset.unwrap()).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[offset + 300] ^= 1;
    fs::write(&path, bytes).unwrap();
    let after = Snapshot::open(home.path()).unwrap();
    for scan_only in [false, true] {
        let question = Question { scan_only, ..Question::new(filter("not record_type = tool_call")) };
        let found = ask(&after, &question).0;
        assert_eq!(found.damaged, 1);
        let expected: Vec<u64> = all.seqs.iter().copied().filter(|seq| *seq != 30).collect();
        let missing: Vec<&u64> = expected.iter().filter(|seq| !found.seqs.contains(seq)).collect();
        assert!(missing.is_empty() && found.seqs.iter().all(|seq| expected.contains(seq)), "{missing:?}");
    }
}

#[test]
fn of_traces_that_are_archived_nobody_says_that_they_fit_or_do_not() {
    let home = ledger(21, 20, 16 << 10);
    let out = tempfile::tempdir().unwrap();
    let find = |snapshot: &Snapshot, text: &str| {
        let mut none = |it| -> Result<(), QueryError> { panic!("{it:?}") };
        traces_with(snapshot, &Question::new(filter(text)), &mut none).unwrap().0
    };
    let before = Snapshot::open(home.path()).unwrap();
    let text = "record_type = tool_call and outcome.status = ok";
    let whole = find(&before, text);
    assert!(whole.undecided.is_empty() && whole.fitting.len() > 5);
    let order = ArchiveOrder {
        before: Seq::new(100),
        out: &out.path().join("archive"),
        place: "",
        now_ms: common::NOW_MS,
    };
    archive(home.path(), &order, &mut |_| {}).unwrap();
    let after = Snapshot::open(home.path()).unwrap();
    let away = after.archived().iter().map(|segment| segment.entries).sum::<u64>();
    // Every trace that fits by what is there fitted before; of others with an entry that is away nobody can say.
    let found = find(&after, text);
    let there = find(&before, &format!("{text} and seq >= {away}"));
    let touched = find(&before, &format!("kind in (accepted, rejected) and seq < {away}"));
    assert_eq!(found.fitting, there.fitting);
    let undecided = touched.fitting.difference(&there.fitting).copied().collect();
    assert_eq!(found.undecided, undecided);
    assert!(!found.undecided.is_empty() && found.fitting.len() < whole.fitting.len());
    // What headers say is known.
    assert_eq!(find(&after, "kind = rejected"), find(&before, "kind = rejected"));
}
