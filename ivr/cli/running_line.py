"""The line that runs on this machine with a configuration, asked by its HTTP API."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from ivr.config import Config
from ivr.errors import UnavailableError

TIMEOUT_S = 5.0
# Who has accounts asks everybody who they are, commands on the line's own machine too.
REFUSED = (
    "set [http] token in this configuration, and restart the line with it; what it names by env: or credential: has to "
    "be in this shell, too"
)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class RunningLine:
    """``host`` and ``port`` of its HTTP server, ``token`` of its API; "" where it asks for none."""

    host: str
    port: int
    token: str = ""

    @classmethod
    def of(cls, config: Config) -> RunningLine:
        listen, secret = config.http.listen, config.http.token
        token = secret.reveal() if secret.available() else ""
        return cls(_EVERYWHERE.get(listen.host, listen.host), listen.port, token)

    def ask(self, method: str, path: str, timeout_s: float = TIMEOUT_S) -> tuple[int, Any]:
        """Status and JSON body. Raises UnavailableError where nobody answers, or something else does."""
        headers = {"Accept": "application/json", "X-IVR-Command": "1"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            remedy = "is it running, with this configuration?"
            raise UnavailableError(f"no line answers at {self.host}:{self.port}: {why}", remedy=remedy) from error
        finally:
            connection.close()

    def told(self, method: str, path: str) -> Any:
        """The body of an answer 200. Raises UnavailableError with what the line said instead."""
        status, body = self.ask(method, path)
        if status == 200:
            return body
        if status in (401, 403):
            raise UnavailableError(f"the line wants its token ({status})", remedy=REFUSED)
        said = body.get("error", "") if isinstance(body, dict) else ""
        raise UnavailableError(f"the line refuses ({status}): {said}")
