//! The company that the evidence is about: its people and agents, models, tools, and what they talk about.
//! All names are made up; every text here is a valid word of the contract.

/// Who acts.
pub(crate) struct Person {
    pub(crate) kind: &'static str,
    pub(crate) id: &'static str,
    pub(crate) credential: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) component: &'static str,
    pub(crate) grants: &'static [&'static str],
    /// How long a credential lasts, in milliseconds.
    pub(crate) valid_ms: u64,
}

const HOUR_MS: u64 = 3_600_000;
const STAFF: &str = "https://login.harbor-goods.example/realms/staff";
const WORKLOADS: &str = "spiffe://harbor-goods.example/ca/2026";

pub(crate) const PEOPLE: [Person; 7] = [
    Person {
        kind: "agent",
        id: "agents/ticket-triage-3",
        credential: "mtls",
        issuer: WORKLOADS,
        component: "gateway",
        grants: &["model.invoke", "ticket.read", "ticket.reply", "order.read"],
        valid_ms: 24 * HOUR_MS,
    },
    Person {
        kind: "agent",
        id: "agents/refund-desk-1",
        credential: "mtls",
        issuer: WORKLOADS,
        component: "gateway",
        grants: &["model.invoke", "order.read", "payment.refund:max-50eur", "mail.send:internal"],
        valid_ms: 24 * HOUR_MS,
    },
    Person {
        kind: "agent",
        id: "agents/code-review-2",
        credential: "mtls",
        issuer: WORKLOADS,
        component: "gateway.build",
        grants: &["model.invoke", "file.read", "file.write:branch", "repo.propose"],
        valid_ms: 12 * HOUR_MS,
    },
    Person {
        kind: "service",
        id: "services/nightly-report",
        credential: "workload-jwt",
        issuer: "https://tokens.harbor-goods.example",
        component: "gateway.batch",
        grants: &["model.invoke", "db.query:reporting", "mail.send:internal"],
        valid_ms: HOUR_MS,
    },
    Person {
        kind: "user",
        id: "people/mara.olsen",
        credential: "oidc",
        issuer: STAFF,
        component: "gateway.desk",
        grants: &["model.invoke", "order.read", "ticket.read", "ticket.reply", "db.query:reporting"],
        valid_ms: 8 * HOUR_MS,
    },
    Person {
        kind: "user",
        id: "people/jonas.weber",
        credential: "oidc",
        issuer: STAFF,
        component: "gateway.desk",
        grants: &["model.invoke", "file.read", "file.write", "repo.propose", "web.fetch"],
        valid_ms: 8 * HOUR_MS,
    },
    Person {
        kind: "user",
        id: "people/aiko.tanaka",
        credential: "oidc",
        issuer: "CN=Harbor Goods Partner Login, O=Håbor Göods ☂, C=NO",
        component: "gateway.partner",
        grants: &[],
        valid_ms: HOUR_MS,
    },
];

/// Which model answers.
pub(crate) struct Model {
    pub(crate) provider: &'static str,
    pub(crate) name: &'static str,
    /// How fast, in milliseconds a token.
    pub(crate) token_ms: u64,
}

pub(crate) const MODELS: [Model; 4] = [
    Model { provider: "northwind", name: "nw-large-2", token_ms: 19 },
    Model { provider: "northwind", name: "nw-small-2", token_ms: 6 },
    Model { provider: "lakeside", name: "heron-1.5", token_ms: 14 },
    Model { provider: "on-prem", name: "heron-mini-q4", token_ms: 31 },
];

/// What those models are called after they were replaced by others.
pub(crate) const NEW_NAMES: [&str; 4] = ["nw-large-3", "nw-small-3", "heron-2.0", "heron-mini-q5"];

/// What a tool does; `{n}` in a text stands for a number of the case at hand.
pub(crate) struct Tool {
    pub(crate) adapter: &'static str,
    pub(crate) name: &'static str,
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) result: &'static str,
    pub(crate) usual_ms: u64,
}

pub(crate) const TOOLS: [Tool; 10] = [
    Tool {
        adapter: "tickets",
        name: "get_ticket",
        action: "ticket.read",
        resource: "tickets/{n}",
        arguments: r#"{"ticket":{n},"include":["messages","order"]}"#,
        result: r#"{"ticket":{n},"subject":"Parcel arrived open","status":"waiting","messages":3,"order":{"id":"HG-{n}","total":48.9}}"#,
        usual_ms: 90,
    },
    Tool {
        adapter: "tickets",
        name: "reply_to_ticket",
        action: "ticket.reply",
        resource: "tickets/{n}",
        arguments: r#"{"ticket":{n},"body":"Thank you for the photos. A new one leaves our warehouse today.","close":false}"#,
        result: r#"{"ticket":{n},"message":4,"status":"answered"}"#,
        usual_ms: 140,
    },
    Tool {
        adapter: "orders",
        name: "find_order",
        action: "order.read",
        resource: "orders/hg-{n}",
        arguments: r#"{"order":"HG-{n}"}"#,
        result: r#"{"order":"HG-{n}","lines":[{"sku":"LMP-204","quantity":1,"price":48.90}],"shipped":"2026-02-26","weight_kg":1.35}"#,
        usual_ms: 60,
    },
    Tool {
        adapter: "payments",
        name: "issue_refund",
        action: "payment.refund",
        resource: "payments/orders/hg-{n}",
        arguments: r#"{"order":"HG-{n}","amount":48.9,"currency":"EUR","reason":"damaged"}"#,
        result: r#"{"refund":"rf_{n}","state":"pending","amount":48.9}"#,
        usual_ms: 420,
    },
    Tool {
        adapter: "filesystem",
        name: "read_file",
        action: "file.read",
        resource: "repos/storefront/src/cart/rounding_{n}.rs",
        arguments: r#"{"path":"src/cart/rounding_{n}.rs","from":1,"to":80}"#,
        result: r#"{"lines":42,"text":"pub fn total(lines: &[Line]) -> Cents {\n    lines.iter().map(Line::cents).sum()\n}\n"}"#,
        usual_ms: 8,
    },
    Tool {
        adapter: "filesystem",
        name: "write_file",
        action: "file.write",
        resource: "repos/storefront/src/cart/rounding_{n}.rs",
        arguments: r#"{"path":"src/cart/rounding_{n}.rs","text":"// half to even, as the invoice does\n","create":false}"#,
        result: r#"{"written":37}"#,
        usual_ms: 12,
    },
    Tool {
        adapter: "git",
        name: "open_pull_request",
        action: "repo.propose",
        resource: "repos/storefront/pulls",
        arguments: r#"{"branch":"fix/rounding-{n}","title":"Round once, at the end","draft":true}"#,
        result: r#"{"number":{n},"url":"https://git.harbor-goods.example/storefront/pulls/{n}"}"#,
        usual_ms: 900,
    },
    Tool {
        adapter: "warehouse-sql",
        name: "query",
        action: "db.query",
        resource: "db/reporting/returns",
        arguments: r#"{"sql":"select reason, count(*) from returns where week = {n} group by 1","limit":50}"#,
        result: r#"{"rows":[["damaged",17],["too late",5],["wrong colour",9]],"scanned":{n}}"#,
        usual_ms: 310,
    },
    Tool {
        adapter: "web",
        name: "fetch",
        action: "web.fetch",
        resource: "web/carrier.example/track/{n}",
        arguments: r#"{"url":"https://carrier.example/track/{n}","timeout_s":2.5}"#,
        result: r#"{"status":200,"state":"délivré","place":"Brønnøysund","degrees":-3.5e0}"#,
        usual_ms: 700,
    },
    Tool {
        adapter: "mail",
        name: "send_message",
        action: "mail.send",
        resource: "mail/lists/returns-weekly",
        arguments: r#"{"to":"returns-weekly","subject":"Returns, week {n}","attach":["returns-{n}.csv"]}"#,
        result: r#"{"queued":true,"id":"<{n}@mail.harbor-goods.example>"}"#,
        usual_ms: 180,
    },
];

/// What is asked of a model, and what it answers.
pub(crate) const TASKS: [(&str, &str); 8] = [
    (
        "Summarise ticket {n} in two sentences.",
        "A lamp arrived with a broken shade. The customer wants a new one, not a refund.",
    ),
    (
        "Is a refund for HG-{n} within policy? Answer yes or no, then why.",
        "Yes. It was reported within 14 days and the photos show the damage.",
    ),
    (
        "Draft a reply to the customer of ticket {n}, friendly and short.",
        "Thank you for the photos. A new one leaves our warehouse today.",
    ),
    ("Review rounding_{n}.rs for errors of a cent.", "Line 17 rounds each line; the invoice rounds the sum."),
    ("Which reason grew most in week {n}?", "Damaged in transit: 17, from 9 the week before."),
    ("Write a title for pull request {n}.", "Round once, at the end"),
    (
        "Translate the tracking state of parcel {n}.",
        "«délivré» means delivered; it was left with a neighbour (隣人).",
    ),
    ("Plan the next step for order HG-{n}.", "1. find the order\n2. check the photos\n3. offer a new one"),
];

/// What a later version answers to the same questions, one for each of the tasks.
pub(crate) const NEW_ANSWERS: [&str; 8] = [
    "The shade of a lamp broke on the way. A replacement is wanted.",
    "Yes, because the damage was reported in time and can be seen.",
    "I am sorry about the lamp. We are sending you another one today.",
    "Rounding per line loses a cent on line 17; round the sum instead.",
    "Damage in transit, which nearly doubled: 9 to 17.",
    "Round the sum instead of each line",
    "It was delivered to a neighbour («délivré», 隣人).",
    "1. check the photos\n2. find the order\n3. send a new lamp",
];

/// Why a policy says yes, and what it asks for besides.
pub(crate) const ALLOW_REASONS: [&str; 4] =
    ["grant.present", "rule.business-hours", "rule.low-amount", "rule.own-branch"];
/// Why a policy says no.
pub(crate) const DENY_REASONS: [&str; 4] =
    ["grant.absent", "rule.amount-above-limit", "rule.protected-branch", "rule.outside-hours"];
/// What a policy asks for besides.
pub(crate) const OBLIGATIONS: [&str; 3] = ["log.full", "redact.pii", "notify.owner"];
/// How a call fails.
pub(crate) const FAILURES: [&str; 4] =
    ["error:timeout", "error:rate-limited", "error:upstream-502", "cancelled"];
