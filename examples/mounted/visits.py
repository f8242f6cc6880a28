"""The application that each of the sites mounts: how often each page was visited.

    curl localhost:8000/
    curl --json '{"page":"/about"}' -X PUT -H 'ce-type: page-visited' localhost:8000/tidings/events/web/1
    curl localhost:8000/tidings/views/visits/visits

and http://localhost:8000/tidings/console in a browser.
"""

from __future__ import annotations

from tidings import App, Service, event


@event("page-visited", subject="page")
class PageVisited:
    page: str


visits = Service("visits", emits=[PageVisited])


@visits.view(key=("page",))
class Visits:
    page: str
    count: int


@visits.fold(Visits, PageVisited)
def counted(row: Visits | None, event: PageVisited) -> Visits:
    return Visits(event.page, 1 if row is None else row.count + 1)


app = App(visits)
