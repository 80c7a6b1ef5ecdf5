"""Write the JSON Schema of the spec's wire format to docs/reference/spec-schema.json: python tools/spec_schema.py"""

import json
from pathlib import Path

from wingbeat.spec.codec import json_schema

PATH = Path(__file__).resolve().parents[1] / "docs" / "reference" / "spec-schema.json"


def text() -> str:
    """The schema as it is published."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
    print(PATH)
