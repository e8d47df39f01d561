"""Reads a table of `proofline records` in its three forms, and asks for the same cells in each.

    tables.py CSV JSONL PARQUET

CSV by the standard library, JSON lines by it too, Parquet by pyarrow. Prints the number of rows.
"""

import csv
import json
import sys

import pyarrow
import pyarrow.parquet as parquet


def rows_of_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def rows_of_json(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def as_csv(value):
    return "" if value is None else str(value)


def main(csv_path, json_path, parquet_path):
    by_csv, by_json = rows_of_csv(csv_path), rows_of_json(json_path)
    table = parquet.read_table(parquet_path)
    by_parquet = table.to_pylist()
    assert len(by_csv) == len(by_json) == len(by_parquet) > 0
    assert list(by_csv[0]) == list(by_json[0]) == table.column_names
    for field in table.schema:
        wanted = pyarrow.int64() if field.name.endswith(("_ms", "_bytes", "_tokens")) or field.name == "seq" else pyarrow.string()
        assert field.type == wanted, field
    for line, (one, two, three) in enumerate(zip(by_csv, by_json, by_parquet), start=1):
        assert two == three, (line, two, three)
        assert one == {name: as_csv(value) for name, value in two.items()}, (line, one, two)
        required = {field.name for field in table.schema if not field.nullable}
        assert all(two[name] is not None for name in required), line
    print(len(by_csv))


if __name__ == "__main__":
    main(*sys.argv[1:])
