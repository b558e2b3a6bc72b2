"""json_test.py FOLDER -- rt_torch.json against its schema, and against aten where torch is there.

Where jsonschema is missing the few keywords that the schema uses are checked by hand.
"""

import json
import pathlib
import sys

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}


def check(value, schema, root, at="$"):
    """Raises ValueError where a value is not as the schema says."""
    if "$ref" in schema:
        return check(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, TYPES[kind]) for kind in types):
        raise ValueError(f"{at} is {value!r}, not of type {types}")
    if value not in schema.get("enum", [value]):
        raise ValueError(f"{at} is {value!r}, none of {schema['enum']}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            check(item, schema["items"], root, f"{at}[{i}]")
    if isinstance(value, dict):
        missing = set(schema.get("required", [])) - set(value)
        if missing:
            raise ValueError(f"{at} has no {sorted(missing)}")
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if not inner:
                raise ValueError(f"{at} has {key}, which the schema does not know")
            check(item, inner, root, f"{at}.{key}")


def check_meaning(calls):
    """Checks facts that a schema cannot express."""
    names = {row["symbol"] for row in calls["symbols"]}
    sections = [row["section"] for row in calls["sections"]]
    assert [row["section"] for row in calls["symbols"]] == sorted(
        (row["section"] for row in calls["symbols"]), key=sections.index
    )
    for row in calls["symbols"]:
        symbol = row["symbol"]
        assert row["returns"] in calls["kinds"], symbol
        assert row.get("alias_of", symbol) in names, symbol
        assert "op" not in row or "aten" in row, f"{symbol} records an op and follows nothing"
        for param in row["params"]:
            assert param["kind"] in calls["kinds"] or param["kind"] == "DoubleOut", symbol
            if "op" in row and param["kind"] != "DoubleOut":
                assert "aten" in param, f"{symbol}: {param['name']} is no parameter of aten's"


def schema_of(torch, overload):
    name, _, which = overload.removeprefix("aten::").partition(".")
    return torch._C._get_schema(f"aten::{name}", which)


def check_aten(torch, calls):
    """Each overload is there, has the parameters, and gets all that have no default."""
    for row in calls["symbols"]:
        if "aten" not in row:
            continue
        follows = row["aten"]
        for overload in follows.get("overloads", [follows.get("overload")]):
            wanted = {argument.name: argument for argument in schema_of(torch, overload).arguments}
            given = {param["aten"] for param in row["params"] if "aten" in param}
            assert not given & set(follows.get("constants", {})), row["symbol"]
            given |= set(follows.get("constants", {}))
            assert given <= set(wanted), f"{row['symbol']}: {overload} has no {given - set(wanted)}"
            for name, argument in wanted.items():
                optional = argument.has_default_value() or "Optional" in str(argument.type)
                assert (
                    name in given or optional or name == "dtype"
                ), f"{row['symbol']}: {overload} needs {name}"


def main():
    folder = pathlib.Path(sys.argv[1])
    calls = json.loads((folder / "rt_torch.json").read_text())
    schema = json.loads((folder / "rt_torch.schema.json").read_text())
    try:
        import jsonschema

        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(calls, schema)
        by = "jsonschema"
    except ImportError:
        check(calls, schema, schema)
        by = "the keywords checked here"
    check_meaning(calls)
    try:
        import torch
    except ImportError:
        torch = None
    if torch:
        check_aten(torch, calls)
    print(f"{len(calls['symbols'])} calls, by {by}", "and aten" if torch else "without torch")


main()
