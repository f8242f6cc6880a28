"""tidings beside a Django project: `uvicorn mounted.django_site:site` in the folder `examples`.

Django answers requests and knows neither mounts nor lifespans of ASGI, so both are told apart before it is asked.
"""

from __future__ import annotations

from secrets import token_urlsafe

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from mounted.visits import PageVisited, app
from tidings.serving import asgi

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY=token_urlsafe())


async def home(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"position": await app.publish(PageVisited("/"), source="/site")})


urlpatterns = [path("", home)]
django, events = get_asgi_application(), asgi(app)


async def site(scope, receive, send):
    if scope["type"] == "lifespan":
        await events(scope, receive, send)
    elif f"{scope['path']}/".startswith("/tidings/"):
        await events({**scope, "root_path": "/tidings"}, receive, send)
    else:
        await django(scope, receive, send)
