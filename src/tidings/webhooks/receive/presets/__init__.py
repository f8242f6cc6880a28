"""What providers send, as data: `PRESETS` has every preset by its name.

A fact that the provider's own page or code was not seen to say stands under `unconfirmed`, and in the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets.code import GITHUB, GITLAB, LINEAR
from tidings.webhooks.receive.presets.commerce import HUBSPOT, SHOPIFY
from tidings.webhooks.receive.presets.mail import POSTMARK, SENDGRID
from tidings.webhooks.receive.presets.messaging import DISCORD, GRAPH, META, SLACK, TWILIO, ZOOM, X
from tidings.webhooks.receive.presets.payments import ADYEN, CHARGEBEE, PADDLE, PAYPAL, SQUARE, STRIPE
from tidings.webhooks.receive.presets.standard import STANDARD, SVIX

_ALL = (
    STANDARD, SVIX, STRIPE, GITHUB, SHOPIFY, SLACK, TWILIO, META, PAYPAL, SQUARE, ADYEN, ZOOM, DISCORD, HUBSPOT,
    GITLAB, LINEAR, SENDGRID, PADDLE, GRAPH, POSTMARK, CHARGEBEE, X,
)  # fmt: skip
PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
