"""Which form each of Apprise's services gets, and what is told it in fields of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.channels.chat_form import LONGEST, chat_text, chat_title
from healing_pipeline.channels.gsm import SEPTETS
from healing_pipeline.channels.letter_form import letter_form
from healing_pipeline.channels.machine_form import fields_of
from healing_pipeline.channels.message import Message
from healing_pipeline.channels.short_form import text_message
from healing_pipeline.channels.telling import telling
from healing_pipeline.incidents.detection import Severity

# Reached by a phone's number, and no text messages for all that.
MESSENGERS = frozenset(
    {"signal", "signals", "whatsapp", "awswhatsapp", "evolution", "evolutions", "gupshup",
     "threema", "whapi"}
)  # fmt: skip
LETTERS = frozenset(
    {"mailto", "mailtos", "ses", "mailgun", "sendgrid", "azure", "o365", "postmark", "brevo",
     "resend", "smtp2go", "mailersend", "sparkpost", "sendpulse"}
)  # fmt: skip
PROGRAMS = frozenset({"json", "jsons"})

TYPES = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ERROR: "failure",
    Severity.CRITICAL: "failure",
}

Call = Mapping[str, Any]


def call_for(service: Any, message: Message) -> Call:
    """The arguments of the service's `notify`; what it has fields for is set on `service`."""
    return {"notify_type": _type(message), **_form(service)(service, message)}


def is_text_message(service: Any) -> bool:
    """Whether a service sends to phones, where one message has 160 characters."""
    if service.title_maxlen > 0 or service.schema in MESSENGERS:
        return False
    asks_number = any("phone" in each for each in service.template_tokens)
    is_call = getattr(service, "method", None) == "call"
    return not is_call and (service.body_maxlen <= SEPTETS or asks_number)


def _form(service: Any) -> Callable[[Any, Message], Call]:
    if service.schema in LETTERS:
        return _as_letter
    if service.schema in PROGRAMS:
        return _for_program
    if is_text_message(service):
        return _as_text_message
    return _for_chat


def _as_letter(_service: Any, message: Message) -> Call:
    form = letter_form(message)
    return {"title": form.subject, "body": form.html, "body_format": "html"}


def _as_text_message(service: Any, message: Message) -> Call:
    return {
        "title": "",
        "body": text_message(message, min(SEPTETS, service.body_maxlen)),
        "body_format": "text",
    }


def _for_program(service: Any, message: Message) -> Call:
    # What the address adds or renames with `:name=value` comes last, and so wins.
    service.payload_extras = {**fields_of(message), **service.payload_extras}
    return {
        "title": telling(message).subject,
        "body": letter_form(message).text,
        "body_format": "text",
    }


def _for_chat(service: Any, message: Message) -> Call:
    _tell_pager(service, message)
    if service.title_maxlen > 0:
        title = chat_title(message, service.title_maxlen)
        room = service.body_maxlen
    else:
        # It becomes the first line.
        title = chat_title(message, min(250, service.body_maxlen // 2))
        room = service.body_maxlen - len(title) - len("\r\n")
    text = chat_text(message, min(room, LONGEST))
    return {"title": title if text else "", "body": text or title, "body_format": "text"}


def _tell_pager(service: Any, message: Message) -> None:
    """Let a paging service know which messages belong together, and which one closes.

    What an address says of it stands.
    """
    asked = service.template_args
    if "dedup" in asked and not service.dedup:
        service.dedup = message.group_key
    if "alias" in asked and hasattr(service, "alias") and not service.alias:
        service.alias = message.group_key
    action = asked.get("action", {})
    if "map" in action.get("values", ()) and service.action == action.get("default"):
        # A success resolves, anything else triggers.
        service.action = "map"
    if "click" in asked and hasattr(service, "click") and not service.click:
        service.click = telling(message).link
    if service.schema == "pagerduty":
        service.severity = service.severity or str(message.level)
        service.include_image = False
        service.group = service.group or message.source
        if service.source == service.template_tokens["source"]["default"]:
            service.source = message.source or "healing_pipeline"
        service.details = {**_details(message), **service.details}


def _details(message: Message) -> dict[str, str]:
    told = telling(message)
    details = {row.label: row.value for row in told.rows}
    if told.action:
        details["What to do"] = told.action
    for each in told.attempts:
        details[f"Tried {each.strategy}"] = " / ".join(filter(None, (each.because, each.evidence)))
    return details


def _type(message: Message) -> str:
    if message.kind is Kind.TEST:
        return "info"
    return "success" if message.is_over else TYPES[message.level]
