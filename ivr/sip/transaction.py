"""SIP transactions (RFC 3261 section 17, RFC 6026): states and timers of figures 5 to 8, under the RFC's names.

No sockets: ``send`` is the transport, ``timers`` the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from ivr.sip.headers import Address
from ivr.sip.message import Peer, SipRequest, SipResponse, encode, refusal, response_to, sent_by, stamp_source
from ivr.sip.timers import INTERVALS, T2, TIMEOUT, Backoff, Timer, Timers

Key = tuple[str, ...]
Send = Callable[[bytes, Peer, Peer | None], None]


class TransactionState(StrEnum):
    """The states of figures 5 to 8; ``ACCEPTED`` is RFC 6026's, of an INVITE that a 2xx answered."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


State = TransactionState


def _nothing() -> None:
    return None


class Transaction:
    """One request and its responses. ``running``: the timers that run, by their letters."""

    state: State

    def __init__(self, key: Key, request: SipRequest, peer: Peer, send: Send, timers: Timers) -> None:
        self.key = key
        self._request: SipRequest | None = request
        self.peer = peer
        self.running: dict[str, Timer] = {}
        self.on_terminated: Callable[[], object] = lambda: None
        self.on_sent_again: Callable[[], None] = lambda: None
        self.on_gave_up: Callable[[str], None] = lambda method: None  # nobody answered this
        self._send = send
        self._timers = timers

    @property
    def request(self) -> SipRequest:
        """Of a server, until it is answered: what repeats the answer for half a minute keeps nothing else."""
        if self._request is None:
            raise RuntimeError("the request is answered already")
        return self._request

    def _enter(self, state: State, **timers: Callable[[], None]) -> None:
        """Go into ``state``: timers of the state before stop, those named start, with what they do when they fire."""
        self._stop(*self.running)
        self.state = state
        for letter, action in timers.items():
            interval = INTERVALS[letter][self.peer.reliable]
            if interval is None:
                continue
            if letter in "AEG":
                self.running[letter] = Backoff(self._timers, action, TIMEOUT if letter == "A" else T2)
            else:
                self.running[letter] = self._timers.call_later(interval, action)

    def _stop(self, *letters: str) -> None:
        for letter in letters:
            if timer := self.running.pop(letter, None):
                timer.cancel()

    def _again(self) -> None:
        """A timer wants it sent once more."""
        self.on_sent_again()
        self._transmit()

    def _transmit(self) -> None:
        raise NotImplementedError

    def terminate(self) -> None:
        self._enter(State.TERMINATED)
        told, self.on_terminated = self.on_terminated, _nothing  # who is told knows this
        told()


# --- client: requests that we send -------------------------------------------------------------------------


class ClientTransaction(Transaction):
    """One request that we send, once ``start`` is called: any but INVITE (section 17.1.2, figure 6). ``on_response``
    hears provisionals, one final, and a 408 or 503 made here when nobody answers. ``patience_s``: how long the first
    answer may take, where that is less than the RFC's time."""

    def __init__(
        self,
        request: SipRequest,
        peer: Peer,
        send: Send,
        timers: Timers,
        on_response: Callable[[SipResponse], None],
        patience_s: float | None = None,
    ) -> None:
        super().__init__((request.top_via.branch, request.method), request, peer, send, timers)
        self._on_response = on_response
        self._patience_s = patience_s
        self._raw = encode(request)

    def start(self) -> None:
        self._enter(State.TRYING, E=self._again, F=self._timed_out)
        self._await_first()
        self._transmit()

    def receive(self, response: SipResponse) -> None:
        match self.state:
            case State.TRYING | State.PROCEEDING if response.status_code < 200:
                self.state = State.PROCEEDING  # E and F go on, E at T2
                if isinstance(timer_e := self.running.get("E"), Backoff):
                    timer_e.slow_down()
                self._on_response(response)
            case State.TRYING | State.PROCEEDING:
                self._enter(State.COMPLETED, K=self.terminate)
                self._on_response(response)

    def fail(self, status: int, reason: str) -> None:
        """Report ``status`` as if it had come, because no answer will (RFC 3261 section 8.1.3.1)."""
        if self.state in (State.CALLING, State.TRYING, State.PROCEEDING):
            self.terminate()
            self._report(status, reason)

    def _report(self, status: int, reason: str) -> None:
        self._on_response(replace(response_to(self.request, status, reason), made_here=True))

    def _transmit(self) -> None:
        self._send(self._raw, self.peer, None)

    def _await_first(self) -> None:
        if self._patience_s is not None:
            self.running["first"] = self._timers.call_later(self._patience_s, self._unanswered)

    def _unanswered(self) -> None:
        if self.state is not State.PROCEEDING:
            self._timed_out()

    def _timed_out(self) -> None:
        self.on_gave_up(self.key[-1])
        self.fail(408, "No answer")


class InviteClientTransaction(ClientTransaction):
    """An INVITE that we send (section 17.1.1, figure 5; RFC 6026 section 8.4): ``on_response`` hears every 2xx, and
    after ``patience_s`` what still comes."""

    _ack = b""

    def start(self) -> None:
        self._enter(State.CALLING, A=self._again, B=self._timed_out)
        self._await_first()
        self._transmit()

    def receive(self, response: SipResponse) -> None:
        status = response.status_code
        match self.state:
            case State.CALLING | State.PROCEEDING if status < 200:
                if self.state is State.CALLING:
                    self._enter(State.PROCEEDING)  # ringing takes as long as the caller allows
                self._on_response(response)
            case State.CALLING | State.PROCEEDING if status < 300:
                self._enter(State.ACCEPTED, M=self.terminate)
                self._on_response(response)
            case State.CALLING | State.PROCEEDING:
                self._enter(State.COMPLETED, D=self.terminate)
                ack = within(self.request, "ACK")
                ack.headers.set("To", response.headers.first("to"))
                self._ack = encode(ack)
                self._send(self._ack, self.peer, None)
                self._on_response(response)
            case State.COMPLETED if status >= 300:
                self._send(self._ack, self.peer, None)
            case State.COMPLETED | State.ACCEPTED if 200 <= status < 300:
                self._on_response(response)  # of a fork; a refusal and an answer may cross

    def _unanswered(self) -> None:
        if self.state is State.CALLING:
            self._stop("A")  # until B ends it, somebody may ring over there after all
            self._report(408, "No answer")

    def cancelled(self) -> None:
        """Wait 64·T1 for the 487 to a CANCEL that went out, then report 408 (section 9.1)."""
        if self.state is State.PROCEEDING:
            self.running["CANCEL"] = self._timers.call_later(TIMEOUT, self._timed_out)


def within(invite: SipRequest, method: str) -> SipRequest:
    """Make the CANCEL of ``invite`` (section 9.1) or the ACK of its refusal (17.1.1.3): with its URI, top Via, Route,
    From, To, Call-ID and CSeq number."""
    request = SipRequest(method=method, uri=invite.uri)
    request.headers.set("Via", str(invite.top_via))
    for name in ("From", "To", "Call-ID"):
        request.headers.set(name, invite.headers.first(name))
    request.headers.set("CSeq", f"{invite.cseq.number} {method}")
    request.headers.set("Max-Forwards", "70")
    request.headers.set("Route", *invite.headers.get("route"))
    return request


# --- server: requests that we receive ----------------------------------------------------------------------


class ServerTransaction(Transaction):
    """One request received from ``peer``: any but INVITE (section 17.2.2, figure 8). ``respond`` answers it;
    retransmissions get the last answer again."""

    state = State.TRYING

    def __init__(self, key: Key, request: SipRequest, peer: Peer, send: Send, timers: Timers) -> None:
        super().__init__(key, request, peer, send, timers)
        self._reply_to = stamp_source(request, peer)
        self._fallback = sent_by(request, peer) if peer.reliable else None
        self._last = b""
        self.answered = False  # finally
        self._to = ""  # of the final answer

    @property
    def tag(self) -> str:
        """Of the final answer's To, "" before."""
        return Address.parse(self._to).tag if self._to else ""

    def respond(self, response: SipResponse) -> None:
        """Send ``response``; after a final one, nothing more (section 17.2)."""
        if self.answered:
            return
        self._last = encode(response)
        self._transmit()
        if response.status_code < 200:
            self.state = State.PROCEEDING
        else:
            self.answered, self._request = True, None
            self._to = response.headers.first("to")
            self._answered(response.status_code)

    def refuse(self, status: int, reason: str = "", *, tag: str = "", **headers: str) -> None:
        """Respond finally, without a body; ``headers`` are named with _ for -."""
        if not self.answered:
            self.respond(refusal(self.request, status, reason, tag=tag, **headers))

    def repeat(self) -> None:
        """Send the last answer again, because the request came again."""
        self._transmit()

    def _answered(self, status: int) -> None:
        self._enter(State.COMPLETED, J=self.terminate)

    def _transmit(self) -> None:
        if self._last:
            self._send(self._last, self._reply_to, self._fallback)


class InviteServerTransaction(ServerTransaction):
    """An INVITE received (section 17.2.1, figure 7; RFC 6026 section 8.7). It also repeats a 2xx until its ACK, on any
    transport, which section 13.3.1.4 leaves to the user agent; ``on_no_ack`` hears of an ACK that never came."""

    state = State.PROCEEDING
    on_no_ack: Callable[[], None] | None = None
    on_cancel: Callable[[], None] | None = None

    def _answered(self, status: int) -> None:
        self.on_cancel = None  # it outlives its call by half a minute, and should not keep it
        if status < 300:
            self._enter(State.ACCEPTED, L=self._accepted_over)
            self.running["2xx"] = Backoff(self._timers, self._again, T2)
        else:
            self._enter(State.COMPLETED, G=self._again, H=self.terminate)

    def repeat(self) -> None:
        if self.state in (State.PROCEEDING, State.COMPLETED) or "2xx" in self.running:
            self._transmit()

    def acknowledge(self) -> None:
        """Note that the ACK came."""
        if self.state is State.COMPLETED:
            self._enter(State.CONFIRMED, I=self.terminate)
        else:
            self._stop("2xx")
            self.on_no_ack = None

    def _accepted_over(self) -> None:
        unacknowledged = "2xx" in self.running
        self.terminate()
        if unacknowledged:
            self.on_gave_up("ACK")
        if unacknowledged and self.on_no_ack is not None:
            self.on_no_ack()
