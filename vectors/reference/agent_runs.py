"""Counts over the recorded airline runs, from their files alone: what a policy stops in each run, and where every two
trials of a task part first. Then asks the program, and fails where it says another number.

    python3 -m reference.agent_runs PROGRAM FOLDER_OF_AGENT_RUNS

What a step is, and why two runs part, is written here from docs/drift.md. Steps are compared as long as both runs
have the like step in the same place: where they do not, the pairing of steps would decide, and this fails aloud.
"""

from __future__ import annotations

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
    """Attributes by name, each as its bare value; a text that is a JSON structure as that structure."""
    found = {}
    for item in holder.get("attributes", []):
        (value,) = item["value"].values()
        if isinstance(value, str) and value[:1] in ("[", "{"):
            try:
                value = json.loads(value)
            except ValueError:
                pass
        found[item["key"]] = value
    return found


def step(span: dict):
    """A call as a step of its run: what it is, what it was asked, how it ended, what it answered."""
    said = attributes(span)
    of = {
        "chat": ("model_call", "model:chat", ("gen_ai.provider.name", "gen_ai.response.model"),
                 ("gen_ai.request.model", "gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.tool.definitions"),
                 ("gen_ai.response.model", "gen_ai.output.messages")),
        "execute_tool": ("tool_call", "tool:execute", ("gen_ai.tool.type", "gen_ai.tool.name"),
                         ("gen_ai.tool.call.arguments",), ("gen_ai.tool.call.result",)),
    }.get(said.get("gen_ai.operation.name"))
    if of is None:
        return None
    record_type, action, named, asked, answered = of
    return {
        "span_id": span["spanId"], "record_type": record_type, "action": action, "name": "/".join(said[key] for key in named),
        "asked": [said.get(key) for key in asked], "answered": [said.get(key) for key in answered],
        "status": [said.get("error.type"), span.get("status") or {}],
    }


def trial(message: dict) -> dict:
    (resource,) = message["resourceSpans"]
    spans = [span for scope in resource["scopeSpans"] for span in scope["spans"]]
    (trace_id,) = {span["traceId"] for span in spans}
    spans.sort(key=lambda span: int(span["startTimeUnixNano"]))
    steps = [it for it in map(step, spans) if it]
    return {"trace_id": trace_id, "task": str(attributes(resource["resource"])["benchmark.task_id"]), "steps": steps}


def parting(one: dict, other: dict):
    """Which step of two runs is the first that differs, and why; none where all are the same."""
    for at, (a, b) in enumerate(zip(one["steps"], other["steps"])):
        if {**a, "span_id": None} == {**b, "span_id": None}:
            continue
        assert (a["action"], a["name"]) == (b["action"], b["name"]), ("how steps are paired would decide", a, b)
        cause = "input" if a["asked"] != b["asked"] else "outcome" if a["status"] != b["status"] else "response"
        return at, cause
    assert len(one["steps"]) == len(other["steps"]), "how steps are paired would decide"
    return None


def drift(trials: list) -> tuple:
    """Each pair as its line has it, as far as that is counted here, and the last line."""
    pairs, causes, depths, subjects, keys = {}, Counter(), Counter(), {}, {}
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
        found = parting(one, other)
        verdict, first = "same", None
        if found:
            at, cause = found
            a, b, place = one["steps"][at], other["steps"][at], 2 * at + 3
            verdict = "parts"
            first = {"cause": cause, "place": place, "of": of, "baseline": a["span_id"], "candidate": b["span_id"],
                     "subject": {"record_type": a["record_type"], "name": a["name"]}}
            causes[cause] += 1
            depths[1 << (place - 1).bit_length()] += 1
            subjects[(a["record_type"], a["name"])]["first"] += 1
            key["cause " + cause] += 1
        key[verdict] += 1
        pairs[(one["trace_id"], other["trace_id"])] = {"verdict": verdict, "first": first}
    verdicts = Counter(it["verdict"] for it in pairs.values())
    last = {
        "pairs": len(pairs), "same": verdicts["same"], "within": 0, "parts": verdicts["parts"], "not_compared": 0,
        "first_causes": dict(causes), "depths": [{"up_to": up_to, "pairs": depths[up_to]} for up_to in sorted(depths)],
        "subjects": [{"record_type": kind, "name": name, "first": count["first"], "pairs": count["pairs"]}
                     for (kind, name), count in sorted(subjects.items(), key=lambda it: (RANKS.index(it[0][0]), it[0][1]))],
        "alone": sum(count == 1 for count in runs.values()), "without_key": 0, "other_keys": 0, "other_subjects": 0,
        "keys": [{"key": task, "runs": it["runs"], "pairs": it["pairs"], "same": it["same"], "within": 0,
                  "parts": it["parts"], "not_compared": 0,
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
    trials = [trial(message) for message in lines(spans)]
    pairs, last = drift(trials)
    assert counted and pairs, "nothing was counted"
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(path, Path(scratch))
        plain, governed = program.ledger("plain", spans), program.ledger("governed", spans, "--policy", POLICY)

        refused = [it for it in program("query", governed, "kind = rejected") if "summary" not in it]
        same("refused attempts", counted, Counter((it["trace_id"], it["body"]["tool"]["tool_name"]) for it in refused))
        asked = [it["changed"] for it in program("replay", plain, "--with-policy", POLICY, code=1) if "changed" in it]
        same("changes of the back-test", {"allow_to_deny"}, {it["change"] for it in asked if it["calls"]})
        lost = Counter((it["trace_id"], call["name"].split("/")[-1]) for it in asked for call in it["calls"])
        same("lost calls of the back-test", counted, lost)

        *told, summary = program("drift", plain, "--key", KEY, "--each-with-each", code=1 if last["parts"] else 0)
        same("pairs", set(pairs), {(it["baseline"], it["candidate"]) for it in told})
        for it in told:
            first = it["first"] and {
                **{name: it["first"][name] for name in ("cause", "place", "of", "subject")},
                "baseline": it["first"]["baseline"]["span_id"], "candidate": it["first"]["candidate"]["span_id"]}
            pair = (it["baseline"], it["candidate"])
            same(f"pair {pair}", pairs[pair], {"verdict": it["verdict"], "first": first})
        summary = summary["summary"]
        for name, value in last.items():
            found = summary[name]
            if name == "keys":
                found = [{member: row[member] for member in value[0]} for row in found]
            same(f"summary: {name}", value, found)
    print(f"{sum(counted.values())} calls stopped in {len({trace for trace, _ in counted})} of {len(trials)} runs, by gate and"
          f" back-test; {len(pairs)} pairs of trials of {len(last['keys'])} tasks part where {last['first_causes']} says")


if __name__ == "__main__":
    main(*sys.argv[1:])
