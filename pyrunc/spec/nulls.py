"""Properties that are null: as good as absent where they may be absent.

Programs that write a document may give every property that they know, with
null for those they do not set; other runtimes take that.  Imported only for
documents that are not valid as they stand.
"""

from __future__ import annotations

from pyrunc.spec.schema_table import ARRAY, OBJECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.spec.schema_table import Node


def without_nulls(value: Any, schema: Node) -> Any:
    """`value` without the properties of `schema` that are null and not required.

    Keys that the document chooses itself, as of annotations, and items of lists stay.
    """
    if schema[0] == ARRAY and type(value) is list:
        return [without_nulls(item, schema[1]) for item in value]
    if schema[0] != OBJECT or type(value) is not dict:
        return value
    _, properties, required, _, values = schema
    kept = {}
    for name, item in value.items():
        if item is None and name in properties and name not in required:
            continue
        child = properties.get(name, values)
        kept[name] = without_nulls(item, child) if child is not None else item
    return kept
