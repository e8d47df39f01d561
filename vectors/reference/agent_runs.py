"""Counts over the recorded airline runs, from their files alone: what a policy stops in each run, and where every two
trials of a task part, at the first place and behind it. Then asks the program, and fails where it says another number.

    python3 -m reference.agent_runs PROGRAM FOLDER_OF_AGENT_RUNS

What a step is, which steps of two runs are the same, and why two runs part, is written here from docs/drift.md. A run is
the span of its agent and the calls below it; of a call there are two records, its decision and the call itself.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent
POLICY, RULES = VECTORS / "agent-runs/refunds.cedar", VECTORS / "agent-runs/rules.json"
BOUND = 100
RANKS = ("policy_decision", "model_call", "tool_call")
# What decides over the calls that are compared, and how their decisions name it.
ALLOWS = b'@id("all") permit(principal, action, resource);\n'
NAMED = {"policy_id": "all", "policy_version": "1", "policy_sha256": hashlib.sha256(ALLOWS).hexdigest()}
KEY = "attribute:resource:benchmark.task_id"


def lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def stopped(calls: list) -> Counter:
    """Calls by trace and tool that the policy forbids: every cancellation, and certificates above the bound."""
    return Counter(
        (call["trace_id"], call["name"]) for call in calls
        if call["name"] == "cancel_reservation"
        or call["name"] == "send_certificate" and call["arguments"]["amount"] > BOUND)


def attributes(holder: dict) -> dict:
    """Attributes by name, each as its bare value; a text that is a JSON structure as that structure, but for results."""
    found = {}
    for item in holder.get("attributes", []):
        (value,) = item["value"].values()
        if isinstance(value, str) and value[:1] in ("[", "{") and item["key"] != "gen_ai.tool.call.result":
            try:
                value = json.loads(value)
            except ValueError:
                pass
        found[item["key"]] = value
    return found


def canonical(value) -> bytes:
    """RFC 8785, as far as it takes here: names are ASCII, and numbers as Python writes them."""
    def plain(it):
        if isinstance(it, dict):
            return {name: plain(member) for name, member in it.items()}
        if isinstance(it, list):
            return [plain(member) for member in it]
        return int(it) if isinstance(it, float) and it.is_integer() else it
    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def payload(kind: str, members: dict) -> dict:
    """The name of a payload, by docs/otel.md; what is None was not said, and is nothing that has to be."""
    document = {"type": f"proofline.otel.{kind}", "version": "1", "capture": "full", "absent": [],
                **{name: value for name, value in members.items() if value is not None}}
    data = canonical(document)
    return {"content_type": "application/vnd.proofline.otel-payload+json", "sha256": digest(data).hex(), "size_bytes": len(data)}


def resource(name: str, arguments: dict, rules: list) -> str:
    """What a tool's decision is about: the tool, and the numbers that the rules put behind it."""
    numbers = [(number, arguments.get(pointer[1:])) for rule in rules if rule["when"] == {"tool": name}
               for number, pointer in sorted(rule["numbers"].items())]
    return "/".join(["tool", name, *(f"{number}:{value}" for number, value in numbers if type(value) is int)])


def step(span: dict, rules: list):
    """A call as a step of its run: its two records, by what they say and by what steers which steps are the same."""
    said, status = attributes(span), span.get("status") or {}
    error = {name: value for name, value in (("type", said.get("error.type")), ("message", status.get("message"))) if value}
    outcome = f"error:{error['type']}" if "type" in error else "error" if status.get("code") == 2 else "ok"
    failed = {"error": error if outcome != "ok" else None}
    assert not any(key.startswith(("gen_ai.usage.", "gen_ai.output.type", "openai.")) for key in said)
    operation = said.get("gen_ai.operation.name")
    if operation == "chat":
        instructions = said.get("gen_ai.system_instructions")
        system = [{"role": "system", "parts": instructions}] if instructions else []
        provider, model = said["gen_ai.provider.name"], said["gen_ai.response.model"]
        kind, action, of = "model_call", "model:chat", {"model": {"provider": provider, "model": model}}
        name, about = f"{provider}/{model}", f"model/{provider}/{said['gen_ai.request.model']}"
        request = payload("model_request", {
            "operation": operation, "model": said["gen_ai.request.model"], "messages": system + said["gen_ai.input.messages"],
            "tools": said.get("gen_ai.tool.definitions")})
        response = payload("model_response", {"model": model, "messages": said["gen_ai.output.messages"], **failed})
    elif operation == "execute_tool":
        adapter, tool, arguments = said["gen_ai.tool.type"], said["gen_ai.tool.name"], said["gen_ai.tool.call.arguments"]
        kind, action, of = "tool_call", "tool:execute", {"tool": {"adapter_id": adapter, "tool_name": tool}}
        name, about = f"{adapter}/{tool}", resource(tool, arguments, rules)
        request = payload("tool_request", {"tool": tool, "arguments": arguments})
        response = payload("tool_response", {"result": said["gen_ai.tool.call.result"], **failed})
    else:
        return None
    decided = {"record_type": "policy_decision", "policy": NAMED, "action": action, "resource": about, "result": "allow",
               "reason_codes": ["all"], "obligations": [], "component": "proofline-otel"}
    asked = {"record_type": kind, **of, "request": request, "component": "proofline-otel"}
    came_back = {"response": response, "outcome": {"status": outcome}}
    decision, call = digest(canonical(decided)), digest(canonical(asked))
    return {
        "span_id": span["spanId"], "record_type": kind, "name": name, "action": action, "resource": about,
        "request": request, "outcome": outcome, "response": response,
        # A span of which nothing is below: its records, and no span.
        "all": digest(digest(decision, digest(call, digest(canonical(came_back))))), "asked": digest(digest(decision, call)),
    }


def trial(message: dict, rules: list) -> dict:
    (sent,) = message["resourceSpans"]
    spans = [span for scope in sent["scopeSpans"] for span in scope["spans"]]
    (trace_id,) = {span["traceId"] for span in spans}
    spans.sort(key=lambda span: int(span["startTimeUnixNano"]))
    (agent,) = [span["spanId"] for span in spans if not span.get("parentSpanId")]
    assert all(span["parentSpanId"] == agent for span in spans if span["spanId"] != agent), "calls below calls"
    times = [int(span["startTimeUnixNano"]) // 10**6 for span in spans[1:]]
    assert len(times) == len(set(times)), "calls of one time"
    steps = [it for span in spans if (it := step(span, rules))]
    return {"trace_id": trace_id, "task": str(attributes(sent["resource"])["benchmark.task_id"]), "steps": steps}


CAUSES = ("policy", "identity", "input", "outcome", "response", "usage", "order", "missing", "extra")


def longest(a: list, b: list) -> list:
    """Pairs of equal keys, rising on both sides, as many as there can be. None equals nothing. Equal beginnings and
    ends are paired first, and between them a key of the first list is passed over where that loses nothing."""
    def same(one: int, other: int) -> bool:
        return a[one] is not None and a[one] == b[other]

    head, end_a, end_b = 0, len(a), len(b)
    while head < min(end_a, end_b) and same(head, head):
        head += 1
    while min(end_a, end_b) > head and same(end_a - 1, end_b - 1):
        end_a, end_b = end_a - 1, end_b - 1
    rest = [[0] * (end_b + 1) for _ in range(end_a + 1)]  # how many pairs there are from two places on
    for one in range(end_a - 1, head - 1, -1):
        for other in range(end_b - 1, head - 1, -1):
            rest[one][other] = (rest[one + 1][other + 1] + 1 if same(one, other)
                                else max(rest[one + 1][other], rest[one][other + 1]))
    pairs, one, other = [(at, at) for at in range(head)], head, head
    while one < end_a and other < end_b:
        if same(one, other):
            pairs.append((one, other))
            one, other = one + 1, other + 1
        elif rest[one + 1][other] >= rest[one][other + 1]:
            one += 1
        else:
            other += 1
    return pairs + [(end_a + at, end_b + at) for at in range(len(a) - end_a)]


def common(a: list, b: list) -> list:
    """The same whichever list is the first: the lesser of the two counts as the first."""
    if [key or () for key in b] < [key or () for key in a]:
        return sorted((one, other) for other, one in longest(b, a))
    return longest(a, b)


def pairing(a: list, b: list) -> tuple:
    """Which steps of two runs are the same one, in the same order, and which are, elsewhere."""
    pairs, closed_a, closed_b = [], set(), set()
    for members in (("all",), ("asked",), ("action", "resource"), ("action",)):
        def key(steps: list, at: int, closed: set):
            return None if at in closed else tuple(steps[at][member] for member in members)

        found, from_a, from_b = [], 0, 0
        for one, other in [*pairs, (len(a), len(b))]:
            between = common([key(a, at, closed_a) for at in range(from_a, one)],
                             [key(b, at, closed_b) for at in range(from_b, other)])
            found += [(from_a + first, from_b + second) for first, second in between]
            from_a, from_b = one + 1, other + 1
        pairs = sorted(pairs + found)
        if members == ("asked",):  # both have it, in another order: nothing that is less alike takes its place
            for one, other in kth_with_kth(a, b, *alone(a, b, pairs), members):
                closed_a.add(one)
                closed_b.add(other)
    moved = []
    for members in (("all",), ("asked",)):
        moved += kth_with_kth(a, b, *alone(a, b, pairs + moved), members)
    return pairs, moved


def alone(a: list, b: list, pairs: list) -> tuple:
    of_a, of_b = {one for one, _ in pairs}, {other for _, other in pairs}
    return [at for at in range(len(a)) if at not in of_a], [at for at in range(len(b)) if at not in of_b]


def kth_with_kth(a: list, b: list, alone_a: list, alone_b: list, members: tuple) -> list:
    """Of those that say the same, the first of one side with the first of the other, the second with the second."""
    def by_key(steps: list, places: list) -> dict:
        found = {}
        for at in places:
            found.setdefault(tuple(steps[at][member] for member in members), []).append(at)
        return found

    of_a, of_b = by_key(a, alone_a), by_key(b, alone_b)
    return [pair for key, places in of_a.items() for pair in zip(places, of_b.get(key, []))]


def causes_of(one: dict, other: dict) -> tuple:
    """Why the decisions of two steps part, and why their calls do; none where they do not."""
    def differ(*members: str) -> bool:
        return any(one[member] != other[member] for member in members)

    decision = "policy" if differ("action", "resource") else None
    calls = (("identity", differ("record_type", "name")), ("input", differ("request")), ("outcome", differ("outcome")),
             ("response", differ("response")))
    return decision, next((cause for cause, applies in calls if applies), None)


def places(a: list, b: list) -> tuple:
    """Every record at which two runs part: where in the order of the baseline, why, and the two steps. Then how many
    spans there are of each kind, that of the agent included."""
    pairs, moved = pairing(a, b)
    only_a, only_b = alone(a, b, pairs + moved)
    # How many records of the baseline are before a record of the candidate; the context of both is the first record.
    before, count, of_b = {}, 1, {other: one for one, other in pairs}
    for other in range(len(b)):
        for record in (0, 1):
            before[(other, record)] = count
            if other in of_b:
                count = 2 * of_b[other] + record + 2
    found = []
    for record in (0, 1):  # the decision, and the call
        def of_baseline(one: int, rank: int) -> tuple:
            return 2 * one + record + 1, rank, 0

        def of_candidate(other: int) -> tuple:
            return before[(other, record)], 1, 2 * other + record + 1

        for one, other in pairs:
            cause = causes_of(a[one], b[other])[record]
            if cause:
                found.append((of_baseline(one, 2), CAUSES.index(cause), record, one, other))
        order = CAUSES.index("order")
        found += [(min(of_baseline(one, 2), of_candidate(other)), order, record, one, other) for one, other in moved]
        found += [(of_baseline(one, 0), CAUSES.index("missing"), record, one, None) for one in only_a]
        found += [(of_candidate(other), CAUSES.index("extra"), record, None, other) for other in only_b]
    changed = sum(causes_of(a[one], b[other]) != (None, None) for one, other in pairs)
    spans = {"same": 1 + len(pairs) - changed, "changed": changed, "only_baseline": len(only_a),
             "only_candidate": len(only_b), "moved": len(moved)}
    return sorted(found, key=lambda it: it[:2]), spans


def drift(trials: list) -> tuple:
    """Each pair as its line has it, as far as that is counted here, and the last line."""
    pairs, causes, firsts, depths, subjects, keys = {}, Counter(), Counter(), Counter(), {}, {}
    runs = Counter(it["task"] for it in trials)
    for one, other in combinations(trials, 2):
        if one["task"] != other["task"]:
            continue
        of = 1 + 2 * len(one["steps"])  # the context, and a decision and a call for each step
        key = keys.setdefault(one["task"], Counter(runs=runs[one["task"]]))
        key["pairs"] += 1
        steps = one["steps"] + other["steps"]
        for subject in {(it["record_type"], it["name"]) for it in steps} | {("policy_decision", it["action"]) for it in steps}:
            subjects.setdefault(subject, Counter())["pairs"] += 1
        found, spans = places(one["steps"], other["steps"])
        verdict, first = "same", None
        if found:
            (at, _, _), cause, record, a, b = found[0]
            a, b, cause = a is not None and one["steps"][a], b is not None and other["steps"][b], CAUSES[cause]
            told = a or b
            kind, name = (told["record_type"], told["name"]) if record else ("policy_decision", told["action"])
            verdict = "parts"
            first = {"cause": cause, "place": at + 1, "of": of, "baseline": a["span_id"] if a else None,
                     "candidate": b["span_id"] if b else None, "subject": {"record_type": kind, "name": name}}
            firsts[cause] += 1
            depths[1 << at.bit_length()] += 1
            subjects[(kind, name)]["first"] += 1
            key["cause " + cause] += 1
        why = Counter(CAUSES[cause] for _, cause, *_ in found)
        causes.update(why)
        key["places"] += len(found)
        key[verdict] += 1
        pairs[(one["trace_id"], other["trace_id"])] = {
            "verdict": verdict, "spans": spans, "causes": dict(why), "first": first}
    verdicts = Counter(it["verdict"] for it in pairs.values())
    last = {
        "pairs": len(pairs), "same": verdicts["same"], "within": 0, "parts": verdicts["parts"], "not_compared": 0,
        "first_causes": dict(firsts), "causes": dict(causes), "depths": [{"up_to": up_to, "pairs": depths[up_to]} for up_to in sorted(depths)],
        "subjects": [{"record_type": kind, "name": name, "first": count["first"], "pairs": count["pairs"]}
                     for (kind, name), count in sorted(subjects.items(), key=lambda it: (RANKS.index(it[0][0]), it[0][1]))],
        "alone": sum(count == 1 for count in runs.values()), "without_key": 0, "other_keys": 0, "other_subjects": 0,
        "keys": [{"key": task, "runs": it["runs"], "pairs": it["pairs"], "same": it["same"], "within": 0,
                  "parts": it["parts"], "not_compared": 0, "places": it["places"],
                  "first_causes": {name[6:]: count for name, count in it.items() if name.startswith("cause ")}}
                 for task, it in sorted(keys.items())],
    }
    return pairs, last


class Program:
    def __init__(self, path: str, folder: Path):
        self.path, self.folder = path, folder

    def __call__(self, *arguments, code=0) -> list:
        ran = subprocess.run([self.path, *map(str, arguments), "--format", "json"], capture_output=True, text=True, check=False)
        assert ran.returncode == code, (arguments, ran.returncode, ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def ledger(self, name: str, spans: Path, *more) -> Path:
        ledger = self.folder / name
        self("init", ledger, "--origin", "ledger.example/runs")
        self("import", "otlp", ledger, spans, "--map", RULES, *more)
        return ledger


def same(what: str, counted, told) -> None:
    assert counted == told, f"{what}: counted {counted}, told {told}"


def main(path: str, folder: str) -> None:
    spans = Path(folder) / "airline.otlp.jsonl"
    counted = stopped(lines(Path(folder) / "airline-calls.jsonl"))
    rules = json.loads(RULES.read_text(encoding="utf-8"))["requests"]
    trials = [trial(message, rules) for message in lines(spans)]
    pairs, last = drift(trials)
    assert counted and pairs, "nothing was counted"
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(path, Path(scratch))
        allows = Path(scratch) / "all.cedar"
        allows.write_bytes(ALLOWS)
        plain = program.ledger("plain", spans, "--policy", allows, "--policy-id", "all", "--policy-version", "1")
        governed = program.ledger("governed", spans, "--policy", POLICY)

        refused = [it for it in program("query", governed, "kind = rejected") if "summary" not in it]
        same("refused attempts", counted, Counter((it["trace_id"], it["body"]["tool"]["tool_name"]) for it in refused))
        asked = [it["changed"] for it in program("replay", plain, "--with-policy", POLICY, code=1) if "changed" in it]
        same("changes of the back-test", {"allow_to_deny"}, {it["change"] for it in asked if it["calls"]})
        lost = Counter((it["trace_id"], call["name"].split("/")[-1]) for it in asked for call in it["calls"])
        same("lost calls of the back-test", counted, lost)

        steps = {it["span_id"]: (it["request"], it["response"], it["outcome"]) for one in trials for it in one["steps"]}
        calls = [it["body"] for it in program("query", plain, "record_type in (model_call, tool_call)") if "summary" not in it]
        same("calls", steps, {it["trace"]["span_id"]: (it["request"], it["response"], it["outcome"]["status"]) for it in calls})

        *told, summary = program("drift", plain, "--key", KEY, "--each-with-each", code=1 if last["parts"] else 0)
        same("pairs", set(pairs), {(it["baseline"], it["candidate"]) for it in told})
        for it in told:
            first = it["first"] and {
                **{name: it["first"][name] for name in ("cause", "place", "of", "subject")},
                **{side: (it["first"][side] or {}).get("span_id") for side in ("baseline", "candidate")}}
            pair = (it["baseline"], it["candidate"])
            told_of = {**{name: it[name] for name in ("verdict", "spans", "causes")}, "first": first}
            same(f"pair {pair}", pairs[pair], told_of)
        summary = summary["summary"]
        for name, value in last.items():
            found = summary[name]
            if name == "keys":
                found = [{member: row[member] for member in value[0]} for row in found]
            same(f"summary: {name}", value, found)
    print(f"{sum(counted.values())} calls stopped in {len({trace for trace, _ in counted})} of {len(trials)} runs, by gate and"
          f" back-test; {len(pairs)} pairs of trials of {len(last['keys'])} tasks part first by {last['first_causes']}"
          f" and at all places by {last['causes']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
