//! What conditions see, by samples: each kind of expression, and what is seen whole.

use std::str::FromStr;

use super::*;

fn sight(condition: &str) -> Sight {
    let text = format!("permit(principal in Grant::\"g\", action, resource) when {{ {condition} }};");
    Sight::of(&Policy::from_str(&text).expect(condition))
}

/// Chains of names that are seen whole, and behind a question mark those that are only asked for.
fn chains(sight: &Sight) -> Vec<String> {
    fn walk(name: &str, seen: &Seen, chains: &mut Vec<String>) {
        if seen.whole || seen.members.is_empty() && name.contains('.') {
            chains.push(format!("{name}{}", if seen.whole { "" } else { "?" }));
        }
        seen.members.iter().for_each(|(own, seen)| walk(&format!("{name}.{own}"), seen, chains));
    }
    let mut chains = Vec::new();
    walk("principal", &sight.principal, &mut chains);
    walk("action", &sight.action, &mut chains);
    walk("resource", &sight.resource, &mut chains);
    walk("context", &sight.context, &mut chains);
    chains
}

#[test]
fn chains_of_names_are_seen_and_all_else_is_seen_whole() {
    for (condition, expected) in [
        ("true", &[][..]),
        ("context.trace.span_kind == \"root\"", &["context.trace.span_kind"]),
        ("context[\"trace\"][\"span_kind\"] like \"r*\"", &["context.trace.span_kind"]),
        ("context has trace.parent_span_id", &["context.trace.parent_span_id?"]),
        ("principal has kind && principal.kind == \"user\"", &["principal.kind"]),
        ("principal.grants.contains(\"a\")", &["principal.grants"]),
        ("{a: context.trace}.a.span_kind == \"root\"", &["context.trace"]),
        ("(if principal.id == \"a\" then context else {}) has a", &["principal.id", "context"]),
        ("principal == resource", &["principal", "resource"]),
        ("principal in context.trace", &["principal", "context.trace"]),
        ("[resource].contains(action)", &["action", "resource"]),
        ("principal.hasTag(\"a\")", &["principal"]),
        ("User::\"a\" in Group::\"b\"", &["principal", "action", "resource"]),
        (
            "principal in [Grant::\"a\", context.component]",
            &["principal", "action", "resource", "context.component"],
        ),
        ("principal is Actor && action != Action::\"a\"", &[]),
        ("principal is Actor in Grant::\"a\" || Grant::\"b\" == resource", &[]),
        ("ip(context.component).isInRange(ip(\"10.0.0.0/8\"))", &["context.component"]),
        (
            "-context.ts_ms < 3 && !(context.auth_context.ts_ms == 1)",
            &["context.auth_context.ts_ms", "context.ts_ms"],
        ),
    ] {
        assert_eq!(chains(&sight(condition)), expected, "{condition}");
    }
}

#[test]
fn what_a_variable_is_held_against_is_known() {
    let held = |condition: &str| -> Vec<String> {
        let of = |it: &Named| format!("{}:{}", it.of.as_deref().unwrap_or("-"), it.id);
        sight(condition).held_against.iter().map(of).collect()
    };
    assert_eq!(held("principal in [Grant::\"b\", N::Actor::\"c\"]"), ["-:c", "Grant:b"]);
    assert_eq!(held("Action::\"a\\\"\" == action"), ["Action:a\""]);
    assert_eq!(held("resource is Resource in Resource::\"d\""), ["Resource:d"]);
    assert!(held("[principal].contains(Actor::\"a\")").is_empty());
}
