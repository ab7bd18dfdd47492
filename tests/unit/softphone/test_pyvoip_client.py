import pyVoIP.VoIP  # noqa: F401 - first: pyVoIP's modules import each other in a circle
from pyVoIP.SIP import SIPMessage

from ivr.softphone.pyvoip_client import header_fields, tidied

ODD = (
    b"INVITE sip:phone@127.0.0.1 SIP/2.0\r\n"
    b"v:SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK1\r\n"
    b"f: <sip:a@127.0.0.1>;tag=1\r\nTO :<sip:b@127.0.0.1>\r\n"
    b"call-id: x\r\ncseq:   7 INVITE\r\nSupported:\r\n"
    b"X-IVR-Reason: cancel: thinking\r\n of it\r\nX-IVR-Tried: a\r\nx-ivr-tried: b\r\n"
    b"c: application/sdp\r\nl: 17\r\n\r\nv=0\r\nt=0 0\r\n\r\n\r\n"
)


def test_odd_but_legal_headers_reach_pyvoip_in_its_own_spelling() -> None:
    message = SIPMessage(tidied(ODD))
    assert message.method == "INVITE"
    assert message.headers["From"]["tag"] == "1"
    assert message.headers["CSeq"] == {"check": "7", "method": "INVITE"}
    assert message.headers["Via"][0]["branch"] == "z9hG4bK1"
    assert message.body["v"] == 0


def test_headers_are_told_whole() -> None:
    fields = header_fields(tidied(ODD))
    assert fields["x-ivr-reason"] == "cancel: thinking of it"
    assert fields["x-ivr-tried"] == "a, b"
    assert "supported" not in fields
