"""Lists of users: the list itself is there when the request is answered, its members a moment later."""

from __future__ import annotations

from chirp.events import (
    ListCreated,
    ListDeleted,
    ListMemberAdded,
    ListMemberRemoved,
    ListRenamed,
    UserRegistered,
    UserRenamed,
)
from tidings import Service

lists = Service("lists")


@lists.view(key=("list_id",), mode="inline")
class List:
    list_id: str
    owner_id: str
    name: str


@lists.fold(List, ListCreated)
def created(row: List | None, event: ListCreated) -> List:
    return List(event.list_id, event.owner_id, event.name)


@lists.fold(List, ListRenamed)
def renamed(row: List | None, event: ListRenamed) -> List | None:
    return row and List(row.list_id, row.owner_id, event.name)


@lists.fold(List, ListDeleted)
def deleted(row: List | None, event: ListDeleted) -> None:
    return None


@lists.view(key=("list_id", "user_id"))
class Member:
    list_id: str
    user_id: str


@lists.fold(Member, ListMemberAdded)
def added(row: Member | None, event: ListMemberAdded) -> Member:
    return Member(event.list_id, event.user_id)


@lists.fold(Member, ListMemberRemoved)
def removed(row: Member | None, event: ListMemberRemoved) -> None:
    return None


@lists.view(key=("user_id",), mode="live")
class Name:
    """What lists know of a user's name: their own reading of the users' events."""

    user_id: str
    handle: str
    changes: int


@lists.fold(Name, UserRegistered)
def named(row: Name | None, event: UserRegistered) -> Name:
    return Name(event.user_id, event.handle, row.changes if row else 0)


@lists.fold(Name, UserRenamed)
def name_changed(row: Name | None, event: UserRenamed) -> Name | None:
    return row and Name(row.user_id, event.handle, row.changes + 1)
