"""Who is told, and what of it never shows."""

import pytest

from analytics.alerts.sinks import EmailSink, WebhookSink, reaches
from support.alerting import SECRET


def test_secrets_never_show():
    """Neither passwords nor signing secrets nor the addresses of chats stand in a repr."""
    mail = EmailSink("m", "mail.example.org", 587, "a@example.org", ("b@example.org",), password="pass-word")
    hook = WebhookSink("w", "https://chat.example.org/services/T0KEN", secret=SECRET)
    assert "pass-word" not in repr(mail)
    assert "T0KEN" not in repr(hook)
    assert SECRET not in repr(hook)
    assert "chat.example.org" in repr(hook)


@pytest.mark.parametrize("secret", ["topsecret", "whsec_", "whsec_QUJD", "whsec_!" + "QUJD" * 12, "QUJD" * 12])
def test_a_secret_that_cannot_sign_is_refused(secret):
    """whsec_ and base64 of at least 24 bytes, said in one sentence that does not hold the secret."""
    with pytest.raises(ValueError, match="webhook w: its secret must be whsec_") as error:
        WebhookSink("w", "https://hooks.example.org/", secret=secret)
    assert "topsecret" not in str(error.value)


def test_pagerduty_wants_its_routing_key():
    """Its secret is a routing key of any form; without one nothing could arrive."""
    assert WebhookSink("p", "https://events.example.org/v2/enqueue", "pagerduty", "R0UTE").secret == "R0UTE"
    with pytest.raises(ValueError, match="routing key"):
        WebhookSink("p", "https://events.example.org/v2/enqueue", "pagerduty")


@pytest.mark.parametrize("url", ["https:///path", "ftp://hooks.example.org/", "http://[::1/", ""])
def test_what_is_no_address_is_refused(url):
    """Only http and https lead anywhere, and only to a host."""
    with pytest.raises(ValueError, match="webhook w: its url must be"):
        WebhookSink("w", url)


@pytest.mark.parametrize(
    ("severity", "minimum", "wanted"),
    [
        ("high", "medium", True),
        ("medium", "medium", True),
        ("low", "medium", False),
        ("info", "info", True),
        ("unheard-of", "critical", True),
    ],
)
def test_least_severity(severity, minimum, wanted):
    """From the least severity on; a word that is none is not lost."""
    assert reaches(severity, minimum) is wanted
