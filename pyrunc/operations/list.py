"""list: every container under the root."""

from __future__ import annotations

from pyrunc.errors import PyruncError, StateError, reason_of
from pyrunc.operations.state import describe
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from pyrunc.operations import Context


def list(context: Context) -> builtins.list[dict[str, object]]:
    """The state objects of all containers, in order of their ids, with owner names.

    A default root that is not there holds none; a given one is an error.
    """
    store = Store(context.root)
    try:
        ids = store.list()
    except FileNotFoundError as error:
        if context.root_given:
            text = f"the root directory {context.root} does not exist: no such file or directory"
            raise StateError(text, path=context.root) from error
        return []
    states = []
    owners: dict[int, str] = {}
    for id in ids:
        try:
            states.append(_describe(store, id, owners))
        except (PyruncError, OSError) as error:
            if isinstance(error.__cause__, FileNotFoundError):
                continue  # it went away, or is not written yet
            context.log.warning(f"{id}: {error.text if isinstance(error, PyruncError) else reason_of(error)}")
    return states


def _describe(store: Store, id: str, owners: dict[int, str]) -> dict[str, object]:
    entry = store.open(id)
    try:
        record = entry.read()
        if record.owner not in owners:
            owners[record.owner] = owner_name(record.owner)
        return describe(entry, record, owners[record.owner])
    finally:
        entry.close()


def owner_name(uid: int) -> str:
    """The user's name, or #UID if there is none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
