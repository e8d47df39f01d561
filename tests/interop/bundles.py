"""Has `examples/verify_bundle.py` judge a folder of bundles and compares with what is expected of each.

    python3 bundles.py FOLDER     # prints a line of JSON for each case; exits 1 where one is not as expected

FOLDER/cases.json is a list: {"name", "file" (in FOLDER), "key" (name+id+base64, null: not asked), "step" (null: it is
accepted; "any": refused, wherever), and where it fits "report": members that the answer must have}.
"""

import importlib.util
import json
import pathlib
import sys

PROGRAM = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "verify_bundle.py"


def reader():
    spec = importlib.util.spec_from_file_location("verify_bundle", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_expected(report, case):
    if "unexpected" in report.get("why", ""):
        return False
    if case["step"] == "any":
        return report["verdict"] == "refused"
    told = all(report.get(name) == value for name, value in case.get("report", {}).items())
    return report.get("step") == case["step"] and told


def main(folder):
    program = reader()
    schemas = program.read_schemas(program.SCHEMAS)
    cases = json.loads((folder / "cases.json").read_text("utf-8"))
    wrong = 0
    for case in cases:
        key = None if case["key"] is None else program.Key(case["key"])
        report = program.verify_file(folder / case["file"], key, schemas)
        good = is_expected(report, case)
        wrong += not good
        print(json.dumps({"name": case["name"], "as_expected": good, "answer": report}))
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
