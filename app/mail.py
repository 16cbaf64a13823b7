"""Mail: plain messages over SMTP, to one recipient each.

Without a server for it, messages go to the log in development; in production that is refused, before anything is done
that would need one.
"""

import asyncio
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import formatdate, make_msgid
from ssl import SSLContext, create_default_context

import aiosmtplib
import structlog

from app.settings import Settings

_ATTEMPTS = 3
_PAUSE = 2.0
_LONGEST_SUBJECT = 200
_ADDRESS = re.compile(r"""([^\s@<>()\[\]:;,"\\]+)@([^\s@<>()\[\]:;,"\\]+)""")
_log = structlog.get_logger("rapport.mail")


class MailRefusedError(Exception):
    """A message that cannot be sent: no server for it, or an address or a subject that is none."""


class Mailer:
    """Sends messages as the settings say."""

    def __init__(self, settings: Settings, tls: SSLContext | None = None) -> None:
        self._settings = settings
        self._tls = tls

    @property
    def refusal(self) -> str | None:
        """Why nothing can be sent; None where it can."""
        if self._settings.smtp_host is None and self._settings.production:
            return "This server cannot send mail: its administrator has to set RAPPORT_SMTP_HOST."
        return None

    async def send(self, to: str, subject: str, text: str) -> None:
        """Send one message, or log it where there is no server in development. MailRefusedError says why not.

        It is tried three times; then the error of the last time is raised.
        """
        message = self.message(to, subject, text)
        if self.refusal is not None:
            raise MailRefusedError(self.refusal)
        if self._settings.smtp_host is None:
            _log.info("no mail server is set; this message would have been sent", to=to, subject=subject, text=text)
            return
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._deliver(message, to)
                return
            except (aiosmtplib.SMTPException, OSError) as error:
                # An answer with 5xx is final. Neither the address nor what the server says of it goes to the log.
                final = isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500
                _log.warning("mail was not taken", error=type(error).__name__, attempt=attempt)
                if final or attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_PAUSE * attempt)

    async def _deliver(self, message: EmailMessage, to: str) -> None:
        settings = self._settings
        await aiosmtplib.send(
            message,
            sender=settings.smtp_from,
            recipients=[to],
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=settings.smtp_password,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            tls_context=self._tls or create_default_context(),
            timeout=settings.smtp_timeout_seconds,
        )

    def message(self, to: str, subject: str, text: str) -> EmailMessage:
        """The message. MailRefusedError where ``to`` is not just one address, or a header would go on in another."""
        if not subject.isprintable() or len(subject) > _LONGEST_SUBJECT:
            raise MailRefusedError("A subject is one line of printable characters, and not a long one.")
        found = EmailMessage(policy=SMTPUTF8)
        found["From"] = self._settings.smtp_from
        found["To"] = _address(to)
        found["Subject"] = subject
        found["Date"] = formatdate(usegmt=True)
        found["Message-ID"] = make_msgid(domain=self._settings.smtp_from.rpartition("@")[2].rstrip(">"))
        # Answering machines keep quiet then (RFC 3834).
        found["Auto-Submitted"] = "auto-generated"
        found.set_content(text)
        return found


def _address(text: str) -> Address:
    """``text`` as the address of one recipient, which it has to be from its first character to its last."""
    match = _ADDRESS.fullmatch(text)
    if match is not None and text.isprintable():
        found = Address(username=match[1], domain=match[2])
        if found.addr_spec == text:
            return found
    raise MailRefusedError("This is not the address of one recipient.")
